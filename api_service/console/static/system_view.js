// The state of the service: the target's figures, the queue, the workers, the parts.

import { api } from "./api.js";
import { element, fill } from "./element.js";
import { age, count, counted, duration, size } from "./figures.js";
import { repeat } from "./pause.js";
import { problemBox } from "./problem_box.js";

// The interval of requests while the page is visible; the API caches the target's figures for a minute. Milliseconds.
const LOOK = 5_000;
const SCOPES = {
  target: "everything in the target",
  visible: "everything that the target's account may see",
  managed: "the images that Longshore manages",
};
const HELD = { requests: "all requests", manifests: "manifests", imports: "new imports" };

export function systemView({ signal }) {
  const places = [
    panel("Target", api.statistics, targetFigures),
    panel("Imports", api.operations, importFigures),
    panel("Workers", api.operations, workerFigures),
    panel("Messages", api.operations, messageFigures),
    panel("Parts", api.readiness, partFigures),
    panel("Rate limits", api.operations, limitFigures),
  ];
  const made = element(
    "div",
    { class: "view" },
    element("div", { class: "heading" }, element("h1", { tabindex: -1 }, "System")),
    element("div", { class: "panels" }, places.map(({ element: card }) => card)),
  );
  repeat(LOOK, signal, () => look(places, signal));
  return { title: "System", element: made };
}

function panel(title, read, figures) {
  const place = element("div", {}, element("p", { class: "muted" }, "Asking…"));
  return { element: element("section", { class: "card", "aria-label": title }, element("h2", {}, title), place), place, read, figures };
}

/** Request each source once; each panel shows its part of the answer, or the problem. */
async function look(places, signal) {
  const sources = new Set(places.map(({ read }) => read));
  await Promise.all([...sources].map(async (read) => {
    const shown = places.filter((each) => each.read === read);
    try {
      const answer = await read(signal);
      for (const { place, figures } of shown) fill(place, figures(answer));
    } catch (problem) {
      if (!signal.aborted) for (const { place } of shown) fill(place, problemBox(problem));
    }
  }));
}

function targetFigures(stats) {
  return [
    figures([[count(stats.totalProjects), "projects"], [count(stats.totalImages), "images"], [size(stats.totalSize), stats.storageVisible ? "stored" : "managed images"]]),
    element("p", { class: "muted" }, `Counted: ${SCOPES[stats.scope] ?? stats.scope}, ${age(stats.asOf)}.`),
    stats.message && element("p", { class: "warning" }, stats.message),
  ];
}

function importFigures({ imports, due, oldestDueSeconds, leasesExpired }) {
  return [
    figures([[count(imports.running), "running"], [count(imports.queued), "queued"], [count(imports.waiting), "waiting"]]),
    element("p", { class: "muted" }, due > 0
      ? `${counted(due, "import")} for the next free worker; the first has waited ${duration(oldestDueSeconds)}.`
      : "No import waits for a worker."),
    leasesExpired > 0 && element("p", { class: "warning" }, `${counted(leasesExpired, "import")} whose worker stopped reporting; another worker takes over.`),
  ];
}

function workerFigures({ workers }) {
  const room = workers.withRoom;
  return [
    figures([[count(workers.busy), "busy"], [room === null ? "?" : count(room), "with room for more"]]),
    room === 0 && workers.busy === 0 && element("p", { class: "warning" }, "No worker is connected; imports wait."),
    workers.byName.length > 0 && element("ul", { class: "plain" }, workers.byName.map((worker) =>
      element("li", {}, element("span", {}, worker.name), element("span", { class: "muted" }, counted(worker.imports, "import"))))),
  ];
}

function messageFigures({ broker, outboxPending, outboxLagSeconds }) {
  return [
    figures([[broker.messages === null ? "?" : count(broker.messages), "in RabbitMQ"], [count(outboxPending), "to be sent"]]),
    !broker.connected && element("p", { class: "warning" }, "RabbitMQ is not connected; messages wait in the database."),
    element("p", { class: "muted" }, outboxPending > 0 ? `The oldest is ${duration(outboxLagSeconds)} late.` : "No message is late."),
  ];
}

function partFigures({ parts }) {
  return element("ul", { class: "plain" }, Object.entries(parts).map(([name, part]) =>
    element("li", {}, element("span", {}, name), part.ready
      ? element("span", { class: "badge good" }, "works")
      : element("span", { class: "badge bad" }, part.detail ?? "does not work"))));
}

function limitFigures({ throttledRegistries }) {
  if (throttledRegistries.length === 0) return element("p", { class: "muted" }, "No registry limits imports.");
  return element("ul", { class: "plain" }, throttledRegistries.map((held) =>
    element("li", {}, element("span", {}, held.host, element("span", { class: "muted" }, ` ${HELD[held.scope] ?? held.scope}`)),
      element("span", {}, `for ${duration(held.resumesInSeconds)}`))));
}

function figures(pairs) {
  return element("dl", { class: "numbers" }, pairs.map(([number, name]) =>
    element("div", {}, element("dt", {}, name), element("dd", {}, number))));
}
