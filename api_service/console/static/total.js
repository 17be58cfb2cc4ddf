// An import as a whole: a progress bar with its parts, the rate and the remaining time.

import { element, fill } from "./element.js";
import { duration, moment, part, rate, size } from "./figures.js";
import { announce } from "./notice.js";
import { makeProgressBar } from "./progress_bar.js";
import { isFinal } from "./watch.js";

const KINDS = [
  ["existing", "already there"],
  ["mounted", "mounted"],
  ["copied", "copied"],
];
// Screen readers announce progress in steps, so that other announcements are heard, too. Per cent.
const STEP = 25;

/** Create the view of the whole import; `show` takes an import's details. */
export function makeTotal() {
  const bar = makeProgressBar("The whole import");
  const figures = element("p", { class: "figures" });
  const legend = element("ul", { class: "legend" });
  const message = element("p", { class: "message" });
  const made = element("div", { class: "total" }, message, bar.element, figures, legend);
  const announced = { step: -1, state: "" };
  return { element: made, show: (details) => show(details, { bar, figures, legend, message, announced }) };
}

function show(details, { bar, figures, legend, message, announced }) {
  const sums = sumsOf(details);
  const whole = details.bytesTotal || 1;
  const parts = KINDS.map(([kind]) => [kind, (100 * sums[kind]) / whole]);
  bar.set(details.progress, parts, `${details.progress} %`);
  bar.element.dataset.state = details.state;
  // An import that ended before its size was known has nothing to show in the bar.
  bar.element.hidden = details.bytesTotal === 0 && isFinal(details);
  message.textContent = messageOf(details);
  fill(figures, figuresOf(details).map((text) => element("span", {}, text)));
  fill(legend, KINDS.filter(([kind]) => sums[kind] > 0).map(([kind, name]) =>
    element("li", { class: kind }, `${size(sums[kind])} ${name}`)));
  speak(details, announced);
}

/** The API's message has times in UTC; this one has them in the reader's time zone. */
function messageOf(details) {
  if (details.error && details.state === "waiting") return `Waits until ${moment(details.resumesAt)}, then tries again.`;
  return details.error ? "" : details.message;
}

/** The bytes of all layers by their transfer; an API of the release before sends all layers, and no summary. */
function sumsOf({ layersSummary, layersDetail }) {
  if (layersSummary) return Object.fromEntries(KINDS.map(([kind]) => [kind, layersSummary[kind].bytes]));
  const sums = { existing: 0, mounted: 0, copied: 0 };
  for (const layer of Object.values(layersDetail)) sums[layer.transfer ?? "copied"] += layer.offset;
  return sums;
}

function figuresOf(details) {
  if (details.bytesTotal === 0) return [];
  const parts = [`${details.progress} %`, part(details.bytesDone, details.bytesTotal)];
  if (details.rate > 0 && details.state === "running") parts.push(rate(details.rate));
  if (details.eta !== null && details.state === "running") parts.push(`${duration(details.eta)} left`);
  if (details.attempt > 1) parts.push(`attempt ${details.attempt}`);
  return parts;
}

function speak(details, announced) {
  const step = Math.floor(details.progress / STEP);
  if (details.state !== announced.state) announce(details.error?.title ?? details.message);
  else if (details.state === "running" && step > announced.step) announce(`${step * STEP} per cent`);
  announced.state = details.state;
  announced.step = step;
}
