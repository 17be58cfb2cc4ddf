// The console's entry point: signs in, and shows the view that the address names.

import { api, SIGNED_OUT } from "./api.js";
import { auditView } from "./audit_view.js";
import { element, fill } from "./element.js";
import { imageView } from "./image_view.js";
import { imagesView } from "./images_view.js";
import { noticeRegion } from "./notice.js";
import { Problem } from "./problem.js";
import { problemBox } from "./problem_box.js";
import { registriesView } from "./registries_view.js";
import { currentRoute } from "./route.js";
import { rulesView } from "./rules_view.js";
import { session } from "./session.js";
import { makeShell } from "./shell.js";
import { signInView } from "./sign_in_view.js";
import { systemView } from "./system_view.js";
import { tokensView } from "./tokens_view.js";

// Views by address; the group in parentheses is the view's argument.
const VIEWS = [
  [/^\/images$/, imagesView],
  [/^\/images\/([1-9]\d{0,18})$/, imageView],
  [/^\/registries$/, registriesView],
  [/^\/rules$/, rulesView],
  [/^\/tokens$/, tokensView],
  [/^\/audit$/, auditView],
  [/^\/system$/, systemView],
];

const root = document.getElementById("console");
const stage = element("div", { class: "stage" });
document.body.append(...noticeRegion);
let shell = null;
let left = new AbortController();
// The current view and its path: {path, view}.
let current = null;

function leave() {
  left.abort();
  left = new AbortController();
  current = null;
  for (const dialog of document.querySelectorAll("dialog[open]")) dialog.close();
}

function showSignIn(problem = null) {
  leave();
  shell = null;
  document.title = "Sign in · Longshore";
  fill(root, signInView({ problem, entered: showShell }));
  root.querySelector("input")?.focus();
}

function showShell() {
  shell = makeShell({ stage, signOut });
  fill(root, shell.element);
  showView();
}

function signOut() {
  session.clear();
  fill(stage);
  history.replaceState(null, "", location.pathname);
  showSignIn();
}

/** Show the view of the address; a view that supports it updates its query in place and keeps the focus. */
function showView() {
  if (!shell) return;
  const route = currentRoute();
  if (current?.path === route.path && current.view.update) {
    current.view.update(route);
    return;
  }
  const arrived = current !== null;
  leave();
  const view = viewOf(route);
  current = { path: route.path, view };
  document.title = `${view.title} · Longshore`;
  shell.mark(route.path);
  fill(stage, view.element);
  if (arrived) stage.querySelector("h1")?.focus();
}

function viewOf(route) {
  for (const [pattern, view] of VIEWS) {
    const match = pattern.exec(route.path);
    if (match) return view({ route, signal: left.signal, argument: match[1] });
  }
  return lostView();
}

function lostView() {
  const problem = new Problem({ title: "There is nothing at this address", hint: "Go to Images.", code: "no_such_page" });
  const heading = element("h1", { tabindex: -1 }, "Nothing here");
  return { title: "Nothing here", element: element("div", { class: "view" }, heading, problemBox(problem)) };
}

async function start() {
  if (!session.token) {
    showSignIn();
    return;
  }
  try {
    session.identity = await api.whoami();
    showShell();
  } catch (problem) {
    if (session.token) showUnanswered(problem);
  }
}

/** The token may be valid; the API is unreachable. */
function showUnanswered(problem) {
  document.title = "Longshore";
  fill(root, element("main", { class: "alone" }, problemBox(problem, { again: start })));
}

window.addEventListener("hashchange", showView);
window.addEventListener(SIGNED_OUT, (event) => {
  session.clear();
  fill(stage);
  showSignIn(event.detail);
});
start();
