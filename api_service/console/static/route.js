// The console's route: the part of the address after `#`, which is not sent to a server.

/** Return {path, query} of the address. */
export function currentRoute() {
  const [path, query] = location.hash.replace(/^#/, "").split("?", 2);
  return { path: path || "/images", query: new URLSearchParams(query) };
}

/** Return the address of a route; empty values and null are omitted. */
export function address(path, query = {}) {
  const given = Object.entries(query).filter(([, value]) => value !== null && value !== undefined && value !== "");
  const text = new URLSearchParams(given).toString();
  return `#${path}${text ? `?${text}` : ""}`;
}

export function go(path, query) {
  location.hash = address(path, query);
}

/** Go to a route, and render its view again even if it is the current one. */
export function revisit(path) {
  if (currentRoute().path === path) window.dispatchEvent(new HashChangeEvent("hashchange"));
  else go(path);
}
