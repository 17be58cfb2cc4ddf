// An import's layers: one row each, created once and updated in place.

import { element, fill } from "./element.js";
import { counted, duration, part, rate, shortDigest, size } from "./figures.js";
import { Meter } from "./meter.js";
import { makeProgressBar } from "./progress_bar.js";

const HOW = { copied: "copied", mounted: "mounted", existing: "already there" };
// The largest number of rows; layers in progress come first.
const SHOWN = 200;
const RANKS = { downloading: 0, failed: 1, pending: 2, completed: 3 };

/** Create the list; `show` takes an import's details. */
export function makeLayers() {
  const rows = new Map();
  const list = element("ul", { class: "layers" });
  const more = element("p", { class: "muted", hidden: true });
  const made = element("div", {}, list, more);
  return { element: made, show: (details) => show(details, rows, list, more) };
}

function show(details, rows, list, more) {
  const layers = Object.entries(details.layersDetail);
  const chosen = layers.length <= SHOWN ? layers : ranked(layers).slice(0, SHOWN);
  for (const [digest, layer] of chosen) {
    if (!rows.has(digest)) rows.set(digest, makeRow(digest, layer));
    changeRow(rows.get(digest), layer, details);
  }
  const wanted = chosen.map(([digest]) => rows.get(digest).element);
  if (wanted.length !== list.children.length || wanted.some((row, place) => list.children[place] !== row)) {
    fill(list, wanted);
  }
  // The API sends some hundreds of an image's layers, and their number.
  const others = (details.layersSummary?.total ?? layers.length) - chosen.length;
  more.hidden = others <= 0;
  more.textContent = `and ${counted(others, "more layer")}`;
}

function ranked(layers) {
  return [...layers].sort(([, one], [, other]) => (RANKS[one.status] ?? 0) - (RANKS[other.status] ?? 0));
}

function makeRow(digest, layer) {
  const bar = makeProgressBar(`Layer ${shortDigest(digest)}`);
  const how = element("span", { class: "how" });
  const speed = element("span", { class: "speed" });
  const row = element(
    "li",
    {},
    element("code", { title: digest }, shortDigest(digest)),
    element("span", { class: "size" }, size(layer.size)),
    bar.element,
    how,
    speed,
  );
  return { element: row, bar, how, speed, meter: new Meter() };
}

function changeRow(row, layer, details) {
  const kind = layer.transfer ?? "copied";
  const word = wordFor(layer, details);
  row.element.dataset.status = layer.status === "completed" ? kind : layer.status;
  row.how.textContent = word;
  row.meter.look(layer.offset);
  row.speed.textContent = layer.status === "downloading" ? speedOf(row.meter, layer) : "";
  row.bar.set(layer.progress, [[kind, layer.progress]], `${word} ${row.speed.textContent}`.trim());
}

function wordFor(layer, details) {
  if (layer.status === "completed") return HOW[layer.transfer] ?? "done";
  if (layer.status === "downloading") return part(layer.offset, layer.size);
  if (layer.status === "failed") return "not completed";
  return details.error || details.state === "cancelled" ? "not begun" : "waiting";
}

function speedOf(meter, layer) {
  if (meter.rate <= 0) return "";
  return `${rate(meter.rate)}, ${duration((layer.size - layer.offset) / meter.rate)} left`;
}
