// The signed-in user. The token is in sessionStorage, so it lives as long as the tab; never in an address or a cookie.

const KEY = "longshore.token";

export const session = {
  /** {userName, role} from the API; null before its answer. */
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

  /** Whether the signed-in user may change an image of this owner. */
  mayChange(userName) {
    return this.isAdmin || this.identity?.userName === userName;
  },
};
