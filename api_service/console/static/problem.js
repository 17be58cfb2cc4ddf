// An error of the API (RFC 9457): its kind, the recommended action, and the request's id in the logs.

export class Problem extends Error {
  constructor({ title, detail, hint, code, status = 0, requestId = "", errors = [] }) {
    super(detail || title);
    this.title = title;
    this.detail = detail || "";
    this.hint = hint || "";
    this.code = code;
    this.status = status;
    this.requestId = requestId;
    /** [{field, message}]: the request's invalid fields. */
    this.errors = errors;
  }
}

/** Create the problem of an unsuccessful answer. */
export async function problemOf(response) {
  const problem = await response.json().catch(() => null);
  const requestId = response.headers.get("X-Request-ID") || "";
  if (problem && typeof problem.code === "string") return new Problem({ ...problem, status: response.status, requestId });
  return new Problem({
    title: `The answer ${response.status} is not Longshore's`,
    detail: "Something between this page and the API, such as a proxy, answered instead.",
    hint: "Try again in a moment; if it happens again, inform your operator.",
    code: "unexpected_answer",
    status: response.status,
    requestId,
  });
}

/** Create the problem of a request without an answer. */
export function unreachable() {
  return new Problem({
    title: "Longshore does not answer",
    detail: "The request did not reach the API.",
    hint: "Check your network, and try again.",
    code: "unreachable",
  });
}
