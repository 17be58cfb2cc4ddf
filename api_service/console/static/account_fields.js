// The source registry's account for an import: the stored one, another stored one by name, or a typed one.

import { api } from "./api.js";
import { element } from "./element.js";

const BY_HOST = "";
// No stored registry can have this name: it has a space.
const TYPED = "typed account";

/** Create the fields; `value` is the request's `credentials`, undefined for none. */
export function makeAccountFields(id) {
  const choice = element("select", { id: `${id}-choice` },
    element("option", { value: BY_HOST }, "The stored account of the registry, if I may use it"),
    element("option", { value: TYPED }, "Enter an account…"));
  const username = element("input", { id: `${id}-username`, autocomplete: "off", autocapitalize: "off", spellcheck: "false" });
  const password = element("input", { id: `${id}-password`, type: "password", autocomplete: "off" });
  const typed = element(
    "div",
    { class: "pair", hidden: true },
    element("div", { class: "field" }, element("label", { for: username.id }, "User name"), username),
    element("div", { class: "field" }, element("label", { for: password.id }, "Password or token"), password),
  );
  choice.addEventListener("change", () => {
    const isTyped = choice.value === TYPED;
    typed.hidden = !isTyped;
    username.required = password.required = isTyped;
  });
  offerStored(choice);
  const made = element("div", { class: "field" },
    element("label", { for: choice.id }, "Account at the source"), choice, typed);
  return { element: made, value: () => valueOf(choice, username, password) };
}

/** The user names of accounts are known to those who may use them. If the list fails, the existing fields suffice. */
async function offerStored(choice) {
  const stored = await api.registries().catch(() => []);
  const options = stored.filter((registry) => registry.username !== null).map((registry) =>
    element("option", { value: registry.name }, `${registry.name}: ${registry.username} at ${registry.host}`));
  choice.lastElementChild.before(...options);
}

function valueOf(choice, username, password) {
  if (choice.value === BY_HOST) return undefined;
  return choice.value === TYPED ? { username: username.value, password: password.value } : choice.value;
}
