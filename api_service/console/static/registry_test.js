// The test of a stored registry: whether it answers, and accepts its account.

import { api } from "./api.js";
import { buttons, openDialog } from "./dialog.js";
import { element, fill } from "./element.js";
import { problemBox } from "./problem_box.js";

const STEPS = { reach: "Connect", signIn: "Sign in", answer: "Answer as a registry" };
const KINDS = { done: "good", failed: "bad", skipped: "off" };

/** Open a dialog that tests the registry now and shows the result. */
export function testRegistry(registry) {
  const asking = new AbortController();
  const outcome = element("div", { class: "question", "aria-live": "polite" });
  const again = element("button", { class: "button", type: "button", click: () => test() }, "Test again");
  const dialog = openDialog({
    title: `Test ${registry.name}`,
    kind: "narrow",
    closed: () => asking.abort(),
    body: element("div", { class: "body" },
      element("p", { class: "named" }, element("strong", {}, registry.url), registry.username ? ` as ${registry.username}` : " without an account"),
      outcome,
      buttons(again, element("button", { class: "button primary", type: "button", click: () => dialog.close() }, "Close"))),
  });
  const test = async () => {
    again.disabled = true;
    fill(outcome, element("p", { class: "muted" }, "Connecting and signing in…"));
    try {
      fill(outcome, result(await api.testRegistry(registry.id, asking.signal)));
    } catch (problem) {
      if (!asking.signal.aborted) fill(outcome, problemBox(problem));
    } finally {
      again.disabled = false;
    }
  };
  test();
}

function result(answer) {
  const steps = element("ul", { class: "plain" }, answer.steps.map(({ name, result: outcome }) =>
    element("li", {}, element("span", {}, STEPS[name] ?? name), element("span", { class: `badge ${KINDS[outcome] ?? "off"}` }, outcome))));
  return [
    answer.ok ? element("p", { class: "message" }, answer.message)
      : problemBox({ title: "The registry cannot be used", detail: answer.message, hint: answer.hint, code: answer.code }),
    steps,
  ];
}
