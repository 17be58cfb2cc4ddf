// Where in the console one is: the part of the address behind `#`, which no server ever sees.

/** Return {path, query} of the address. */
export function currentRoute() {
  const [path, query] = location.hash.replace(/^#/, "").split("?", 2);
  return { path: path || "/images", query: new URLSearchParams(query) };
}

/** Return the address of a place; values that are empty or null are left out. */
export function address(path, query = {}) {
  const given = Object.entries(query).filter(([, value]) => value !== null && value !== undefined && value !== "");
  const text = new URLSearchParams(given).toString();
  return `#${path}${text ? `?${text}` : ""}`;
}

export function go(path, query) {
  location.hash = address(path, query);
}

/** Go where one may have been already, for its view to be made anew. */
export function revisit(path) {
  if (currentRoute().path === path) window.dispatchEvent(new HashChangeEvent("hashchange"));
  else go(path);
}
