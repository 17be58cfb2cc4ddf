// Signing in: a token is checked before it is stored.

import { api } from "./api.js";
import { element, fill } from "./element.js";
import { Problem } from "./problem.js";
import { problemBox } from "./problem_box.js";
import { session } from "./session.js";

/** Show the form; calls `entered` after signing in. `problem` is the reason for signing in again. */
export function signInView({ problem, entered }) {
  const outcome = element("div", {}, problem && problemBox(problem));
  const token = element("input", {
    id: "token",
    type: "password",
    required: true,
    autocomplete: "off",
    autocapitalize: "off",
    spellcheck: "false",
    "aria-describedby": "token-help",
  });
  const button = element("button", { class: "button primary wide", type: "submit" }, "Sign in");
  const form = element(
    "form",
    { submit: (event) => signIn(event, { token, button, outcome, entered }) },
    element("label", { for: "token" }, "Token"),
    token,
    element("p", { id: "token-help", class: "help" },
      "Your API token (", element("code", {}, "lsh_…"), "), or a token of your identity provider. It is kept until ",
      "this tab closes or you sign out."),
    button,
  );
  return element(
    "main",
    { class: "alone" },
    element("div", { class: "card sign-in" },
      element("img", { src: "console/mark.svg", alt: "", width: 44, height: 44 }),
      element("h1", {}, "Longshore"),
      element("p", { class: "muted" }, "Container images from any registry, into your own."),
      outcome,
      form),
  );
}

async function signIn(event, { token, button, outcome, entered }) {
  event.preventDefault();
  const secret = token.value.trim();
  button.disabled = true;
  fill(outcome);
  try {
    const identity = await api.whoami(checked(secret));
    if (identity.role === "worker") throw workersToken();
    session.keep(secret, identity);
    entered();
  } catch (problem) {
    fill(outcome, problemBox(problem));
    token.focus();
    token.select();
  } finally {
    button.disabled = false;
  }
}

/** Refuse a token that no header can carry, with our own message instead of the browser's. */
function checked(secret) {
  if (/^[A-Za-z0-9._~+/=-]+$/.test(secret)) return secret;
  throw new Problem({
    title: "This is not a token",
    detail: "A token consists of letters, digits and a few symbols, without spaces.",
    hint: "Copy it again; an administrator creates one with `longshore-api token create`.",
    code: "token_malformed",
  });
}

function workersToken() {
  return new Problem({
    title: "This is a worker's token",
    detail: "It may report progress, but not see images.",
    hint: "Sign in with a token of the role user or admin.",
    code: "forbidden",
  });
}
