// One image: its import, the references to pull, its properties.

import { api } from "./api.js";
import { openDeleteDialog } from "./delete_dialog.js";
import { element, fill, icon } from "./element.js";
import { keepFocus } from "./focus.js";
import { AGAIN, CROSS, LEFT, TRASH } from "./icons.js";
import { HIDDEN, imageFacts } from "./image_facts.js";
import { openImportDialog } from "./import_dialog.js";
import { makeLayers } from "./layers.js";
import { notice } from "./notice.js";
import { problemBox } from "./problem_box.js";
import { openRetryDialog } from "./retry_dialog.js";
import { address, go } from "./route.js";
import { session } from "./session.js";
import { statusBadge } from "./status.js";
import { makeTotal } from "./total.js";
import { isFinal, watch } from "./watch.js";

const RETRYABLE = new Set(["failed", "cancelled"]);

export function imageView({ argument, signal }) {
  const view = new ImageView(Number(argument), signal);
  view.start();
  return { title: `Image ${argument}`, element: view.element };
}

class ImageView {
  #id;
  #signal;
  #watching = new AbortController();
  #image = null;
  #details = null;
  #title = element("h1", { tabindex: -1 }, "Image");
  #status = element("span");
  #actions = element("div", { class: "buttons" });
  #trouble = element("div");
  #error = element("div");
  #facts = element("div");
  #total = makeTotal();
  #layers = makeLayers();
  #hidden = element("p", { class: "muted", hidden: true }, HIDDEN);
  #progress = element("section", { class: "card import-progress", "aria-label": "Import", hidden: true },
    element("h2", {}, "Import"), this.#error, this.#total.element, this.#layers.element, this.#hidden);

  constructor(id, signal) {
    this.#id = id;
    this.#signal = signal;
    signal.addEventListener("abort", () => this.#watching.abort());
    this.element = element("div", { class: "view" },
      element("p", { class: "way" }, element("a", { href: address("/images") }, icon(LEFT), "All images")),
      element("div", { class: "heading" }, this.#title, this.#status), this.#actions, this.#trouble, this.#progress, this.#facts);
  }

  /** Show the image and follow its import; called again after each change. */
  async start() {
    this.#watching.abort();
    this.#watching = new AbortController();
    const { signal } = this.#watching;
    try {
      await this.#load(signal);
      await watch(this.#id, { signal, seen: (details) => this.#seen(details), trouble: (problem) => this.#troubled(problem) });
      // The import has changed the status, size, digest and references.
      if (!signal.aborted) await this.#load(signal);
    } catch (problem) {
      if (!signal.aborted) fill(this.#trouble, problemBox(problem, { again: () => this.start() }));
    }
  }

  async #load(signal) {
    this.#image = await api.image(this.#id, signal);
    const image = this.#image;
    fill(this.#title, element("span", { class: "muted" }, `${image.repo}:`), image.imageTag);
    fill(this.#status, statusBadge(image.status));
    document.title = `${image.repo}:${image.imageTag} · Longshore`;
    fill(this.#trouble);
    fill(this.#facts, imageFacts(image));
    this.#showActions();
  }

  #seen(details) {
    fill(this.#trouble);
    const turned = this.#details?.state !== details.state;
    this.#details = details;
    this.#progress.hidden = false;
    this.#total.show(details);
    this.#layers.show(details);
    this.#hidden.hidden = !details.contentHidden;
    if (!turned) return;
    // The references to pull come first for a ready image.
    if (details.state === "ready" && !details.error) this.#facts.after(this.#progress);
    else this.#facts.before(this.#progress);
    const content = details.error && this.#errorBox(details);
    keepFocus(this.#error, () => fill(this.#error, content), () => this.#title);
    this.#showActions();
  }

  /** The stream reconnects; until then the page shows that its figures are old. */
  #troubled(problem) {
    fill(this.#trouble, element("p", { class: "warning", role: "status" }, `${problem.title ?? "The connection was lost"}. Trying again.`));
  }

  #errorBox(details) {
    if (!session.mayChange(this.#image.userName) || !isFinal(details)) return problemBox(details.error);
    if (!RETRYABLE.has(details.state)) return problemBox(details.error, { again: () => this.#importAnew(), label: "Import again" });
    return problemBox(details.error, { again: () => this.#retry(), actions: [this.#anotherAccount()] });
  }

  /** The API deletes a typed account when its import ends, so a retry may need it again. */
  #anotherAccount() {
    const open = () => openRetryDialog(this.#id, () => this.#begunAgain());
    return element("button", { class: "button", type: "button", click: open }, "With another account…");
  }

  #showActions() {
    const state = this.#details?.state ?? this.#image.import?.state;
    const open = state !== undefined && !isFinal({ state });
    const mine = session.mayChange(this.#image.userName);
    const content = [
      mine && open && button("Cancel import", CROSS, () => this.#cancel()),
      mine && state === "cancelled" && button("Try again", AGAIN, () => this.#retry()),
      mine && !open && state === "ready" && button("Import again…", AGAIN, () => this.#importAnew()),
      mine && button("Delete…", TRASH, () => openDeleteDialog(this.#id, () => go("/images"))),
    ];
    keepFocus(this.#actions, () => fill(this.#actions, content), () => this.#title);
  }

  async #do(act, actions = []) {
    try {
      await act();
      this.#begunAgain();
    } catch (problem) {
      fill(this.#trouble, problemBox(problem, { actions }));
    }
  }

  #begunAgain() {
    this.#details = null;
    this.start();
  }

  #retry() {
    return this.#do(async () => notice(`${(await api.retry(this.#id)).message}.`), [this.#anotherAccount()]);
  }

  #cancel() {
    return this.#do(async () => {
      await api.cancel(this.#id);
      notice("The import was cancelled.");
    });
  }

  #importAnew() {
    const image = this.#image;
    openImportDialog({
      source: image.source,
      target: `${image.repo}:${image.imageTag}`,
      platforms: (image.import?.platforms ?? []).join(", "),
      force: true,
    });
  }
}

function button(text, shape, act) {
  return element("button", { class: "button", type: "button", "data-key": text, click: act }, icon(shape), text);
}
