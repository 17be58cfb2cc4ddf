// A modal dialog, which keeps the keyboard's focus inside.

import { element, icon } from "./element.js";
import { CROSS } from "./icons.js";

let number = 0;

/** Open a modal dialog around a body; calls `closed` when it closes. Returns {element, close}. */
export function openDialog({ title, body, kind = "", closed = () => {} }) {
  number += 1;
  const id = `dialog-${number}`;
  const heading = element("h2", { id, tabindex: -1 }, title);
  const made = element(
    "dialog",
    { "aria-labelledby": id, class: kind },
    element(
      "header",
      {},
      heading,
      element("button", { class: "button icon-only quiet", type: "button", "aria-label": "Close", click: () => made.close() },
        icon(CROSS)),
    ),
    body,
  );
  made.addEventListener("close", () => {
    made.remove();
    closed();
  });
  document.body.append(made);
  made.showModal();
  const first = made.querySelector("[autofocus], input, select, textarea");
  (first ?? heading).focus();
  return { element: made, close: () => made.close() };
}

/** The row of buttons at the end of a dialog. */
export function buttons(...children) {
  return element("footer", {}, children);
}
