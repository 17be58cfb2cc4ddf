// Notices: one sentence at a time, shown and announced to screen readers.

import { element, fill } from "./element.js";

// A sentence is shown this long. Milliseconds.
const SHOWN = 6_000;

const shown = element("div", { class: "notice", hidden: true });
// Screen readers announce a text only if its region existed before.
const spoken = element("div", { class: "visually-hidden", role: "status", "aria-live": "polite" });
let timer;

export const noticeRegion = [shown, spoken];

/** Show and announce a sentence. */
export function notice(text) {
  fill(shown, text);
  shown.hidden = false;
  announce(text);
  clearTimeout(timer);
  timer = setTimeout(() => {
    shown.hidden = true;
  }, SHOWN);
}

/** Announce a sentence to screen readers. */
export function announce(text) {
  spoken.textContent = text;
}
