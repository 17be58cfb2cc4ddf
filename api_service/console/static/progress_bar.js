// A progress bar with parts: existing, mounted and copied bytes.

import { element } from "./element.js";

/** Create a bar; `set` takes its per cent, its parts as [kind, per cent], and its text. */
export function makeProgressBar(label) {
  const segments = new Map();
  const made = element("div", {
    class: "progress",
    role: "progressbar",
    "aria-label": label,
    "aria-valuemin": 0,
    "aria-valuemax": 100,
  });
  return { element: made, set: (percent, parts, text) => set(made, segments, percent, parts, text) };
}

function set(bar, segments, percent, parts, text) {
  bar.setAttribute("aria-valuenow", percent);
  bar.setAttribute("aria-valuetext", text);
  for (const [kind, width] of parts) {
    if (!segments.has(kind)) {
      segments.set(kind, element("span", { class: kind }));
      bar.append(segments.get(kind));
    }
    segments.get(kind).style.width = `${width}%`;
  }
}
