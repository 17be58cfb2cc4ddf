// The pager of a list that the server pages.

import { element, fill, icon } from "./element.js";
import { count } from "./figures.js";
import { keepFocus } from "./focus.js";
import { FIRST, LAST, LEFT, RIGHT } from "./icons.js";
import { PAGE_SIZES } from "./image_query.js";

/** Create the pager; calls `changed` with page or size, `show` takes the query and the total. */
export function makePager(changed) {
  const made = element("nav", { class: "pager", "aria-label": "Pages" });
  return { element: made, show: (wanted, total) => show(made, wanted, total, changed) };
}

function show(pager, wanted, total, changed) {
  const pages = Math.max(1, Math.ceil(total / wanted.size));
  const first = Math.min(total, (wanted.page - 1) * wanted.size + 1);
  const last = Math.min(total, wanted.page * wanted.size);
  pager.hidden = total === 0;
  const number = element("input", { id: "page", type: "number", min: 1, max: pages, value: wanted.page, "data-key": "page",
    change: () => number.reportValidity() && changed({ page: Number(number.value) }) });
  const size = element("select", { id: "page-size", "data-key": "size", change: () => changed({ size: Number(size.value), page: 1 }) },
    PAGE_SIZES.map((each) => element("option", { value: each, selected: each === wanted.size }, `${each} a page`)));
  const content = [
    element("span", { class: "muted range" }, `${count(first)} to ${count(last)} of ${count(total)}`),
    element("span", { class: "steps" },
      step("first", "First page", FIRST, wanted.page > 1, () => changed({ page: 1 })),
      step("previous", "Previous page", LEFT, wanted.page > 1, () => changed({ page: wanted.page - 1 })),
      element("span", { class: "which" }, element("label", { for: "page" }, "Page"), number, `of ${count(pages)}`),
      step("next", "Next page", RIGHT, wanted.page < pages, () => changed({ page: wanted.page + 1 })),
      step("last", "Last page", LAST, wanted.page < pages, () => changed({ page: pages }))),
    element("span", {}, element("label", { for: "page-size", class: "visually-hidden" }, "Images a page"), size),
  ];
  keepFocus(pager, () => fill(pager, content), () => number);
}

function step(name, label, shape, possible, act) {
  return element("button", { class: "button icon-only", type: "button", "data-key": name, "aria-label": label, title: label,
    disabled: !possible, click: act }, icon(shape));
}
