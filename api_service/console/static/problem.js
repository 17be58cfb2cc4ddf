// An error as the API tells it (RFC 9457): what it was, what to do, and the id by which the logs know it.

export class Problem extends Error {
  constructor({ title, detail, hint, code, status = 0, requestId = "", errors = [] }) {
    super(detail || title);
    this.title = title;
    this.detail = detail || "";
    this.hint = hint || "";
    this.code = code;
    this.status = status;
    this.requestId = requestId;
    /** [{field, message}]: what is wrong with the request. */
    this.errors = errors;
  }
}

/** Make the problem of an answer that is none of the good ones. */
export async function problemOf(response) {
  const told = await response.json().catch(() => null);
  const requestId = response.headers.get("X-Request-ID") || "";
  if (told && typeof told.code === "string") return new Problem({ ...told, status: response.status, requestId });
  return new Problem({
    title: `The answer was ${response.status}, and not Longshore's`,
    detail: "Something between this page and the API answered in its place.",
    hint: "Try again in a moment; if it stays so, tell your operator.",
    code: "unexpected_answer",
    status: response.status,
    requestId,
  });
}

/** Make the problem of a request that was not answered. */
export function unreachable() {
  return new Problem({
    title: "Longshore does not answer",
    detail: "The request did not get through.",
    hint: "Check your network, and try again.",
    code: "unreachable",
  });
}
