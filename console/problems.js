/** Violations and warnings, each beside the field that it is about. */

import { byId, h, icon } from "./dom.js";

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

/** Counts, in the words of this page instead of the request's. */
const WORDS = new Map([
  ["001028001", "Add one to five pictures or clips."],
  ["001028002", "At most five pictures fit; remove one."],
  ["001028003", "At most three clips fit; remove one."],
]);
const OF_MEMBERS = "Invalid reference URL format: ";

/**
 * @typedef {{severity: "violation"|"warning", field: string, code: string, message: string}} Problem
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

/**
 * A problem as a sentence about its control.
 * @param {string} subject
 * @param {Problem} problem
 */
function words(subject, { code, message }) {
  const told = message.startsWith(OF_MEMBERS) ? message.slice(OF_MEMBERS.length) : message;
  return WORDS.get(code) ?? `${subject} ${told}${/[.!?]$/.test(told) ? "" : "."}`;
}

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
  for (const problem of problems) {
    const { severity } = problem;
    const [id, subject] = placeOf(problem.field);
    if (severity === "violation") broken.add(id);
    if (!isDue(id)) continue;
    const line = h("li", { class: severity }, icon(severity === "violation" ? "error" : "warning"), h("span", {}, words(subject, problem)));
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
