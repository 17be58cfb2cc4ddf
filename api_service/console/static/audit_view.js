// The audit log, for admins: requests that write, also refused ones; the server filters and pages them.

import { api } from "./api.js";
import { element, fill, icon } from "./element.js";
import { moment } from "./figures.js";
import { LEFT, RIGHT } from "./icons.js";
import { loadInto } from "./loading.js";
import { address } from "./route.js";
import { cell, row, simpleTable } from "./simple_table.js";

const COLUMNS = ["Time", "User", "Operation", "Object", "Outcome", "From"];
// The filters by the API's names, with their labels.
const FILTERS = [
  ["userName", "User", "anna"],
  ["operation", "Operation", "importImage"],
  ["object", "Object", "team-a/app:1.0"],
  ["code", "Error code", "target_not_allowed"],
];

export function auditView({ route, signal }) {
  const view = new AuditView(signal);
  view.show(route);
  return { title: "Audit", element: view.element, update: (next) => view.show(next) };
}

class AuditView {
  #signal;
  #place = element("div", { class: "results" });
  #pages = element("nav", { class: "pager", "aria-label": "Pages" });
  #inputs;
  #wanted = {};

  constructor(signal) {
    this.#signal = signal;
    this.#inputs = FILTERS.map(([name, , example]) => element("input", { id: `audit-${name}`, type: "search", placeholder: example,
      autocomplete: "off", autocapitalize: "off", spellcheck: "false", maxlength: 400, change: () => this.#change() }));
    this.element = element(
      "div",
      { class: "view" },
      element("div", { class: "heading" }, element("h1", { tabindex: -1 }, "Audit")),
      element("p", { class: "muted lead" }, "Every request of a person that changes something, also a refused one; the newest first. ",
        "The filters compare whole texts."),
      element("search", { class: "filters audit-filters" }, FILTERS.map(([, label], place) =>
        element("div", {}, element("label", { for: this.#inputs[place].id }, label), this.#inputs[place]))),
      this.#place,
      this.#pages,
    );
  }

  show(route) {
    this.#wanted = Object.fromEntries(FILTERS.map(([name]) => [name, route.query.get(name) ?? ""]));
    const before = route.query.get("before") ?? "";
    if (/^[1-9]\d{0,18}$/.test(before)) this.#wanted.before = before;
    FILTERS.forEach(([name], place) => {
      this.#inputs[place].value = this.#wanted[name];
    });
    this.#load();
  }

  /** The filters are in the address, so that back, reload and links work; other filters begin at the newest event. */
  #change() {
    location.hash = address("/audit", Object.fromEntries(FILTERS.map(([name], place) => [name, this.#inputs[place].value.trim()])));
  }

  #load() {
    const wanted = this.#wanted;
    const given = Object.fromEntries(Object.entries(wanted).filter(([, value]) => value));
    return loadInto(this.#place, {
      // An answer to former filters is not shown.
      ask: () => api.audit(given, this.#signal),
      make: (page) => (wanted === this.#wanted ? this.#page(page) : [...this.#place.childNodes]),
      signal: this.#signal,
      again: () => this.#load(),
    });
  }

  #page({ events, nextBefore }) {
    const { before, ...filters } = this.#wanted;
    fill(this.#pages,
      element("span", { class: "steps" },
        before && element("a", { class: "button", href: address("/audit", filters) }, icon(LEFT), "Newest"),
        nextBefore !== null && element("a", { class: "button", href: address("/audit", { ...filters, before: nextBefore }) }, "Older", icon(RIGHT))));
    if (events.length === 0) return element("p", { class: "empty" }, "No request matches.");
    return simpleTable({ kind: "audit", caption: "Requests", columns: COLUMNS, rows: events.map(eventRow) });
  }
}

function eventRow(event) {
  return row(element("time", { datetime: event.time }, moment(event.time)),
    cell("owner", event.userName ?? element("span", { class: "muted" }, "not known"),
      event.tokenId !== null && element("span", { class: "description" }, `token ${event.tokenId}`)),
    cell("operation", event.operation, event.ruleId !== null && element("span", { class: "description" }, `rule ${event.ruleId}`)),
    cell("object", event.object),
    cell("outcome", element("span", { class: `badge ${event.code ? "bad" : "good"}` }, event.code ?? "accepted"),
      element("span", { class: "description", title: "The request's id in the logs" }, event.requestId)),
    cell("from", event.address ?? ""));
}
