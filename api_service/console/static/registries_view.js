// Stored source registries: every user sees them, admins change them. The API never returns passwords.

import { api } from "./api.js";
import { askFirst } from "./confirm_dialog.js";
import { element, fill, icon } from "./element.js";
import { age, counted, moment } from "./figures.js";
import { keepFocus } from "./focus.js";
import { PEN, PLUG, PLUS, TRASH } from "./icons.js";
import { notice } from "./notice.js";
import { problemBox } from "./problem_box.js";
import { openRegistryDialog } from "./registry_dialog.js";
import { testRegistry } from "./registry_test.js";
import { subjectText } from "./rule_texts.js";
import { session } from "./session.js";

const COLUMNS = ["Name", "Address", "Account", "May use it", "Stored by", "Changed"];

export function registriesView({ signal }) {
  const place = element("div", { class: "results" });
  const total = element("p", { class: "muted count" });
  const load = () => show(place, total, signal, load);
  const made = element(
    "div",
    { class: "view" },
    element("div", { class: "heading" }, element("h1", { tabindex: -1 }, "Registries"), total,
      session.isAdmin && element("button", { class: "button", type: "button", click: () => openRegistryDialog(null, load) },
        icon(PLUS), "Add a registry")),
    element("p", { class: "muted lead" }, "Accounts of source registries. An import uses the account of its source's host, ",
      "or one chosen by name, if its user may use the account; without a list of users, admins alone. Passwords are encrypted and ",
      "never shown."),
    place,
  );
  load();
  return { title: "Registries", element: made };
}

async function show(place, total, signal, load) {
  place.setAttribute("aria-busy", "true");
  try {
    const stored = await api.registries(signal);
    total.textContent = counted(stored.length, "registry", "registries");
    const content = stored.length > 0 ? table(stored, load) : element("p", { class: "empty" },
      session.isAdmin ? "No registry is stored yet." : "No registry is stored yet; an admin can add one.");
    keepFocus(place, () => fill(place, content), () => document.querySelector("h1"));
  } catch (problem) {
    if (!signal.aborted) fill(place, problemBox(problem, { again: load }));
  } finally {
    place.removeAttribute("aria-busy");
  }
}

function table(stored, load) {
  const titles = [...COLUMNS, ""];
  return element(
    "table",
    { class: "registries", role: "table" },
    element("caption", { class: "visually-hidden" }, "Stored registries"),
    element("thead", { role: "rowgroup" }, element("tr", { role: "row" }, titles.map((title) =>
      element("th", { role: "columnheader", scope: "col" }, title || element("span", { class: "visually-hidden" }, "Actions"))))),
    element("tbody", { role: "rowgroup" }, stored.map((registry) => row(registry, load))),
  );
}

function row(registry, load) {
  return element(
    "tr",
    { role: "row" },
    element("th", { role: "rowheader", scope: "row" }, registry.name, registry.isDefault && element("span", { class: "tagged" }, "default")),
    cell("address", registry.url),
    cell("account", registry.username ?? element("span", { class: "muted" }, registry.hasPassword ? "not for you" : "none")),
    cell("access", registry.hasPassword && users(registry.access)),
    cell("owner", registry.createdBy),
    element("td", { role: "cell", class: "created" },
      element("time", { datetime: registry.updatedTime, title: moment(registry.updatedTime) }, age(registry.updatedTime))),
    cell("end", actions(registry, load)),
  );
}

function cell(name, ...children) {
  return element("td", { role: "cell", class: name }, children);
}

/** The users of an account, with the images that it is for unless these are all. */
function users(access) {
  if (access === null) return "admins";
  const narrowed = [["from", access.repositories], ["to", access.targets]].filter(([, patterns]) => patterns.join() !== "**");
  return [
    access.subjects.map(subjectText).join(", "),
    narrowed.map(([word, patterns]) => element("span", { class: "description" }, `${word} ${patterns.join(", ")}`)),
  ];
}

/** Users may test registries whose account they may use, which they know by its user name; admins change all. */
function actions(registry, load) {
  const test = element("button", { class: "button icon-only quiet", type: "button", title: "Test", "aria-label": `Test ${registry.name}`,
    "data-key": `test ${registry.id}`, click: () => testRegistry(registry) }, icon(PLUG));
  if (!session.isAdmin) return registry.username !== null && test;
  return [
    test,
    element("button", { class: "button icon-only quiet", type: "button", title: "Edit", "aria-label": `Edit ${registry.name}`,
      "data-key": `edit ${registry.id}`,
      click: () => openRegistryDialog(registry, load) }, icon(PEN)),
    element("button", { class: "button icon-only quiet", type: "button", title: "Delete", "aria-label": `Delete ${registry.name}`,
      click: () => askToDelete(registry, load) }, icon(TRASH)),
  ];
}

function askToDelete(registry, load) {
  askFirst({
    title: "Delete this registry?",
    question: [
      element("p", {}, element("strong", {}, registry.name), ` ${registry.url}`),
      element("p", {}, "Its account is deleted. Imports that have started keep it; later ones from this host have no account."),
      registry.isDefault && element("p", { class: "warning" }, "It is the default: sources without a registry will mean Docker Hub again."),
    ],
    yes: "Delete",
    busy: "Deleting.",
    act: async () => {
      await api.deleteRegistry(registry.id);
      notice(`Deleted: ${registry.name}.`);
      load();
    },
  });
}
