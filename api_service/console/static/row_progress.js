// The progress of open imports in the rows of a list.

import { api } from "./api.js";
import { element, fill } from "./element.js";
import { repeat } from "./pause.js";
import { makeProgressBar } from "./progress_bar.js";
import { statusBadge } from "./status.js";
import { isFinal } from "./watch.js";

// Between two requests for their details. Milliseconds.
const LOOK = 2_000;
// The number of rows that show progress; the others show only their status. One stream for each would use all of the
// browser's connections.
const FOLLOWED = 8;

/** Update these rows until one import has ended, then report it. */
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

/** Show an import's progress; returns whether it has ended. Failed requests are ignored: the next one is soon. */
async function look(row, signal) {
  const details = await api.details(row.id, signal).catch(() => null);
  if (!details || signal.aborted) return false;
  if (isFinal(details)) return true;
  if (!row.text.isConnected) fill(row.place, element("div", { class: "row-progress" }, statusBadge("importing"), row.text, row.bar.element));
  row.text.textContent = details.state === "running" ? `${details.progress} %` : details.state;
  row.bar.set(details.progress, [["copied", details.progress]], `${details.progress} %`);
  return false;
}
