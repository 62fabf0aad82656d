/** The parameters beside the size: read from the form, put into the form, told in a line. */

import { byId } from "./dom.js";
import { DEFAULTS, DURATION } from "./rules.js";

const CHECKS = /** @type {const} */ (["audio", "prompt_extend", "watermark"]);

/** Put the rules into the form. */
export function prepareOptions() {
  const duration = byId("duration");
  [duration.min, duration.max] = [DURATION.low, DURATION.high];
  byId("shortest").textContent = `${DURATION.low} s`;
  byId("longest").textContent = `${DURATION.high} s`;
}

/** @returns {Record<string, any>} the parameters without the size */
export function readOptions() {
  const parameters = /** @type {Record<string, any>} */ ({ duration: Number(byId("duration").value) });
  for (const name of CHECKS) parameters[name] = byId(name).checked;
  // With the prompt left as it is, the kind of shot means nothing, and the API warns of it.
  if (parameters.prompt_extend) parameters.shot_type = /** @type {any} */ (document.querySelector("input[name=shot_type]:checked")).value;
  const seed = byId("seed").value.trim();
  // What is no number goes out as it is, so that the API says what is wrong with it.
  if (seed) parameters.seed = /^\d{1,15}$/.test(seed) ? Number(seed) : seed;
  return parameters;
}

/** @param {Record<string, any>} given parameters; what is missing gets its default */
export function fillOptions(given) {
  const parameters = { ...DEFAULTS, ...given };
  byId("duration").value = parameters.duration;
  for (const name of CHECKS) byId(name).checked = parameters[name];
  /** @type {any} */ (document.querySelector(`input[name=shot_type][value=${parameters.shot_type === "multi" ? "multi" : "single"}]`)).checked = true;
  byId("seed").value = given.seed ?? "";
  showOptions();
}

/** Bring what depends on the options into line with them. */
export function showOptions() {
  const parameters = readOptions();
  const seconds = `${parameters.duration} s`;
  byId("seconds").textContent = seconds;
  byId("duration").setAttribute("aria-valuetext", `${parameters.duration} seconds`);
  const duration = byId("duration");
  duration.style.setProperty("--part", String((parameters.duration - DURATION.low) / (DURATION.high - DURATION.low)));
  for (const shot of document.querySelectorAll("input[name=shot_type]")) /** @type {any} */ (shot).disabled = !parameters.prompt_extend;
  const words = [
    parameters.audio ? "sound" : "no sound",
    parameters.shot_type === "multi" ? "several shots" : "one shot",
    parameters.prompt_extend ? "" : "prompt as it is",
    parameters.watermark ? "watermark" : "",
    parameters.seed === undefined ? "" : `seed ${parameters.seed}`,
  ];
  byId("options-summary").textContent = words.filter(Boolean).join(", ");
}

/**
 * Metadata as lines of name=value.
 * @param {string} text
 * @returns {Record<string, string>}
 */
export function parseMetadata(text) {
  const lines = text.split("\n").map((line) => line.trim()).filter(Boolean);
  return Object.fromEntries(lines.map((line) => {
    const at = line.indexOf("=");
    return at < 0 ? [line, ""] : [line.slice(0, at).trim(), line.slice(at + 1).trim()];
  }));
}

/** @param {Record<string, string>} metadata */
export const metadataText = (metadata) => Object.entries(metadata).map(([name, value]) => `${name}=${value}`).join("\n");
