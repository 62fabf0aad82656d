/** Violations and warnings, each beside the field that it is about. */

import { byId, h, icon } from "./dom.js";
import { sentence } from "./format.js";

/** Field of the API -> id of the control, and how a sentence about it begins. */
const PLACES = new Map([
  ["input.prompt", ["prompt", "The prompt"]],
  ["input.reference_urls", ["references", "References"]],
  ["input.audio_url", ["audio-url", "The sound"]],
  ["parameters.size", ["size", "The size"]],
  ["parameters.duration", ["duration", "The duration"]],
  ["parameters.seed", ["seed", "The seed"]],
  ["parameters.shot_type", ["shots", "The kind of shot"]],
  ["metadata", ["metadata", "Metadata"]],
  ["callback_url", ["callback-url", "The callback URL"]],
]);

/**
 * @typedef {{severity: "violation"|"warning", field: string, message: string}} Problem
 */

/**
 * The control that a problem is about, "form" when it has none of its own.
 * @param {string} field
 * @returns {[string, string]}
 */
function placeOf(field) {
  const member = /^input\.reference_urls\[(\d+)\]$/.exec(field);
  if (member) return ["references", `character${Number(member[1]) + 1}`];
  const name = field.startsWith("metadata.") ? "metadata" : field;
  const [id, subject] = PLACES.get(name) ?? ["form", field];
  return [id, subject];
}

/** @param {string} message */
const startsSentence = (message) => /^[A-Z]/.test(message);

/**
 * Show these problems and no others.
 * @param {Problem[]} problems
 * @param {(id: string) => boolean} isDue whether a control has been worked on, so that it may complain
 * @returns {string[]} the controls that hold violations, whether shown or not, in the order of the form
 */
export function showProblems(problems, isDue) {
  /** @type {Map<string, HTMLElement[]>} */
  const lines = new Map();
  const broken = new Set();
  for (const { severity, field, message } of problems) {
    const [id, subject] = placeOf(field);
    if (severity === "violation") broken.add(id);
    if (!isDue(id)) continue;
    const text = startsSentence(message) ? `${subject}: ${message}` : `${subject} ${message}`;
    const line = h("li", { class: severity }, icon(severity === "violation" ? "error" : "warning"), h("span", {}, sentence(text)));
    lines.set(id, [...(lines.get(id) ?? []), line]);
  }
  for (const list of document.querySelectorAll("[data-problems-of]")) {
    const id = /** @type {HTMLElement} */ (list).dataset.problemsOf ?? "";
    list.replaceChildren(...(lines.get(id) ?? []));
    if (id !== "form") byId(id).toggleAttribute("data-broken", broken.has(id) && isDue(id));
    const control = document.querySelector(`#${id}:is(input, textarea)`);
    control?.setAttribute("aria-invalid", String(broken.has(id) && isDue(id)));
  }
  const order = [...document.querySelectorAll("[data-problems-of]")].map((list) => /** @type {HTMLElement} */ (list).dataset.problemsOf ?? "");
  return order.filter((id) => broken.has(id));
}
