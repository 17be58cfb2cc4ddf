// One sentence at a time about what has just happened, for eyes and for screen readers.

import { element, fill } from "./element.js";

// How long a sentence stays. Milliseconds.
const SHOWN = 6_000;

const shown = element("div", { class: "notice", hidden: true });
// A region that was there before its text: only then is the text read out.
const spoken = element("div", { class: "visually-hidden", role: "status", "aria-live": "polite" });
let timer;

export const noticeRegion = [shown, spoken];

/** Show a sentence and read it out. */
export function notice(text) {
  fill(shown, text);
  shown.hidden = false;
  announce(text);
  clearTimeout(timer);
  timer = setTimeout(() => {
    shown.hidden = true;
  }, SHOWN);
}

/** Read a sentence out to those who do not see the page. */
export function announce(text) {
  spoken.textContent = text;
}
