// The dialog that creates or changes an import rule.

import { api } from "./api.js";
import { buttons, openDialog } from "./dialog.js";
import { element, fill } from "./element.js";
import { checkbox, input, lines, makeField, refuseFields } from "./fields.js";
import { notice } from "./notice.js";
import { problemBox } from "./problem_box.js";
import { exactSize, parseSize } from "./sizes.js";

const CODES = { rule_exists: "name" };
const NO_SIZE = "Write it as 40GB, 1.5TB or 40GiB.";

/** Open the dialog for a rule, or null for a new one; calls `saved` afterwards. */
export function openRuleDialog(rule, saved) {
  const form = makeForm(rule);
  const outcome = element("div", { class: "outcome" });
  const save = element("button", { class: "button primary", type: "submit" }, rule ? "Save" : "Add");
  const made = element("form", { class: "body", autocomplete: "off", novalidate: true }, form.elements, outcome,
    buttons(element("button", { class: "button quiet", type: "button", click: () => dialog.close() }, "Cancel"), save));
  const dialog = openDialog({ title: rule ? `Edit ${rule.name}` : "Add a rule", body: made });
  made.addEventListener("submit", async (event) => {
    event.preventDefault();
    fill(outcome);
    const values = form.read();
    if (values === null) return;
    save.disabled = true;
    try {
      const stored = rule ? await api.changeRule(rule.id, values) : await api.createRule(values);
      dialog.close();
      notice(`Stored: ${stored.name}.`);
      saved();
    } catch (problem) {
      save.disabled = false;
      fill(outcome, problemBox(problem));
      refuseFields(problem, form.fields, CODES);
    }
  });
}

function makeForm(rule) {
  const subjects = lines("rule-subjects", rule?.subjects ?? [], { placeholder: "group:team-a" });
  const sources = lines("rule-sources", rule?.sources ?? [], { placeholder: "quay.io/**" });
  const targets = lines("rule-targets", rule?.targets ?? [], { placeholder: "team-a/**" });
  const creates = checkbox("rule-projects", "Create missing projects", rule?.createProjects);
  const overwrites = checkbox("rule-overwrite", "Replace tags that Longshore did not write, if forced", rule?.overwriteForeignTags);
  const fields = {
    name: makeField("Name", input("rule-name", { value: rule?.name, autofocus: true }), "Refusals name the rule."),
    subjects: makeField("Who", subjects.control, "One a line: everybody, user:NAME or group:NAME."),
    sources: makeField("From", sources.control, "One a line: host/repository. * stands for a part of the name, ** for any number of parts."),
    targets: makeField("To", targets.control,
      "One a line: project/repository. {user} and {group} stand for the caller's, {source} for the source's host and repository, {defaultProject} for the default project."),
    maxImageBytes: makeField("Largest image", sizeInput("rule-image-size", rule?.maxImageBytes), "Such as 40GB. Empty: no limit."),
    maxOpenImports: makeField("Open imports of a user", input("rule-open-imports", { inputmode: "numeric", value: rule?.maxOpenImports }), "Empty: no limit."),
    maxBytesPerMonth: makeField("Per month and user", sizeInput("rule-month-size", rule?.maxBytesPerMonth), "Such as 1.5TB. Empty: no limit."),
    weight: makeField("Weight", input("rule-weight", { inputmode: "numeric", value: rule?.weight ?? 1 }), "A user with weight 2 has two imports running for each one of a user with weight 1, while both wait."),
  };
  const elements = [
    fields.name.element, fields.subjects.element, fields.sources.element, fields.targets.element,
    element("div", { class: "pair" }, fields.maxImageBytes.element, fields.maxOpenImports.element, fields.maxBytesPerMonth.element),
    creates.element, overwrites.element, fields.weight.element,
  ];
  const read = () => readLimits(fields, {
    name: fields.name.control.value.trim(),
    subjects: subjects.values(),
    sources: sources.values(),
    targets: targets.values(),
    createProjects: creates.control.checked,
    overwriteForeignTags: overwrites.control.checked,
  });
  return { elements, fields, read };
}

function sizeInput(id, bytes) {
  return input(id, { value: bytes === undefined || bytes === null ? null : exactSize(bytes) });
}

/** Return the request's body; null if a limit cannot be read, whose field then says so. */
function readLimits(fields, values) {
  for (const field of Object.values(fields)) field.forget();
  const limits = {
    maxImageBytes: readLimit(fields.maxImageBytes, parseSize, NO_SIZE),
    maxOpenImports: readLimit(fields.maxOpenImports, Number, "Write it as a number."),
    maxBytesPerMonth: readLimit(fields.maxBytesPerMonth, parseSize, NO_SIZE),
    weight: readLimit(fields.weight, Number, "Write it as a number.") ?? 1,
  };
  const refused = Object.keys(limits).find((name) => Number.isNaN(limits[name]));
  fields[refused]?.control.focus();
  return refused ? null : { ...values, ...limits };
}

/** Return a limit, null for none, and NaN after refusing a text that is no limit. */
function readLimit(field, parse, reason) {
  const text = field.control.value.trim();
  if (text === "") return null;
  const limit = parse(text);
  if (Number.isSafeInteger(limit)) return limit;
  field.refuse(reason);
  return NaN;
}
