// The words for import rules: their subjects, grants and limits.

import { counted, moment, size } from "./figures.js";
import { exactSize } from "./sizes.js";

const EVERYBODY = "everybody";

/** A subject for people: `everybody`, `user anna`, `group team-a`. */
export function subjectText(subject) {
  return subject === EVERYBODY ? EVERYBODY : subject.replace(":", " ");
}

/** What the rule grants beside importing. */
export function grantsOf(rule) {
  return [
    rule.createProjects && "creates missing projects",
    rule.overwriteForeignTags && "replaces foreign tags, if forced",
    rule.weight !== 1 && `weight ${rule.weight}`,
  ].filter(Boolean);
}

/** The rule's limits; each counts for each user by itself. */
export function limitsOf(rule) {
  return [
    rule.maxImageBytes !== null && `${exactSize(rule.maxImageBytes)} an image`,
    rule.maxOpenImports !== null && `${counted(rule.maxOpenImports, "open import")}`,
    rule.maxBytesPerMonth !== null && `${exactSize(rule.maxBytesPerMonth)} a month`,
  ].filter(Boolean);
}

/** What is left of the caller's limits; null for limits that the rule does not have. */
export function leftOf(rule) {
  const usage = rule.usage;
  if (!usage) return null;
  return {
    openImports: rule.maxOpenImports === null ? null : Math.max(0, rule.maxOpenImports - usage.openImports),
    monthBytes: rule.maxBytesPerMonth === null ? null : Math.max(0, rule.maxBytesPerMonth - usage.monthBytes),
    renews: usage.renewsTime,
  };
}

/** The same as sentences. */
export function leftTexts(rule) {
  const left = leftOf(rule);
  if (!left) return [];
  return [
    left.openImports !== null && `${left.openImports} of ${counted(rule.maxOpenImports, "open import")}`,
    left.monthBytes !== null && `${size(left.monthBytes)} of ${exactSize(rule.maxBytesPerMonth)} this month${left.renews ? `, renewed ${moment(left.renews)}` : ""}`,
  ].filter(Boolean);
}
