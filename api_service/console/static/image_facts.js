// An image's properties, and the commands that pull it.

import { copyButton } from "./copy_button.js";
import { element } from "./element.js";
import { count, moment, size } from "./figures.js";

/** The reason why a caller does not see what an image consists of. */
export const HIDDEN = "Hidden: the source needed an account. Digests and layers are shown to the owner, to admins, and to users " +
  "whose rules allow this source and target.";

export function imageFacts(image) {
  return [image.status === "ready" && pulling(image), about(image)];
}

function pulling(image) {
  return element(
    "section",
    { class: "card", "aria-label": "Pull" },
    element("h2", {}, "Pull"),
    command(`docker pull ${image.reference}`, "the command with the tag"),
    image.digestReference && command(`docker pull ${image.digestReference}`, "the command with the digest"),
  );
}

function command(text, what) {
  return element("div", { class: "command" }, element("code", {}, text),
    copyButton(text, what));
}

function about(image) {
  return element(
    "section",
    { class: "card", "aria-label": "About" },
    element("h2", {}, "About"),
    element(
      "dl",
      {},
      pair("Source", element("code", {}, image.source)),
      image.sourceDigest && pair("Source's digest", element("code", { class: "digest" }, image.sourceDigest)),
      image.contentHidden && pair("Digest", element("span", { class: "muted" }, HIDDEN)),
      image.digest && pair("Digest", element("code", { class: "digest" }, image.digest)),
      image.platforms.length > 0 && pair("Platforms", image.platforms.join(", "), image.includeType === "partial" && " (chosen ones)"),
      image.size > 0 && pair("Size", size(image.size)),
      image.referrers > 0 && pair("Referrers", `${count(image.referrers)}: signatures, SBOMs and the like`),
      image.description && pair("Description", image.description),
      pair("Owner", image.userName),
      pair("Created", moment(image.createdTime)),
      image.import && pair("Import", image.import.name),
      pair("Image", `${image.id}`),
    ),
  );
}

function pair(name, ...value) {
  return [element("dt", {}, name), element("dd", {}, value)];
}
