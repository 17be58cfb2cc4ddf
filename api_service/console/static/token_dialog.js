// The dialog that creates a token, and shows its secret once.

import { api } from "./api.js";
import { copyButton } from "./copy_button.js";
import { buttons, openDialog } from "./dialog.js";
import { element, fill } from "./element.js";
import { moment } from "./figures.js";
import { input, lines, makeField, refuseFields } from "./fields.js";
import { announce } from "./notice.js";
import { problemBox } from "./problem_box.js";
import { session } from "./session.js";

/** Ask for the token's fields, and create it; calls `created` when the dialog closes. */
export function openTokenDialog(created) {
  const { fields, elements, read } = makeForm();
  const outcome = element("div", { class: "outcome" });
  const make = element("button", { class: "button primary", type: "submit" }, "Create");
  const form = element("form", { class: "body", autocomplete: "off", novalidate: true }, elements, outcome,
    buttons(element("button", { class: "button quiet", type: "button", click: () => dialog.close() }, "Cancel"), make));
  let isMade = false;
  const dialog = openDialog({ title: "Create a token", kind: "narrow", body: form, closed: () => isMade && created() });
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    fill(outcome);
    const request = read();
    if (request === null) return;
    make.disabled = true;
    try {
      const answer = await api.createToken(request);
      isMade = true;
      showSecret(form, answer, () => dialog.close());
    } catch (problem) {
      make.disabled = false;
      fill(outcome, problemBox(problem));
      refuseFields(problem, fields);
    }
  });
}

function makeForm() {
  const description = input("token-description", { maxlength: 200, autofocus: true, placeholder: "CI of team-a" });
  const days = input("token-days", { inputmode: "numeric" });
  const fields = {
    description: makeField("Description", description, "What the token is for."),
    expiresInDays: makeField("Days", days, "Empty: as long as the operator has set."),
  };
  const elements = [fields.description.element, fields.expiresInDays.element];
  const other = session.isAdmin ? otherUser(fields) : null;
  if (other) elements.push(other.element);
  const read = () => {
    for (const field of Object.values(fields)) field.forget();
    const text = days.value.trim();
    if (text !== "" && !/^[1-9]\d{0,5}$/.test(text)) {
      fields.expiresInDays.refuse("Write it as a number of days.");
      days.focus();
      return null;
    }
    const about = description.value.trim();
    return { ...(about && { description: about }), ...(text && { expiresInDays: Number(text) }), ...other?.values() };
  };
  return { fields, elements, read };
}

/** The fields of admins: the user that the token is for, with role and groups. */
function otherUser(fields) {
  const user = input("token-user", { maxlength: 128 });
  const role = element("select", { id: "token-role" }, element("option", { value: "" }, "As the user: mine, or user for others"),
    element("option", { value: "user" }, "user"), element("option", { value: "admin" }, "admin"));
  const groups = lines("token-groups", [], { placeholder: "team-a" });
  fields.userName = makeField("User", user, "Empty: yourself.");
  fields.role = makeField("Role", role);
  fields.groups = makeField("Groups", groups.control, "One a line, for import rules. Empty: mine, or none for others.");
  const values = () => ({
    ...(user.value.trim() && { userName: user.value.trim() }),
    ...(role.value && { role: role.value }),
    ...(groups.values().length > 0 && { groups: groups.values() }),
  });
  return { element: element("details", {}, element("summary", {}, "For another user, or with another role"),
    fields.userName.element, fields.role.element, fields.groups.element), values };
}

/** The secret is in the dialog alone: closing it removes it from the page. */
function showSecret(form, answer, close) {
  const done = element("button", { class: "button primary", type: "button", click: close }, "Done");
  fill(
    form,
    element("p", { class: "message" }, "The token is created. Copy it now: it is not shown again."),
    element("div", { class: "command" }, element("code", { class: "secret" }, answer.token), copyButton(answer.token, "the token")),
    answer.expiresTime && element("p", { class: "muted" }, `Valid until ${moment(answer.expiresTime)}.`),
    buttons(done),
  );
  announce("The token is created. Copy it now: it is not shown again.");
  form.querySelector(".command button").focus();
}
