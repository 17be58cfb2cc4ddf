// Copying a text to the clipboard.

import { element, icon } from "./element.js";
import { COPY } from "./icons.js";
import { notice } from "./notice.js";

/** `what` names the text for screen readers. */
export function copyButton(text, what) {
  return element(
    "button",
    { class: "button icon-only", type: "button", title: `Copy ${what}`, "aria-label": `Copy ${what}`, click: () => copy(text) },
    icon(COPY),
  );
}

async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
    notice("Copied.");
  } catch {
    // Browsers refuse it if the page was not loaded by https.
    notice("The browser does not let this page copy; select the text instead.");
  }
}
