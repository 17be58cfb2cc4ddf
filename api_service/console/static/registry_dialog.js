// The dialog that stores or changes a registry. A password can be written, but not read.

import { api } from "./api.js";
import { buttons, openDialog } from "./dialog.js";
import { element, fill } from "./element.js";
import { input, lines, makeField, refuseFields } from "./fields.js";
import { notice } from "./notice.js";
import { problemBox } from "./problem_box.js";

/** Open the dialog for a stored registry, or null for a new one; calls `saved` afterwards. */
export function openRegistryDialog(registry, saved) {
  const fields = makeFields(registry);
  const outcome = element("div", { class: "outcome" });
  const save = element("button", { class: "button primary", type: "submit" }, registry ? "Save" : "Add");
  const form = element("form", { class: "body", autocomplete: "off" }, fields.elements, outcome,
    buttons(element("button", { class: "button quiet", type: "button", click: () => dialog.close() }, "Cancel"), save));
  const dialog = openDialog({ title: registry ? `Edit ${registry.name}` : "Add a registry", kind: "narrow", body: form });
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    save.disabled = true;
    fill(outcome);
    for (const field of Object.values(fields.fields)) field.forget();
    try {
      const name = await store(registry, fields.values());
      dialog.close();
      notice(`Stored: ${name}.`);
      saved();
    } catch (problem) {
      fill(outcome, problemBox(problem));
      save.disabled = false;
      refuseFields(problem, fields.fields);
    }
  });
}

async function store(registry, values) {
  if (!registry) {
    // An incomplete account is sent unchanged: the API reports the missing field.
    const given = Object.fromEntries(Object.entries(values).filter(([, value]) => value !== "" && value !== null));
    return (await api.addRegistry(given)).name;
  }
  return (await api.changeRegistry(registry.id, changesOf(registry, values))).name;
}

/** Return the changed values (RFC 7396): null removes the account, a password alone is a rotation. */
function changesOf(registry, values) {
  const changes = {};
  for (const name of ["name", "url", "isDefault", "access"]) {
    if (JSON.stringify(values[name]) !== JSON.stringify(registry[name])) changes[name] = values[name];
  }
  if (registry.username && !values.username) return { ...changes, username: null, password: null };
  if (values.username !== (registry.username ?? "")) changes.username = values.username;
  if (values.password) changes.password = values.password;
  return changes;
}

function makeFields(registry) {
  const name = input("registry-name", { required: true, value: registry?.name, placeholder: "quay", autofocus: true });
  const url = input("registry-url", { required: true, value: registry?.url, placeholder: "https://quay.io" });
  const username = input("registry-username", { value: registry?.username });
  const password = input("registry-password", { type: "password", autocomplete: "new-password",
    placeholder: registry?.hasPassword ? "as it is" : "" });
  const isDefault = element("input", { id: "registry-default", type: "checkbox", checked: registry?.isDefault ? true : null });
  // The API checks it as well; this check needs no request.
  username.addEventListener("input", () => {
    password.required = username.value !== "" && username.value !== registry?.username;
  });
  const access = makeAccess(registry?.access ?? null);
  const fields = {
    name: makeField("Name", name, "The name that imports use: letters, digits, ., _ and -."),
    url: makeField("Address", url, registry?.hasPassword ? "A new address requires the password again." : "https://host, with its port if it has one."),
    username: makeField("User name", username, registry?.hasPassword ? "Empty: the account is removed." : "Empty: anonymous access."),
    password: makeField("Password or token", password, registry?.hasPassword ? "Only to change the password." : "Stored encrypted, and never shown."),
    access: access.field,
  };
  const elements = [
    fields.name.element,
    fields.url.element,
    element("div", { class: "pair" }, fields.username.element, fields.password.element),
    access.element,
    element("div", { class: "check" }, isDefault, element("label", { for: isDefault.id }, "The default for sources without a registry")),
  ];
  const values = () => ({
    name: name.value.trim(),
    url: url.value.trim(),
    username: username.value.trim(),
    password: password.value,
    isDefault: isDefault.checked,
    access: access.value(),
  });
  return { elements, fields, values };
}

/** Who may use the account; `value` is null for admins alone. */
function makeAccess(access) {
  const subjects = lines("registry-subjects", access?.subjects ?? [], { placeholder: "group:team-a" });
  const repositories = lines("registry-repositories", access?.repositories ?? ["**"]);
  const targets = lines("registry-targets", access?.targets ?? ["**"]);
  const field = makeField("Who may use the account", subjects.control, "One a line: everybody, user:NAME or group:NAME. Empty: admins alone.");
  const made = [
    field.element,
    element("details", {}, element("summary", {}, "For which images"),
      makeField("Repositories at the source", repositories.control, "One a line: patterns without the host, such as team-a/**.").element,
      makeField("Targets", targets.control, "One a line: project/repository; {user} and {group} stand for the caller's.").element),
  ];
  const value = () => (subjects.values().length === 0 ? null
    : { subjects: subjects.values(), repositories: repositories.values(), targets: targets.values() });
  return { element: made, field, value };
}
