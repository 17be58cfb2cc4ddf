// One page of images, by repository.

import { openDeleteDialog } from "./delete_dialog.js";
import { element, icon } from "./element.js";
import { age, moment, size } from "./figures.js";
import { DOWN, TRASH, UP } from "./icons.js";
import { address } from "./route.js";
import { session } from "./session.js";
import { statusBadge } from "./status.js";

// Title, the API's name if the column can be sorted, and its first direction.
const COLUMNS = [
  ["Tag", "tag", "asc"],
  ["Status", "status", "asc"],
  ["Size", "size", "desc"],
  ["Platforms", null],
  ["Owner", "userName", "asc"],
  ["Created", "createdTime", "desc"],
];
// The number of platforms that are named; the others are counted.
const PLATFORMS = 3;

/**
 * Create the table. Calls `sort` with column and direction, `changed` when an image is gone.
 * Returns {element, importing: [{id, place}]}, with the rows of open imports.
 */
export function imageTable(groups, wanted, { sort, changed }) {
  const importing = [];
  const made = element(
    "table",
    { class: "images", role: "table" },
    element("caption", { class: "visually-hidden" }, "Images by repository"),
    element("thead", { role: "rowgroup" }, element("tr", { role: "row" }, COLUMNS.map((column) => header(column, wanted, sort)),
      element("th", { role: "columnheader", scope: "col", class: "end" }, element("span", { class: "visually-hidden" }, "Actions")))),
    groups.map((group) => groupBody(group, importing, changed)),
  );
  return { element: made, importing };
}

function header([title, name, first], wanted, sort) {
  const sorted = name !== null && wanted.orderBy === name;
  const properties = { role: "columnheader", scope: "col", class: title.toLowerCase() };
  if (sorted) properties["aria-sort"] = wanted.order === "asc" ? "ascending" : "descending";
  if (name === null) return element("th", properties, title);
  const next = sorted && wanted.order === first ? other(first) : first;
  return element("th", properties,
    element("button", { class: "sort", type: "button", "data-key": `sort ${name}`, click: () => sort(name, next) }, title,
      sorted && icon(wanted.order === "asc" ? UP : DOWN)));
}

function other(order) {
  return order === "asc" ? "desc" : "asc";
}

function groupBody(group, importing, changed) {
  const columns = COLUMNS.length + 1;
  return element(
    "tbody",
    { role: "rowgroup" },
    element("tr", { role: "row", class: "group" }, element("th", { role: "rowheader", scope: "rowgroup", colspan: columns },
      group.repo, " ", element("span", { class: "muted" }, group.registryHost))),
    group.artifacts.map((artifact) => row(group, artifact, importing, changed)),
  );
}

function row(group, artifact, importing, changed) {
  const status = cell("status", statusBadge(artifact.status));
  if (artifact.status === "importing") importing.push({ id: artifact.id, place: status });
  return element(
    "tr",
    { role: "row" },
    element("th", { role: "rowheader", scope: "row", class: "tag" },
      element("a", { href: address(`/images/${artifact.id}`), "data-key": `image ${artifact.id}` },
        element("span", { class: "visually-hidden" }, `${group.repo}:`), artifact.imageTag),
      artifact.description && element("span", { class: "description" }, artifact.description)),
    status,
    artifact.size > 0 ? cell("size", size(artifact.size)) : cell("size nothing", "–"),
    cell("platforms", platforms(artifact.platforms)),
    cell("owner", artifact.userName),
    element("td", { role: "cell", class: "created" },
      element("time", { datetime: artifact.createdTime, title: moment(artifact.createdTime) }, age(artifact.createdTime))),
    cell("end", session.mayChange(artifact.userName) && deleteButton(group, artifact, changed)),
  );
}

function cell(name, ...children) {
  return element("td", { role: "cell", class: name }, children);
}

function platforms(names) {
  if (names.length <= PLATFORMS) return names.join(", ");
  return element("span", { title: names.join(", ") }, `${names.slice(0, PLATFORMS - 1).join(", ")} and ${names.length - PLATFORMS + 1} more`);
}

function deleteButton(group, artifact, changed) {
  const name = `Delete ${group.repo}:${artifact.imageTag}`;
  return element("button", { class: "button icon-only quiet", type: "button", title: "Delete", "aria-label": name,
    "data-key": `delete ${artifact.id}`, click: () => openDeleteDialog(artifact.id, changed) }, icon(TRASH));
}
