// Putting a text into the clipboard.

import { element, icon } from "./element.js";
import { COPY } from "./icons.js";
import { notice } from "./notice.js";

/** `what` names the text to those who do not see the icon's place. */
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
    // Browsers refuse it where the page did not come by https.
    notice("The browser does not let this page copy; select the text instead.");
  }
}
