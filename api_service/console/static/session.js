// Who is signed in. The token lives as long as the tab: in sessionStorage, in no address and in no cookie.

const KEY = "longshore.token";

export const session = {
  /** {userName, role} as the API tells it; null until it has. */
  identity: null,

  get token() {
    return sessionStorage.getItem(KEY);
  },

  keep(token, identity) {
    sessionStorage.setItem(KEY, token);
    this.identity = identity;
  },

  clear() {
    sessionStorage.removeItem(KEY);
    this.identity = null;
  },

  get isAdmin() {
    return this.identity?.role === "admin";
  },

  /** Whether this person may change an image of this user. */
  mayChange(userName) {
    return this.isAdmin || this.identity?.userName === userName;
  },
};
