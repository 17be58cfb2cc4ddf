// The list's filters, order and page: read from the address, and written as the API's parameters.

import { session } from "./session.js";

const SIZES = [10, 25, 50, 100, 200];
const DEFAULT_SIZE = 25;
/** The orders of the list: the API's name, and the name of each direction. */
export const ORDERS = [
  ["createdTime", "Newest first", "Oldest first"],
  ["repo", "Repository Z to A", "Repository A to Z"],
  ["tag", "Tag Z to A", "Tag A to Z"],
  ["status", "Status Z to A", "Status A to Z"],
  ["size", "Largest first", "Smallest first"],
  ["userName", "Owner Z to A", "Owner A to Z"],
];
export const PAGE_SIZES = SIZES;

/** Read the address; invalid values are ignored. */
export function readQuery(query) {
  const orderBy = ORDERS.some(([name]) => name === query.get("sort")) ? query.get("sort") : "createdTime";
  const size = Number(query.get("size"));
  const page = Number(query.get("page"));
  return {
    text: query.get("text") ?? "",
    show: ["ready", "other"].includes(query.get("show")) ? query.get("show") : "",
    mine: query.get("mine") === "1",
    orderBy,
    order: query.get("order") === "asc" ? "asc" : "desc",
    page: Number.isSafeInteger(page) && page > 0 ? page : 1,
    size: SIZES.includes(size) ? size : DEFAULT_SIZE,
  };
}

/** Return the values for the address, without defaults. */
export function addressQuery(wanted) {
  return {
    text: wanted.text,
    show: wanted.show,
    mine: wanted.mine ? "1" : "",
    sort: wanted.orderBy === "createdTime" ? "" : wanted.orderBy,
    order: wanted.order === "desc" ? "" : wanted.order,
    page: wanted.page === 1 ? "" : wanted.page,
    size: wanted.size === DEFAULT_SIZE ? "" : wanted.size,
  };
}

/** Return the API's parameters. */
export function apiQuery(wanted) {
  const given = { page_num: wanted.page - 1, page_size: wanted.size, orderBy: wanted.orderBy, order: wanted.order };
  if (wanted.text) given.tag = wanted.text;
  if (wanted.show) given.ready = wanted.show === "ready";
  if (wanted.mine) given.userName = session.identity.userName;
  return given;
}

/** Whether a filter is set. */
export function isFiltered(wanted) {
  return Boolean(wanted.text || wanted.show || wanted.mine);
}
