// All images; the server filters, sorts and pages them.

import { api } from "./api.js";
import { element, fill, icon } from "./element.js";
import { counted } from "./figures.js";
import { keepFocus } from "./focus.js";
import { imageFilters } from "./image_filters.js";
import { addressQuery, apiQuery, isFiltered, readQuery } from "./image_query.js";
import { imageTable } from "./image_table.js";
import { openImportDialog } from "./import_dialog.js";
import { PLUS } from "./icons.js";
import { announce } from "./notice.js";
import { makePager } from "./pager.js";
import { problemBox } from "./problem_box.js";
import { address } from "./route.js";
import { followRows } from "./row_progress.js";

export function imagesView({ route, signal }) {
  const view = new ImagesView(signal);
  view.show(route);
  return { title: "Images", element: view.element, update: (next) => view.show(next) };
}

class ImagesView {
  #signal;
  #asking = new AbortController();
  #count = element("p", { class: "muted count" });
  #place = element("div", { class: "results" });
  #heading = element("h1", { tabindex: -1 }, "Images");
  #filters;
  #pager;
  #wanted = null;

  constructor(signal) {
    this.#signal = signal;
    signal.addEventListener("abort", () => this.#asking.abort());
    this.#filters = imageFilters((changes, options) => this.#change({ ...changes, page: 1 }, options));
    this.#pager = makePager((changes) => this.#change(changes));
    this.element = element(
      "div",
      { class: "view" },
      element("div", { class: "heading" }, this.#heading, this.#count),
      this.#filters.element,
      this.#place,
      this.#pager.element,
    );
  }

  show(route) {
    this.#wanted = readQuery(route.query);
    this.#filters.show(this.#wanted);
    this.#load();
  }

  /** Filters and pages are in the address, so that back, reload and links work. */
  #change(changes, { replace = false } = {}) {
    // At once: another change may come before the address' own event.
    this.#wanted = { ...this.#wanted, ...changes };
    const place = address("/images", addressQuery(this.#wanted));
    if (place === location.hash) return;
    if (replace) location.replace(place);
    else location.hash = place;
  }

  async #load() {
    this.#asking.abort();
    this.#asking = new AbortController();
    const { signal } = this.#asking;
    const wanted = this.#wanted;
    this.#place.setAttribute("aria-busy", "true");
    try {
      const page = await api.images(apiQuery(wanted), signal);
      if (!signal.aborted) this.#showPage(page, wanted, signal);
    } catch (problem) {
      if (!signal.aborted) fill(this.#place, problemBox(problem, { again: () => this.#load() }));
    } finally {
      if (!signal.aborted) this.#place.removeAttribute("aria-busy");
    }
  }

  #fill(content) {
    keepFocus(this.#place, () => fill(this.#place, content), () => this.#heading);
  }

  #showPage(page, wanted, signal) {
    const found = counted(page.totalCount, "image");
    if (this.#count.textContent !== found) announce(`${found}.`);
    this.#count.textContent = found;
    this.#pager.show(wanted, page.totalCount);
    if (page.images.length === 0) {
      const clear = () => this.#change({ text: "", show: "", mine: false, page: 1 });
      this.#fill(nothing(wanted, page.totalCount, clear));
      return;
    }
    const table = imageTable(page.images, wanted, {
      sort: (orderBy, order) => this.#change({ orderBy, order, page: 1 }),
      changed: () => this.#load(),
    });
    this.#fill(table.element);
    followRows(table.importing, signal, () => this.#load());
  }
}

function nothing(wanted, total, clear) {
  if (total > 0) return element("p", { class: "empty" }, "This page is empty now.");
  if (isFiltered(wanted)) {
    return element("div", { class: "empty" }, element("p", {}, "No image matches."),
      element("button", { class: "button", type: "button", click: clear }, "Clear the filters"));
  }
  return element("div", { class: "empty" }, element("p", {}, "There are no images yet."),
    element("button", { class: "button", type: "button", click: () => openImportDialog() }, icon(PLUS), "Import the first one"));
}
