// Imports that are under way, in a list: each row says how far it is.

import { api } from "./api.js";
import { element, fill } from "./element.js";
import { repeat } from "./pause.js";
import { makeProgressBar } from "./progress_bar.js";
import { statusBadge } from "./status.js";
import { isFinal } from "./watch.js";

// How often they are looked at. Milliseconds.
const LOOK = 2_000;
// Rows that are looked at, the first ones; the others say that they are importing. A stream for each would take all
// of the browser's connections.
const FOLLOWED = 8;

/** Look at these rows until one of them has ended, and tell. */
export function followRows(rows, signal, ended) {
  if (rows.length === 0) return;
  const followed = rows.slice(0, FOLLOWED).map((row) => ({ ...row, bar: makeProgressBar("Import"), text: element("span") }));
  const until = new AbortController();
  const both = AbortSignal.any([signal, until.signal]);
  repeat(LOOK, both, async () => {
    const seen = await Promise.all(followed.map((row) => look(row, both)));
    if (!seen.some(Boolean) || both.aborted) return;
    until.abort();
    ended();
  });
}

/** Show where an import is; returns whether it has ended. Breaks pass: the next look is soon. */
async function look(row, signal) {
  const details = await api.details(row.id, signal).catch(() => null);
  if (!details || signal.aborted) return false;
  if (isFinal(details)) return true;
  if (!row.text.isConnected) fill(row.place, element("div", { class: "row-progress" }, statusBadge("importing"), row.text, row.bar.element));
  row.text.textContent = details.state === "running" ? `${details.progress} %` : details.state;
  row.bar.set(details.progress, [["copied", details.progress]], `${details.progress} %`);
  return false;
}
