// Deleting an image, after showing the effect on other images.

import { api, MAX_PAGE_SIZE } from "./api.js";
import { askFirst } from "./confirm_dialog.js";
import { element, fill } from "./element.js";
import { shortDigest, size } from "./figures.js";
import { notice } from "./notice.js";
import { pause } from "./pause.js";
import { problemBox } from "./problem_box.js";
import { address } from "./route.js";
import { statusBadge } from "./status.js";

const OPEN = new Set(["queued", "running", "waiting"]);
const REMOVED = {
  manifest: "tag and manifest are gone from the target",
  tag: "the tag is gone from the target; its manifest is still needed there",
  nothing: "there was nothing of it in the target",
};
// The number of other images that are named, and of the list's pages that are searched for them.
const NAMED = 8;
const MAX_PAGES = 20;
// The API continues a slow deletion; the dialog waits this long for its end, and checks at this interval. Milliseconds.
const PATIENCE = 60_000;
const LOOK = 1_000;

/** Ask, and delete; calls `deleted` when the image is gone. */
export function openDeleteDialog(imageId, deleted) {
  const place = askFirst({
    title: "Delete this image?",
    question: element("p", { class: "muted", role: "status" }, "Looking for images that share its content…"),
    yes: "Delete",
    busy: "Deleting. This may take a while if the target is slow.",
    act: async () => {
      const removed = await deleteAndWait(imageId);
      notice(`Deleted: ${REMOVED[removed] ?? "it is gone"}.`);
      deleted();
    },
  });
  explain(imageId, place);
}

async function explain(imageId, place) {
  try {
    const image = await api.image(imageId);
    const others = image.digest ? await siblings(image) : { found: [], complete: true };
    fill(place, consequences(image, others));
  } catch (problem) {
    fill(place, problemBox(problem, { again: () => explain(imageId, place) }));
  }
}

/** Find the other images with the same digest in the same repository; other repositories share blobs only. */
async function siblings(image) {
  const found = [];
  let seen = 0;
  for (let page = 0; page < MAX_PAGES; page += 1) {
    const query = { tag: `${image.repo}:`, ready: true, page_size: MAX_PAGE_SIZE, page_num: page };
    const { images, totalCount } = await api.images(query);
    for (const group of images) {
      seen += group.artifacts.length;
      if (group.repo !== image.repo || group.registryHost !== image.registryHost) continue;
      found.push(...group.artifacts.filter((other) => other.id !== image.id && other.digest === image.digest));
    }
    if (images.length === 0 || seen >= totalCount) return { found, complete: true };
  }
  return { found, complete: false };
}

function consequences(image, others) {
  return [
    element("p", { class: "named" }, element("strong", {}, `${image.repo}:${image.imageTag}`), " ", statusBadge(image.status)),
    element("p", { class: "muted" }, facts(image)),
    OPEN.has(image.import?.state) && element("p", { class: "warning" }, "Its import is under way, and will be stopped first."),
    image.digest ? shared(others) : element("p", {}, "It was never ready, so no client pulls it."),
    element("p", { class: "muted" }, "The same digest in other repositories is kept: a registry stores a manifest for each repository."),
  ];
}

function facts(image) {
  return [`of ${image.userName}`, image.size > 0 && size(image.size), image.digest && shortDigest(image.digest)]
    .filter(Boolean).join(", ");
}

function shared({ found, complete }) {
  if (found.length > 0) {
    const more = found.length > NAMED ? ` and ${found.length - NAMED} more` : "";
    return element("div", {},
      element("p", {}, "Only the tag goes: the same digest has other tags in this repository, which stay."),
      element("ul", {}, found.slice(0, NAMED).map((other) =>
        element("li", {}, element("a", { href: address(`/images/${other.id}`) }, other.imageTag), ` of ${other.userName}`))),
      more && element("p", {}, more));
  }
  if (!complete) {
    return element("p", {}, "The repository has too many tags to check all of them here. The manifest is deleted with the tag ",
      "unless another tag needs it.");
  }
  return element("p", {}, "No other managed tag of this repository has its digest: the manifest goes too, unless a tag of ",
    "another client needs it.");
}

async function deleteAndWait(imageId) {
  try {
    return await api.deleteImage(imageId);
  } catch (problem) {
    if (problem.code !== "deletion_unfinished" || !(await goes(imageId))) throw problem;
    return null;
  }
}

/** Whether the deletion of an image ends within the limit. */
async function goes(imageId) {
  const limit = Date.now() + PATIENCE;
  while (Date.now() < limit) {
    try {
      await api.image(imageId);
    } catch (problem) {
      if (problem.code === "image_not_found") return true;
      throw problem;
    }
    await pause(LOOK);
  }
  return false;
}
