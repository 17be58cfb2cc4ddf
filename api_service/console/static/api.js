// The API's operations, which any client can call.

import { Problem, problemOf, unreachable } from "./problem.js";
import { session } from "./session.js";

// Relative to the page, so that a proxy may serve both below a prefix.
const ROOT = new URL(".", document.baseURI);
const BASE = new URL("api/v1/", ROOT);
/** The event that the window receives when the API no longer accepts the token. */
export const SIGNED_OUT = "longshore:signed-out";
/** The API's own limit of a page. */
export const MAX_PAGE_SIZE = 200;

/** Send a request and return the response of any status; throws a Problem if there is none. */
async function send(url, { method = "GET", body, token = session.token, accept = "application/json", signal, headers }) {
  const sent = { Accept: accept, ...headers };
  if (token) sent.Authorization = `Bearer ${token}`;
  if (body !== undefined) sent["Content-Type"] = "application/json";
  try {
    return await fetch(url, {
      method,
      headers: sent,
      body: body === undefined ? undefined : JSON.stringify(body),
      signal,
      cache: "no-store",
      credentials: "omit",
      redirect: "error",
    });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw unreachable();
  }
}

/** Return the successful response to a request below the API's base; else throws a Problem. */
async function call(path, options = {}) {
  // `images:import` alone would be an absolute address with the scheme `images`.
  const response = await send(new URL(`./${path}`, BASE), options);
  if (response.ok) return response;
  const problem = await problemOf(response);
  if (problem.status === 401 && !options.token) window.dispatchEvent(new CustomEvent(SIGNED_OUT, { detail: problem }));
  throw problem;
}

async function json(path, options) {
  const response = await call(path, options);
  return response.json().catch((error) => {
    if (error.name === "AbortError") throw error;
    throw unreachable();
  });
}

export const api = {
  whoami: (token) => json("whoami", { token }),

  images: (query, signal) => json(`images?${new URLSearchParams(query)}`, { signal }),
  image: (id, signal) => json(`images/${id}`, { signal }),
  details: (id, signal) => json(`images/${id}/importing-details`, { signal }),
  /** The response whose body is the event stream. */
  events: (id, lastId, signal) =>
    call(`images/${id}/importing-details`, {
      accept: "text/event-stream",
      headers: lastId ? { "Last-Event-ID": lastId } : {},
      signal,
    }),

  startImport: (request, signal) => json("images:import", { method: "POST", body: request, signal }),
  cancel: (id) => json(`images/${id}/importing:cancel`, { method: "POST" }),
  retry: (id, body) => json(`images/${id}/importing:retry`, { method: "POST", body }),
  /** The part that was removed from the target: `manifest`, `tag` or `nothing`. */
  deleteImage: async (id) => (await call(`images/${id}`, { method: "DELETE" })).headers.get("X-Longshore-Removed"),

  registries: async (signal) => (await json("image-registries", { signal })).registries,
  addRegistry: (body) => json("image-registries", { method: "POST", body }),
  changeRegistry: (id, body) => json(`image-registries/${id}`, { method: "PATCH", body }),
  /** Connects to the registry and signs in, now. */
  testRegistry: (id, signal) => json(`image-registries/${id}:test`, { method: "POST", signal }),
  deleteRegistry: (id) => call(`image-registries/${id}`, { method: "DELETE" }),

  rules: async (signal) => (await json("import-rules", { signal })).rules,
  createRule: (body) => json("import-rules", { method: "POST", body }),
  changeRule: (id, body) => json(`import-rules/${id}`, { method: "PATCH", body }),
  /** Which rule allows an import, or why none does. */
  checkRules: (body) => json("import-rules:check", { method: "POST", body }),
  deleteRule: (id) => call(`import-rules/${id}`, { method: "DELETE" }),

  /** The caller's tokens; with `all`, those of all users, for admins. */
  tokens: (query, signal) => json(`tokens?${new URLSearchParams(query)}`, { signal }),
  /** The answer has the secret in `token`, this once. */
  createToken: (body) => json("tokens", { method: "POST", body }),
  revokeToken: (id) => call(`tokens/${id}`, { method: "DELETE" }),

  audit: (query, signal) => json(`audit?${new URLSearchParams(query)}`, { signal }),

  statistics: (signal) => json("harbor/stats", { signal }),
  operations: (signal) => json("operations", { signal }),
  /** The parts that work; a 503 has them as well. */
  readiness: async (signal) => {
    const response = await send(new URL("readyz", ROOT), { token: null, signal });
    const body = await response.json().catch(() => null);
    if (body?.parts) return body;
    throw new Problem({ title: "This address reports no readiness", detail: "", hint: "", code: "unexpected_answer" });
  },
};
