/** Values as people read them. */

const TIME = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short" });
const AGO = new Intl.RelativeTimeFormat("en", { numeric: "auto" });
/** @type {[Intl.RelativeTimeFormatUnit, number][]} */
const UNITS = [["day", 86_400], ["hour", 3_600], ["minute", 60]];

/**
 * A decimal text of US dollars; never made a float, at least two digits behind the point.
 * @param {string} text
 */
export function usd(text) {
  const [whole, fraction = ""] = text.split(".");
  return `$${whole}.${fraction.replace(/0+$/, "").padEnd(2, "0")}`;
}

/** @param {number} count */
export function bytes(count) {
  const mega = count / 1_048_576;
  return mega >= 0.95 ? `${mega.toFixed(mega < 10 ? 1 : 0)} MB` : `${Math.max(1, Math.round(count / 1024))} KB`;
}

/** @param {string} iso */
export const time = (iso) => TIME.format(new Date(iso));

/**
 * How long ago that was.
 * @param {string} iso
 * @param {number} [now]
 */
export function ago(iso, now = Date.now()) {
  const past = (now - new Date(iso).getTime()) / 1000;
  const unit = UNITS.find(([, size]) => past >= size);
  return unit ? AGO.format(-Math.floor(past / unit[1]), unit[0]) : "just now";
}

/** @param {string} size such as "1280*720" */
export const pixels = (size) => size.replace("*", " × ");

/**
 * How many characters the provider counts: Unicode code points.
 * @param {string} text
 */
export const codePoints = (text) => [...text].length;

/** @param {string} text */
export const sentence = (text) => text.charAt(0).toUpperCase() + text.slice(1) + (/[.!?]$/.test(text) ? "" : ".");
