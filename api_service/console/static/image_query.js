// Which images a list shows, in which order, and which page of them: as the address has it, and as the API wants it.

import { session } from "./session.js";

const SIZES = [10, 25, 50, 100, 200];
const DEFAULT_SIZE = 25;
/** What images are ordered by: the API's name, and what each direction is called. */
export const ORDERS = [
  ["createdTime", "Newest first", "Oldest first"],
  ["repo", "Repository Z to A", "Repository A to Z"],
  ["tag", "Tag Z to A", "Tag A to Z"],
  ["status", "Status Z to A", "Status A to Z"],
  ["size", "Largest first", "Smallest first"],
  ["userName", "Owner Z to A", "Owner A to Z"],
];
export const PAGE_SIZES = SIZES;

/** Read what the address says; what makes no sense there is as if it were not. */
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

/** Return what stands in the address: only what is not as usual. */
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

/** Whether anything is left out. */
export function isFiltered(wanted) {
  return Boolean(wanted.text || wanted.show || wanted.mine);
}
