// The API's operations, as every other client uses them.

import { Problem, problemOf, unreachable } from "./problem.js";
import { session } from "./session.js";

// Beside the page, so that a proxy may put both under a prefix.
const ROOT = new URL(".", document.baseURI);
const BASE = new URL("api/v1/", ROOT);
/** Told to the window when the API no longer knows the token. */
export const SIGNED_OUT = "longshore:signed-out";
/** The API's own limit of a page. */
export const MAX_PAGE_SIZE = 200;

/** Send a request and return the response, whatever its status; throws a Problem where none comes. */
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

/** Return the good response to a request below the API's base; throws a Problem else. */
async function call(path, options = {}) {
  // `images:import` alone would be an address of its own, with `images` as its scheme.
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
  /** What went from the target: `manifest`, `tag` or `nothing`. */
  deleteImage: async (id) => (await call(`images/${id}`, { method: "DELETE" })).headers.get("X-Longshore-Removed"),

  registries: async (signal) => (await json("image-registries", { signal })).registries,
  addRegistry: (body) => json("image-registries", { method: "POST", body }),
  changeRegistry: (id, body) => json(`image-registries/${id}`, { method: "PATCH", body }),
  deleteRegistry: (id) => call(`image-registries/${id}`, { method: "DELETE" }),

  statistics: (signal) => json("harbor/stats", { signal }),
  operations: (signal) => json("operations", { signal }),
  /** Which parts work; a 503 says so, too. */
  readiness: async (signal) => {
    const response = await send(new URL("readyz", ROOT), { token: null, signal });
    const told = await response.json().catch(() => null);
    if (told?.parts) return told;
    throw new Problem({ title: "Readiness is not told here", detail: "", hint: "", code: "unexpected_answer" });
  },
};
