// Fields of forms: a control with its label, its help, and the reason why its value was refused.

import { element, fill } from "./element.js";
import { words } from "./problem_box.js";

/** Create a text input; browsers neither complete nor correct its value. */
export function input(id, properties) {
  return element("input", { id, autocomplete: "off", autocapitalize: "off", spellcheck: "false", ...properties });
}

/** Create a field for several values, one a line; `values` returns those that are not empty. */
export function lines(id, values, properties) {
  const control = element("textarea", { id, rows: Math.min(6, Math.max(2, values.length + 1)), autocapitalize: "off", spellcheck: "false", ...properties });
  control.value = values.join("\n");
  return { control, values: () => control.value.split("\n").map((line) => line.trim()).filter(Boolean) };
}

/** Create a control's field; `refuse` shows a reason beside it, and marks the control as invalid. */
export function makeField(name, control, help = "") {
  const reason = element("p", { class: "refusal", id: `${control.id}-reason` });
  const described = help ? [`${control.id}-help`] : [];
  const describe = (ids) => (ids.length > 0 ? control.setAttribute("aria-describedby", ids.join(" ")) : control.removeAttribute("aria-describedby"));
  describe(described);
  const made = element("div", { class: "field" }, element("label", { for: control.id }, name), control,
    help && element("p", { class: "help", id: `${control.id}-help` }, help), reason);
  const refuse = (text) => {
    fill(reason, words(text));
    control.setAttribute("aria-invalid", "true");
    describe([...described, reason.id]);
  };
  const forget = () => {
    fill(reason);
    control.removeAttribute("aria-invalid");
    describe(described);
  };
  return { element: made, control, refuse, forget };
}

/** Create a checkbox with its label. */
export function checkbox(id, text, checked) {
  const control = element("input", { id, type: "checkbox", checked: checked ? true : null });
  return { control, element: element("div", { class: "check" }, control, element("label", { for: id }, text)) };
}

/**
 * Show a problem's reasons beside the fields that it is about. `fields` are by the API's names, `codes` are the names of
 * the fields that an error code is about. The first refused field gets the focus; returns whether there is one.
 */
export function refuseFields(problem, fields, codes = {}) {
  const reasons = new Map((problem.errors ?? []).map(({ field, message }) => [field.split(".")[0], message]));
  if (reasons.size === 0 && codes[problem.code]) reasons.set(codes[problem.code], problem.detail || problem.title);
  const refused = [...reasons].filter(([name]) => fields[name]);
  for (const [name, reason] of refused) fields[name].refuse(reason);
  const first = Object.values(fields).find((field) => field.control.getAttribute("aria-invalid") === "true");
  first?.control.focus();
  return first !== undefined;
}
