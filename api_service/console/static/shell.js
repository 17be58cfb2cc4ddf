// The frame around every view: navigation, the user, signing out.

import { element, icon } from "./element.js";
import { openImportDialog } from "./import_dialog.js";
import { PLUS } from "./icons.js";
import { address } from "./route.js";
import { session } from "./session.js";

// Addresses with their names; admins manage what users look up, and see the audit log.
const PLACES = [
  ["/images", "Images"],
  ["/registries", "Registries"],
  ["/rules", "What I may import", "Rules"],
  ["/tokens", "My tokens"],
  ["/audit", null, "Audit"],
  ["/system", "System"],
];

/** Create the frame around a stage; `mark` sets the current route. */
export function makeShell({ stage, signOut }) {
  const links = placesOf(session).map(([path, name]) => [path, element("a", { href: address(path) }, name)]);
  const made = element(
    "div",
    { class: "shell" },
    element("a", { class: "skip", href: "#main", click: (event) => skip(event, stage) }, "Skip to the content"),
    element(
      "header",
      { class: "bar" },
      element(
        "a",
        { class: "brand", href: address("/images") },
        element("img", { src: "console/mark.svg", alt: "", width: 24, height: 24 }),
        "Longshore",
      ),
      element("nav", { "aria-label": "Console" }, links.map(([, link]) => link)),
      importButton(),
      person(signOut),
    ),
    element("main", { id: "main", tabindex: -1 }, stage),
  );
  return { element: made, mark: (path) => mark(links, path) };
}

function placesOf({ isAdmin }) {
  return PLACES.map(([path, name, adminsName]) => [path, isAdmin ? (adminsName ?? name) : name]).filter(([, name]) => name);
}

function mark(links, path) {
  for (const [place, link] of links) {
    if (path === place || path.startsWith(`${place}/`)) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
}

function importButton() {
  return element("button", { class: "button primary import", type: "button", click: () => openImportDialog() },
    icon(PLUS), "Import");
}

function person(signOut) {
  const { userName, role } = session.identity;
  return element(
    "div",
    { class: "person" },
    element("span", { class: "who", title: `${userName}, ${role}` },
      element("span", { class: "name" }, userName), element("span", { class: "role" }, role)),
    element("button", { class: "button quiet", type: "button", click: signOut }, "Sign out"),
  );
}

/** The address's fragment is the route, so this link has to move the focus. */
function skip(event, stage) {
  event.preventDefault();
  (stage.querySelector("h1") ?? stage.parentElement).focus();
}
