// The status of an image or an import, as a coloured word.

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
