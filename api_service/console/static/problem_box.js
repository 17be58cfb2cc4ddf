// An error, with what to do, its code, and a way to try again.

import { element, icon } from "./element.js";
import { AGAIN } from "./icons.js";

/** Show a Problem, or an import's error, which has the same words; `actions` are further buttons. */
export function problemBox(problem, { again = null, label = "Try again", actions = [] } = {}) {
  const buttons = [again && againButton(again, label), ...actions].filter(Boolean);
  return element(
    "section",
    { class: "problem", role: "alert" },
    element("p", { class: "problem-title" }, problem.title),
    problem.detail && problem.detail !== problem.title && element("p", {}, words(problem.detail)),
    fieldErrors(problem.errors),
    problem.hint && element("p", {}, words(problem.hint)),
    element(
      "p",
      { class: "problem-code" },
      element("code", {}, problem.code),
      problem.requestId && element("span", {}, " request ", element("code", {}, problem.requestId)),
    ),
    buttons.length > 0 && element("p", { class: "buttons" }, buttons),
  );
}

function againButton(again, label) {
  return element("button", { class: "button", type: "button", click: again }, icon(AGAIN), label);
}

/** What stands between backquotes is to be typed as it is. */
function words(text) {
  return text.split("`").map((piece, place) => (place % 2 === 1 ? element("code", {}, piece) : piece));
}

function fieldErrors(errors = []) {
  if (errors.length === 0) return null;
  return element(
    "ul",
    {},
    errors.map(({ field, message }) => element("li", {}, element("code", {}, field), `: ${message}`)),
  );
}
