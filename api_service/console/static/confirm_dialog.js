// A question before a change.

import { buttons, openDialog } from "./dialog.js";
import { element, fill } from "./element.js";
import { problemBox } from "./problem_box.js";

/**
 * Ask; `act` makes the change, and the dialog shows its Problem if it fails. `busy` is the text shown meanwhile.
 * Returns `fill`, which replaces the question's content later.
 */
export function askFirst({ title, question, yes, busy, act, danger = true }) {
  const place = element("div", { class: "question" }, question);
  const outcome = element("div", { "aria-live": "polite" });
  const confirm = element("button", { class: `button ${danger ? "danger" : "primary"}`, type: "button" }, yes);
  const dialog = openDialog({
    title,
    kind: "narrow",
    body: element(
      "div",
      { class: "body" },
      place,
      outcome,
      buttons(
        element("button", { class: "button", type: "button", autofocus: true, click: () => dialog.close() }, "Keep"),
        confirm,
      ),
    ),
  });
  confirm.addEventListener("click", async () => {
    confirm.disabled = true;
    fill(outcome, element("p", { class: "muted" }, busy));
    try {
      await act();
      dialog.close();
    } catch (problem) {
      fill(outcome, problemBox(problem));
      confirm.disabled = false;
    }
  });
  return place;
}
