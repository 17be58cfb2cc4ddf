// Where an image or an import stands, as a word with a colour.

import { element } from "./element.js";

const KINDS = {
  ready: "good",
  importing: "moving",
  running: "moving",
  queued: "still",
  waiting: "still",
  failed: "bad",
  cancelled: "off",
};

export function statusBadge(status) {
  return element("span", { class: `badge ${KINDS[status] ?? "off"}` }, status);
}
