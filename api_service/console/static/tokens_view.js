// API tokens: everybody's own; admins may list and revoke those of all users.

import { api, MAX_PAGE_SIZE } from "./api.js";
import { askFirst } from "./confirm_dialog.js";
import { element, icon } from "./element.js";
import { age, counted, moment } from "./figures.js";
import { PLUS, TRASH } from "./icons.js";
import { loadInto } from "./loading.js";
import { notice } from "./notice.js";
import { session } from "./session.js";
import { ageCell, cell, row, simpleTable } from "./simple_table.js";
import { openTokenDialog } from "./token_dialog.js";

const COLUMNS = ["Description", "Role", "Valid", "Last use", "Created", ""];
const DAY = 86_400_000;

export function tokensView({ signal }) {
  const place = element("div", { class: "results" });
  const total = element("p", { class: "muted count" });
  const filters = makeFilters(() => load());
  const load = () => loadInto(place, {
    ask: () => api.tokens({ ...filters.query(), page_size: MAX_PAGE_SIZE }, signal),
    make: (page) => content(page, filters.everybody(), total, load),
    signal,
    again: load,
  });
  const made = element(
    "div",
    { class: "view" },
    element("div", { class: "heading" }, element("h1", { tabindex: -1 }, "My tokens"), total,
      element("button", { class: "button", type: "button", click: () => openTokenDialog(load) }, icon(PLUS), "Create a token")),
    element("p", { class: "muted lead" }, "With a token, a program or the command longshore may do what you may do. It expires, and can be ",
      "revoked at any time. Its secret is shown once, when it is created."),
    session.isAdmin && filters.element,
    place,
  );
  load();
  return { title: "My tokens", element: made };
}

/** The filters of admins; others see all of their own tokens. */
function makeFilters(changed) {
  const all = element("input", { id: "tokens-all", type: "checkbox", change: () => changed() });
  const user = element("input", { id: "tokens-user", type: "search", placeholder: "anna", maxlength: 128, autocomplete: "off",
    autocapitalize: "off", spellcheck: "false", change: () => {
      all.checked ||= user.value.trim() !== "";
      changed();
    } });
  const made = element("search", { class: "filters" },
    element("div", { class: "check" }, all, element("label", { for: all.id }, "Tokens of all users")),
    element("div", { class: "check" }, element("label", { for: user.id }, "User"), user));
  const query = () => ({ ...(all.checked && { all: true }), ...(all.checked && user.value.trim() && { userName: user.value.trim() }) });
  return { element: made, everybody: () => all.checked, query };
}

function content({ tokens, totalCount }, everybody, total, load) {
  total.textContent = counted(totalCount, "token");
  if (tokens.length === 0) return element("p", { class: "empty" }, everybody ? "No token matches." : "There is no token yet.");
  const columns = everybody ? ["User", ...COLUMNS] : COLUMNS;
  const table = simpleTable({ kind: "tokens", caption: "API tokens", columns, rows: tokens.map((token) => tokenRow(token, everybody, load)) });
  const rest = totalCount - tokens.length;
  return [table, rest > 0 && element("p", { class: "empty" }, `and ${counted(rest, "older token")}; a user's name narrows the list.`)];
}

function tokenRow(token, everybody, load) {
  const described = [token.description || element("span", { class: "muted" }, `token ${token.id}`),
    token.current && element("span", { class: "tagged" }, "this session")];
  const cells = [
    cell("role", token.role, token.groups.length > 0 && element("span", { class: "description" }, token.groups.join(", "))),
    cell("valid", validity(token)),
    ageCell(token.lastUsedTime),
    ageCell(token.createdTime),
    cell("end", token.state === "valid" && revokeButton(token, load)),
  ];
  return everybody ? row(token.userName, cell("about", described), ...cells) : row(described, ...cells);
}

function validity(token) {
  if (token.revokedTime) return element("span", { class: "badge off" }, `revoked ${age(token.revokedTime)}`);
  if (!token.expiresTime) return element("span", { class: "badge good" }, "without an end");
  if (token.state === "expired") return element("span", { class: "badge off" }, `expired ${age(token.expiresTime)}`);
  const days = Math.round((Date.parse(token.expiresTime) - Date.now()) / DAY);
  return element("span", { class: "badge good", title: `until ${moment(token.expiresTime)}` }, days > 0 ? `for ${counted(days, "day")}` : "for less than a day");
}

function revokeButton(token, load) {
  const name = token.description || `token ${token.id}`;
  return element("button", { class: "button icon-only quiet", type: "button", title: "Revoke", "aria-label": `Revoke ${name}`,
    "data-key": `revoke ${token.id}`, click: () => askToRevoke(token, name, load) }, icon(TRASH));
}

function askToRevoke(token, name, load) {
  askFirst({
    title: "Revoke this token?",
    question: [
      element("p", {}, element("strong", {}, name), ` of ${token.userName}`),
      element("p", {}, "Requests with it, and with tokens that were created with it, are refused from now on. Imports that it started continue."),
      token.current && element("p", { class: "warning" }, "You are signed in with it: this signs you out."),
    ],
    yes: "Revoke",
    busy: "Revoking.",
    act: async () => {
      await api.revokeToken(token.id);
      notice(`Revoked: ${name}.`);
      load();
    },
  });
}
