// The box that shows an error, its hint and code, and further actions.

import { element, icon } from "./element.js";
import { AGAIN } from "./icons.js";

/**
 * Show a Problem, or an import's error, which has the same fields; `actions` are further buttons. `brief` leaves out the
 * detail, which is then beside a field.
 */
export function problemBox(problem, { again = null, label = "Try again", actions = [], brief = false } = {}) {
  const buttons = [again && againButton(again, label), ...actions].filter(Boolean);
  return element(
    "section",
    { class: "problem", role: "alert" },
    element("p", { class: "problem-title" }, problem.title),
    !brief && problem.detail && problem.detail !== problem.title && element("p", {}, words(problem.detail)),
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

/** Text between backquotes is shown as code. */
export function words(text) {
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
