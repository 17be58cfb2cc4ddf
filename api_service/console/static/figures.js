// Figures formatted for people.

const UNITS = ["bytes", "kB", "MB", "GB", "TB", "PB"];
const SHORT_DIGEST = 12;
const MINUTE = 60;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/** Bytes, in powers of 1000 as registries count. */
export function size(bytes) {
  let figure = bytes;
  let unit = 0;
  while (figure >= 999.95 && unit < UNITS.length - 1) {
    figure /= 1000;
    unit += 1;
  }
  if (unit === 0) return bytes === 1 ? "1 byte" : `${bytes} bytes`;
  return `${figure.toFixed(1)} ${UNITS[unit]}`;
}

/** Bytes out of all bytes, with one unit if both have the same. */
export function part(done, total) {
  const [figure, unit] = size(done).split(" ");
  const whole = size(total);
  return `${unit === whole.split(" ")[1] ? figure : size(done)} of ${whole}`;
}

/** Bytes per second. */
export function rate(bytes) {
  return `${size(Math.round(bytes))}/s`;
}

/** A time span in its two largest units. */
export function duration(seconds) {
  const whole = Math.round(seconds);
  if (whole < MINUTE) return `${whole} s`;
  if (whole < HOUR) return `${Math.floor(whole / MINUTE)} min ${whole % MINUTE} s`;
  if (whole < DAY) return `${Math.floor(whole / HOUR)} h ${Math.floor((whole % HOUR) / MINUTE)} min`;
  return `${Math.floor(whole / DAY)} d ${Math.floor((whole % DAY) / HOUR)} h`;
}

/** The time since a moment in RFC 3339. */
export function age(moment) {
  const seconds = Math.max(0, Math.round((Date.now() - Date.parse(moment)) / 1000));
  for (const [unit, length] of [["d", DAY], ["h", HOUR], ["min", MINUTE]]) {
    if (seconds >= length) return `${Math.floor(seconds / length)} ${unit} ago`;
  }
  return seconds < 5 ? "just now" : `${seconds} s ago`;
}

/** A moment in the reader's time zone and format. */
export function moment(text) {
  return new Date(text).toLocaleString(undefined, { dateStyle: "medium", timeStyle: "medium" });
}

/** The first characters of a digest, for comparison by eye. */
export function shortDigest(digest) {
  return digest.slice(digest.indexOf(":") + 1).slice(0, SHORT_DIGEST);
}

/** A number with separated groups. */
export function count(number) {
  return number.toLocaleString("en");
}

/** A number with its noun. */
export function counted(number, noun, plural = `${noun}s`) {
  return `${count(number)} ${number === 1 ? noun : plural}`;
}
