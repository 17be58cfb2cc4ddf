// Follows an import to its end, by the event stream, or by polling if a proxy holds events back.

import { api } from "./api.js";
import { readEvents } from "./event_stream.js";
import { pause } from "./pause.js";

const FINAL = new Set(["ready", "failed", "cancelled"]);
// The pause before reconnecting to a stream that ended, unless the server sets another. Milliseconds.
const RETURN = 2_000;
// The interval of polling if no events arrive. Milliseconds.
const POLL = 2_000;
// The limit for a stream's first event: the API sends it at once, so a proxy holds back a later one. Milliseconds.
const FIRST_EVENT = 10_000;
// The API's error for a user who has as many streams as he may.
const STREAM_REFUSED = "stream_limit_reached";
// The time for which the page polls then, before it asks for a stream again. Milliseconds.
const REFUSED = 10_000;
// The statuses of problems for which a retry is useless.
const LASTING = new Set([400, 401, 403, 404]);

/** Whether the import has ended. */
export function isFinal(details) {
  return FINAL.has(details.state);
}

/**
 * Call `seen` with each change and `trouble` with each interruption, until the import ends or the signal aborts.
 * Throws Problems for which a retry is useless.
 */
export async function watch(imageId, { signal, seen, trouble }) {
  const stream = { usable: true, refusedUntil: 0, lastId: "", pause: RETURN };
  while (!signal.aborted) {
    try {
      const follows = stream.usable && Date.now() >= stream.refusedUntil;
      const last = follows ? await follow(imageId, stream, signal, seen) : await look(imageId, signal, seen);
      if (last && isFinal(last)) return;
      await pause(follows && stream.usable ? stream.pause : POLL, signal);
    } catch (error) {
      if (signal.aborted || LASTING.has(error.status)) throw error;
      if (error.code === STREAM_REFUSED) {
        stream.refusedUntil = Date.now() + REFUSED;
        continue;
      }
      trouble(error);
      await pause(RETURN, signal);
    }
  }
}

async function look(imageId, signal, seen) {
  const details = await api.details(imageId, signal);
  seen(details);
  return details;
}

/** Read the events of one connection, and return the last details. */
async function follow(imageId, stream, signal, seen) {
  const opened = new AbortController();
  const timer = setTimeout(() => {
    stream.usable = false;
    opened.abort();
  }, FIRST_EVENT);
  try {
    const response = await api.events(imageId, stream.lastId, AbortSignal.any([signal, opened.signal]));
    if (response.status === 204) return look(imageId, signal, seen);
    if (!response.headers.get("Content-Type")?.startsWith("text/event-stream")) {
      stream.usable = false;
      return look(imageId, signal, seen);
    }
    let last = null;
    for await (const event of readEvents(response)) {
      clearTimeout(timer);
      stream.lastId = event.id || stream.lastId;
      stream.pause = event.retry ?? stream.pause;
      if (event.name !== "details") continue;
      last = JSON.parse(event.data);
      seen(last);
      if (isFinal(last)) break;
    }
    return last;
  } catch (error) {
    if (!opened.signal.aborted) throw error;
    return null;
  } finally {
    clearTimeout(timer);
    opened.abort();
  }
}
