// Loads a view's content, and shows what went wrong instead.

import { fill } from "./element.js";
import { keepFocus } from "./focus.js";
import { problemBox } from "./problem_box.js";

/** Fill `place` with the content that `make` creates from the answer of `ask`; until then it is marked as busy. */
export async function loadInto(place, { ask, make, signal, again }) {
  place.setAttribute("aria-busy", "true");
  try {
    const answer = await ask();
    if (!signal.aborted) keepFocus(place, () => fill(place, make(answer)), () => document.querySelector("h1"));
  } catch (problem) {
    if (!signal.aborted) fill(place, problemBox(problem, { again }));
  } finally {
    if (!signal.aborted) place.removeAttribute("aria-busy");
  }
}
