// Import rules: admins manage all of them; users see those that apply to them, and what is left of their limits.

import { api } from "./api.js";
import { askFirst } from "./confirm_dialog.js";
import { element, icon } from "./element.js";
import { counted } from "./figures.js";
import { PEN, PLUS, SEARCH, TRASH } from "./icons.js";
import { loadInto } from "./loading.js";
import { notice } from "./notice.js";
import { openRuleCheck } from "./rule_check.js";
import { openRuleDialog } from "./rule_dialog.js";
import { grantsOf, leftTexts, limitsOf, subjectText } from "./rule_texts.js";
import { session } from "./session.js";
import { cell, row, simpleTable, texts } from "./simple_table.js";

const ADMINS = { title: "Import rules", columns: ["Name", "Who", "From", "To", "Grants", "Limits", ""] };
const USERS = { title: "What I may import", columns: ["Rule", "From", "To", "Grants", "Limits", "Left"] };

export function rulesView({ signal }) {
  const shown = session.isAdmin ? ADMINS : USERS;
  const place = element("div", { class: "results" });
  const total = element("p", { class: "muted count" });
  const load = () => loadInto(place, { ask: () => api.rules(signal), make: (rules) => content(rules, shown, total, load), signal, again: load });
  const made = element(
    "div",
    { class: "view" },
    element("div", { class: "heading" }, element("h1", { tabindex: -1 }, shown.title), total,
      element("button", { class: "button", type: "button", click: () => openRuleCheck() }, icon(SEARCH), "Check an import"),
      session.isAdmin && element("button", { class: "button", type: "button", click: () => openRuleDialog(null, load) }, icon(PLUS), "Add a rule")),
    element("p", { class: "muted lead" }, lead()),
    place,
  );
  load();
  return { title: shown.title, element: made };
}

function lead() {
  if (session.isAdmin) {
    return ["A rule lets users import from some sources to some targets. What no rule allows is refused; admins need no rule. ",
      "Each limit counts for each user by itself."];
  }
  const { groups = [] } = session.identity;
  return ["The rules that apply to you. An import has to fit one of them, with its source and its target; ask an administrator for ",
    "another rule. ", groups.length > 0 ? `Your groups: ${groups.join(", ")}.` : "Your token names no groups."];
}

function content(rules, { title, columns }, total, load) {
  total.textContent = counted(rules.length, "rule");
  if (rules.length === 0) return element("p", { class: "empty" }, session.isAdmin
    ? "There are no rules: only admins can import." : "No rule applies to you, so you cannot import. Ask an administrator for one.");
  const made = session.isAdmin ? (rule) => adminsRow(rule, load) : usersRow;
  return simpleTable({ kind: "rules", caption: title, columns, rows: rules.map(made) });
}

function usersRow(rule) {
  return row(rule.name, patterns("from", rule.sources), patterns("to", rule.targets), cell("grants", texts(grantsOf(rule), "–")),
    cell("limits", texts(limitsOf(rule), "none")), cell("left", texts(leftTexts(rule), "–")));
}

function adminsRow(rule, load) {
  return row(rule.name, cell("subjects", texts(rule.subjects.map(subjectText))), patterns("from", rule.sources), patterns("to", rule.targets),
    cell("grants", texts(grantsOf(rule), "–")), cell("limits", texts(limitsOf(rule), "none")), cell("end", actions(rule, load)));
}

function patterns(name, values) {
  return cell(name, texts(values.map((value) => element("code", {}, value))));
}

function actions(rule, load) {
  return [
    element("button", { class: "button icon-only quiet", type: "button", title: "Edit", "aria-label": `Edit ${rule.name}`,
      "data-key": `edit ${rule.id}`, click: () => openRuleDialog(rule, load) }, icon(PEN)),
    element("button", { class: "button icon-only quiet", type: "button", title: "Delete", "aria-label": `Delete ${rule.name}`,
      "data-key": `delete ${rule.id}`, click: () => askToDelete(rule, load) }, icon(TRASH)),
  ];
}

function askToDelete(rule, load) {
  askFirst({
    title: "Delete this rule?",
    question: [
      element("p", {}, element("strong", {}, rule.name), `: ${rule.subjects.map(subjectText).join(", ")}`),
      element("p", {}, "Imports that only this rule allows are refused from now on. Imports that are queued by it fail when a worker takes them."),
    ],
    yes: "Delete",
    busy: "Deleting.",
    act: async () => {
      await api.deleteRule(rule.id);
      notice(`Deleted: ${rule.name}.`);
      load();
    },
  });
}
