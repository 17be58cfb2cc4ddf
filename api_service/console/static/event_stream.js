// Server-sent events read from bytes (HTML standard, section 9.2.6): EventSource cannot send Authorization.

// A stream that is silent for this long is broken: the server sends a comment every ten seconds. Milliseconds.
const SILENCE = 30_000;

/** Yield {name, id, data, retry} for each event of a response's body; `retry` is in milliseconds or null. */
export async function* readEvents(response) {
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  let fields = {};
  try {
    for (;;) {
      const { done, value } = await within(SILENCE, reader.read());
      if (done) return;
      const lines = (rest + value).split("\n");
      rest = lines.pop();
      for (const line of lines) {
        const event = takeLine(fields, line.endsWith("\r") ? line.slice(0, -1) : line);
        if (!event) continue;
        fields = {};
        if (event.data !== null) yield event;
      }
    }
  } finally {
    reader.cancel().catch(() => {});
  }
}

/** Parse a line into the fields; return the event if the line is empty. */
function takeLine(fields, line) {
  if (line === "") return finished(fields);
  const colon = line.indexOf(":");
  const name = colon < 0 ? line : line.slice(0, colon);
  // A line that begins with a colon is a comment, as keep-alives are.
  if (name === "") return null;
  const value = colon < 0 ? "" : line.slice(colon + 1).replace(/^ /, "");
  fields[name] = name === "data" && "data" in fields ? `${fields.data}\n${value}` : value;
  return null;
}

function finished(fields) {
  const retry = /^\d+$/.test(fields.retry ?? "") ? Number(fields.retry) : null;
  return { name: fields.event ?? "message", id: fields.id ?? "", data: fields.data ?? null, retry };
}

async function within(milliseconds, promise) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error("the stream is silent")), milliseconds);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}
