// The dialog that retries an import with another account.

import { makeAccountFields } from "./account_fields.js";
import { api } from "./api.js";
import { buttons, openDialog } from "./dialog.js";
import { element, fill } from "./element.js";
import { notice } from "./notice.js";
import { problemBox } from "./problem_box.js";

/** Ask for the account and retry; calls `begun` when the import has started. */
export function openRetryDialog(imageId, begun) {
  const account = makeAccountFields("retry-account");
  const outcome = element("div", { class: "outcome" });
  const again = element("button", { class: "button primary", type: "submit" }, "Try again");
  const form = element("form", { class: "body" }, account.element, outcome,
    buttons(element("button", { class: "button quiet", type: "button", click: () => dialog.close() }, "Cancel"), again));
  const dialog = openDialog({ title: "Try again with another account", kind: "narrow", body: form });
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    again.disabled = true;
    fill(outcome);
    try {
      const credentials = account.value();
      const answer = await api.retry(imageId, credentials === undefined ? {} : { credentials });
      dialog.close();
      notice(`${answer.message}.`);
      begun();
    } catch (problem) {
      fill(outcome, problemBox(problem));
      again.disabled = false;
    }
  });
}
