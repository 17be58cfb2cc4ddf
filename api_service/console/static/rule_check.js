// The dialog that says which rule allows an import, or why none does; admins may ask for any user.

import { api } from "./api.js";
import { buttons, openDialog } from "./dialog.js";
import { element, fill } from "./element.js";
import { input, lines, makeField, refuseFields } from "./fields.js";
import { problemBox } from "./problem_box.js";
import { session } from "./session.js";

const CODES = { reference_malformed: "source" };

export function openRuleCheck() {
  const { fields, elements, request } = makeForm();
  const outcome = element("div", { class: "outcome", "aria-live": "polite" });
  const ask = element("button", { class: "button primary", type: "submit" }, "Check");
  const form = element("form", { class: "body", autocomplete: "off" }, elements, outcome,
    buttons(element("button", { class: "button quiet", type: "button", click: () => dialog.close() }, "Close"), ask));
  const dialog = openDialog({ title: "Check an import", kind: "narrow", body: form });
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    for (const field of Object.values(fields)) field.forget();
    ask.disabled = true;
    try {
      fill(outcome, result(await api.checkRules(request())));
    } catch (problem) {
      fill(outcome, problemBox(problem));
      refuseFields(problem, fields, CODES);
    } finally {
      ask.disabled = false;
      outcome.scrollIntoView({ block: "nearest" });
    }
  });
}

function makeForm() {
  const source = input("check-source", { required: true, placeholder: "quay.io/prometheus/prometheus:v3.5.0", autofocus: true });
  const target = input("check-target", { placeholder: "project/repository:tag" });
  const user = input("check-user", { maxlength: 128 });
  const groups = lines("check-groups", [], { placeholder: "team-a" });
  const fields = {
    source: makeField("Image", source, "As for docker pull. The image need not exist."),
    target: makeField("Target", target, "Empty: named after the source."),
    user: makeField("User", user, "Empty: yourself; admins need no rule."),
    groups: makeField("Groups of this user", groups.control, "One a line."),
  };
  const request = () => ({
    source: source.value.trim(),
    ...(target.value.trim() && { target: target.value.trim() }),
    ...(user.value.trim() && { user: user.value.trim() }),
    ...(groups.values().length > 0 && { groups: groups.values() }),
  });
  const asked = session.isAdmin ? Object.values(fields) : [fields.source, fields.target];
  return { fields, request, elements: asked.map((field) => field.element) };
}

function result(found) {
  return element("section", { class: "plan", "aria-label": "Result" },
    element("p", {}, element("span", { class: `badge ${found.allowed ? "good" : "bad"}` }, found.allowed ? "allowed" : "not allowed")),
    element("p", { class: "message" }, found.message),
    element("p", {}, element("code", {}, found.source), " to ", element("code", {}, found.target)),
    found.rules.length > 0 && element("ul", { class: "plain" }, found.rules.map(({ name, reason }) =>
      element("li", {}, element("span", {}, name), element("span", { class: "muted" }, reason)))));
}
