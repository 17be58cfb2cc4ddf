// The plan of an import, from a dry run.

import { element } from "./element.js";
import { count, shortDigest, size } from "./figures.js";
import { makeProgressBar } from "./progress_bar.js";
import { address } from "./route.js";
import { statusBadge } from "./status.js";

const PARTS = [
  ["existing", "bytesInTarget", "already there"],
  ["mounted", "bytesMountable", "can be mounted"],
  ["copied", "bytesToMove", "to be copied"],
];
// `allowedBy` of an import that needs no rule.
const ADMIN = "admin";

/** Show a dry run's answer. */
export function planView(answer) {
  const { plan } = answer;
  return element(
    "section",
    { class: "plan", "aria-label": "Preview" },
    element("p", { class: "message" }, answer.message, answer.alreadyImageId > 0 && [" ",
      element("a", { href: address(`/images/${answer.alreadyImageId}`) }, "Show it")]),
    warnings(plan),
    barOf(plan),
    element(
      "dl",
      {},
      pair("Target", element("code", {}, plan.target)),
      pair("Digest", element("code", { title: plan.sourceDigest }, shortDigest(plan.sourceDigest))),
      pair("Platforms", plan.platforms.join(", ")),
      pair("Blobs", counts(plan.blobs)),
      pair("Manifests", counts(plan.manifests)),
      plan.referrers > 0 && pair("Referrers", `${count(plan.referrers)}: signatures, SBOMs and others`),
      pair("Allowed by", answer.allowedBy === ADMIN ? "your role: admins need no rule" : `the rule ${answer.allowedBy}`),
      plan.quotaRoom !== null && pair("Space left in the project", size(Math.max(0, plan.quotaRoom))),
    ),
  );
}

function warnings(plan) {
  const there = plan.overwrites;
  const whose = there && (there.imageId ? `image ${there.imageId} of ${there.createdBy}` : "an image that Longshore does not manage");
  return [
    plan.fits === false && element("p", { class: "warning" }, "The image does not fit into the project's quota."),
    there && element("p", { class: "warning" }, `The tag points to ${whose}, `,
      element("code", {}, shortDigest(there.digest)), there.status && [", ", statusBadge(there.status)], ", and would be moved."),
  ];
}

function barOf(plan) {
  const whole = plan.bytesTotal || 1;
  const bar = makeProgressBar("Bytes in the target, to be mounted, and to be copied");
  const there = plan.bytesInTarget + plan.bytesMountable;
  const percent = Math.floor((100 * there) / whole);
  bar.set(percent, PARTS.map(([kind, field]) => [kind, (100 * plan[field]) / whole]), `${percent} % need not be copied`);
  const legend = PARTS.filter(([, field]) => plan[field] > 0).map(([kind, field, name]) =>
    element("li", { class: kind }, `${size(plan[field])} ${name}`));
  return [element("p", { class: "figures" }, `${size(plan.bytesTotal)} in all`), bar.element,
    element("ul", { class: "legend" }, legend)];
}

function counts(found) {
  const labels = [[found.inTarget, "there"], [found.mountable, "mountable"], [found.toMove, "to copy"]]
    .filter(([number]) => number > 0).map(([number, word]) => `${count(number)} ${word}`);
  return `${count(found.total)}: ${labels.join(", ")}`;
}

function pair(name, ...value) {
  return [element("dt", {}, name), element("dd", {}, value)];
}
