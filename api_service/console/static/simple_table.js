// A table of a short list: its rows become cards on a narrow screen.

import { element } from "./element.js";
import { age, moment } from "./figures.js";

/** Create the table; `columns` are titles, an empty one is that of the actions. `rows` are made by `row`. */
export function simpleTable({ kind, caption, columns, rows }) {
  return element(
    "table",
    { class: `simple ${kind}`, role: "table" },
    element("caption", { class: "visually-hidden" }, caption),
    element("thead", { role: "rowgroup" }, element("tr", { role: "row" }, columns.map((title) =>
      element("th", { role: "columnheader", scope: "col" }, title || element("span", { class: "visually-hidden" }, "Actions"))))),
    element("tbody", { role: "rowgroup" }, rows),
  );
}

/** Create a row from its heading and its cells. */
export function row(heading, ...cells) {
  return element("tr", { role: "row" }, element("th", { role: "rowheader", scope: "row" }, heading), cells);
}

/** Create a cell; `name` is its class. */
export function cell(name, ...children) {
  return element("td", { role: "cell", class: name }, children);
}

/** Create a cell with the age of a moment, or another text for null. */
export function ageCell(time, otherwise = "never") {
  return cell("created", time ? element("time", { datetime: time, title: moment(time) }, age(time)) : otherwise);
}

/** Create a list of short texts, one a line. */
export function texts(values, otherwise = "") {
  if (values.length === 0) return element("span", { class: "muted" }, otherwise);
  return element("ul", { class: "texts" }, values.map((value) => element("li", {}, value)));
}
