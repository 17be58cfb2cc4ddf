// A question that changes something when it is answered with yes.

import { buttons, openDialog } from "./dialog.js";
import { element, fill } from "./element.js";
import { problemBox } from "./problem_box.js";

/**
 * Ask; `act` does it, and may fail with a Problem, which the dialog shows. `busy` says what is going on meanwhile.
 * Returns what `fill` can put into the question's place later on.
 */
export function askFirst({ title, question, yes, busy, act, danger = true }) {
  const place = element("div", { class: "question" }, question);
  const told = element("div", { "aria-live": "polite" });
  const confirm = element("button", { class: `button ${danger ? "danger" : "primary"}`, type: "button" }, yes);
  const dialog = openDialog({
    title,
    kind: "narrow",
    body: element(
      "div",
      { class: "body" },
      place,
      told,
      buttons(
        element("button", { class: "button", type: "button", autofocus: true, click: () => dialog.close() }, "Keep"),
        confirm,
      ),
    ),
  });
  confirm.addEventListener("click", async () => {
    confirm.disabled = true;
    fill(told, element("p", { class: "muted" }, busy));
    try {
      await act();
      dialog.close();
    } catch (problem) {
      fill(told, problemBox(problem));
      confirm.disabled = false;
    }
  });
  return place;
}
