// Sizes that users write, such as 40GB and 40GiB, and exact sizes that can be written back.

// Registries and disks count in powers of 1000, memory in powers of 1024. Largest first.
const LETTERS = ["P", "T", "G", "M", "K"];
const UNITS = [
  ...LETTERS.map((letter, place) => [`${letter === "K" ? "k" : letter}B`, 1000 ** (5 - place)]),
  ...LETTERS.map((letter, place) => [`${letter}iB`, 1024 ** (5 - place)]),
];
const BY_NAME = new Map([["", 1], ["b", 1], ["bytes", 1], ...UNITS.map(([name, length]) => [name.toLowerCase(), length])]);
// Figures with more digits are not read at a glance: 1.5 GB, 250 MB, 1024 GiB.
const MAX_DIGITS = 4;

/** The bytes of such as `40GB`, `1.5 TB`, `40GiB` or `1000`; NaN for a text that is no size. */
export function parseSize(text) {
  const match = /^(\d+(?:\.\d+)?) ?([a-z]*)$/i.exec(text.trim());
  const length = match && BY_NAME.get(match[2].toLowerCase());
  if (!length) return NaN;
  const bytes = Math.round(Number(match[1]) * length);
  return Number.isSafeInteger(bytes) ? bytes : NaN;
}

/** A size in the unit with the shortest figure, which `parseSize` reads back without a loss. */
export function exactSize(bytes) {
  const written = UNITS.map(([unit, length]) => ({ figure: figureIn(bytes, length), unit, length }))
    .filter(({ figure }) => figure && figure.replace(".", "").length <= MAX_DIGITS)
    .sort((one, other) => one.figure.length - other.figure.length || one.unit.length - other.unit.length || other.length - one.length);
  return written.length > 0 ? `${written[0].figure} ${written[0].unit}` : `${bytes} bytes`;
}

/** The figure in a unit if two decimals are exact and it is at least 1; else nothing. */
function figureIn(bytes, length) {
  const figure = Math.round((100 * bytes) / length) / 100;
  return bytes >= length && Math.round(figure * length) === bytes && figure * length === bytes ? String(figure) : "";
}
