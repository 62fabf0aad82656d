/** The form: from pictures, words and options to a request, with its price and its problems, and off it goes. */

import { announce, byId } from "./dom.js";
import { explain } from "./errors.js";
import { Estimator } from "./estimate.js";
import { codePoints, sentence, usd } from "./format.js";
import { fillOptions, metadataText, parseMetadata, prepareOptions, readOptions, showOptions } from "./options.js";
import { showProblems } from "./problems.js";
import { References } from "./references.js";
import { MAX_PROMPT_CHARACTERS, MODEL } from "./rules.js";
import { keepDraft, readDraft } from "./session.js";
import { SizePicker } from "./sizes.js";
import { SoundTrack } from "./sound.js";
import { submit } from "./submit.js";

/** Controls that complain only once they have been worked on, or once somebody wants to send the request. */
const PATIENT = ["references", "prompt"];
const NUMBER = new Intl.NumberFormat("en");

export class Compose {
  /**
   * @param {import("./api.js").Api} api
   * @param {(job: import("./types.js").Job, retryAfter: number) => void} onMade
   */
  constructor(api, onMade) {
    this.api = api;
    this.onMade = onMade;
    this.form = byId("compose");
    this.prompt = byId("prompt");
    this.touched = new Set();
    this.isSending = false;
    /** @type {import("./types.js").Estimate|null} */
    this.estimate = null;
    prepareOptions();
    this.estimator = new Estimator(api, () => this.read(), (estimate, error) => this.estimated(estimate, error));
    this.references = new References(api, { onChange: () => this.referencesChanged(), onName: (name) => this.insert(name) });
    this.sound = new SoundTrack(api, () => this.changed());
    this.size = new SizePicker(() => this.changed());
    this.fill(readDraft() ?? {});
    this.touched.clear();
    this.listen();
  }

  listen() {
    this.form.addEventListener("submit", (/** @type {Event} */ event) => {
      event.preventDefault();
      this.send();
    });
    this.form.addEventListener("input", (/** @type {Event} */ event) => {
      const { id } = /** @type {HTMLElement} */ (event.target);
      if (id === "url") return;
      this.touched.add(id);
      this.changed();
    });
    // Enter alone writes a line or opens a choice.
    this.form.addEventListener("keydown", (/** @type {KeyboardEvent} */ event) => {
      if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) this.form.requestSubmit();
    });
  }

  /** @returns {import("./types.js").VideoRequest} */
  read() {
    const metadata = parseMetadata(byId("metadata").value);
    const callback = byId("callback-url").value.trim();
    return {
      model: MODEL,
      input: {
        prompt: this.prompt.value,
        reference_urls: this.references.urls,
        ...(this.sound.url ? { audio_url: this.sound.url } : {}),
      },
      parameters: { size: this.size.value, ...readOptions() },
      ...(Object.keys(metadata).length ? { metadata } : {}),
      ...(callback ? { callback_url: callback } : {}),
    };
  }

  /**
   * Put a request into the form; what it lacks gets its default.
   * @param {Partial<import("./types.js").VideoRequest>} request
   */
  fill({ input, parameters = {}, metadata = {}, callback_url: callback = "" }) {
    this.prompt.value = input?.prompt ?? "";
    this.sound.url = input?.audio_url ?? "";
    byId("metadata").value = metadataText(metadata);
    byId("callback-url").value = callback;
    if (parameters.size) this.size.value = parameters.size;
    fillOptions(parameters);
    const isOrdinary = !input?.audio_url && !Object.keys(metadata).length && !callback && parameters.seed === undefined;
    if (!isOrdinary) byId("options").open = true;
    this.references.fill(input?.reference_urls ?? []);
  }

  /** @param {import("./types.js").Job} job */
  again(job) {
    this.fill({ ...job.request, metadata: job.metadata });
    byId("submit-problem").textContent = "";
    this.prompt.focus();
    this.prompt.setSelectionRange(this.prompt.value.length, this.prompt.value.length);
    announce("The form holds this video’s request", true);
  }

  /**
   * Write a name into the prompt where the cursor is.
   * @param {string} name
   */
  insert(name) {
    const { prompt } = this;
    const [before, after] = [prompt.value.slice(0, prompt.selectionStart), prompt.value.slice(prompt.selectionEnd)];
    const text = `${/\S$/.test(before) ? " " : ""}${name}${/^[\p{L}\p{N}]/u.test(after) || !after ? " " : ""}`;
    prompt.setRangeText(text, prompt.selectionStart, prompt.selectionEnd, "end");
    prompt.focus();
    this.touched.add("prompt");
    this.changed();
  }

  referencesChanged() {
    this.touched.add("references");
    this.changed();
  }

  changed() {
    showOptions();
    const length = codePoints(this.prompt.value);
    byId("count").textContent = `${NUMBER.format(length)} / ${NUMBER.format(MAX_PROMPT_CHARACTERS)}`;
    byId("count").classList.toggle("is-over", length > MAX_PROMPT_CHARACTERS);
    byId("submit-problem").textContent = "";
    keepDraft(this.read());
    this.showButton();
    this.estimator.soon();
  }

  showButton() {
    const { pending } = this.references;
    const isUploading = pending > 0 || this.sound.isUploading;
    const button = byId("submit");
    button.setAttribute("aria-disabled", String(this.isSending || isUploading));
    button.textContent = this.isSending ? "Sending …" : isUploading ? "Uploading …" : "Make video";
  }

  /**
   * @param {import("./types.js").Estimate|null} estimate
   * @param {any} error
   */
  estimated(estimate, error) {
    this.estimate = estimate;
    byId("price").textContent = estimate?.cost_usd ? usd(estimate.cost_usd) : "–";
    if (!estimate) {
      byId("price-words").textContent = `No price now. ${explain(error.code).what}`;
      return;
    }
    this.showEstimate();
  }

  showEstimate() {
    const estimate = /** @type {import("./types.js").Estimate} */ (this.estimate);
    const problems = [
      ...estimate.violations.map((each) => ({ ...each, severity: /** @type {const} */ ("violation") })),
      ...estimate.warnings.map((each) => ({ ...each, severity: /** @type {const} */ ("warning") })),
    ];
    // While files are on their way, what is missing is no mistake yet.
    const shown = this.references.pending ? problems.filter(({ field }) => !field.startsWith("input.reference_urls")) : problems;
    this.broken = showProblems(shown, (id) => !PATIENT.includes(id) || this.touched.has(id));
    const open = this.broken.filter((id) => !PATIENT.includes(id) || this.touched.has(id)).length;
    const facts = estimate.seconds && estimate.tier ? `${estimate.seconds} s of ${estimate.tier}` : "";
    byId("price-words").textContent = open ? `${facts}${facts ? ", " : ""}${open === 1 ? "one thing" : `${open} things`} to mend` : facts;
    if (this.broken.some((id) => byId("options").querySelector(`#${id}`))) byId("options").open = true;
  }

  async send() {
    if (this.isSending || byId("submit").getAttribute("aria-disabled") === "true") return;
    const problem = byId("submit-problem");
    problem.textContent = "";
    for (const id of PATIENT) this.touched.add(id);
    if (this.references.hasFault) {
      problem.textContent = "A file was not uploaded: try it again or remove it.";
      return;
    }
    this.isSending = true;
    this.showButton();
    try {
      await this.sendNow();
    } catch (error) {
      this.refused(/** @type {import("./api.js").ApiError} */ (error));
    } finally {
      this.isSending = false;
      this.showButton();
    }
  }

  async sendNow() {
    const estimate = await this.estimator.now();
    if (estimate?.violations.length) return this.goToFirst();
    const { job, retryAfter } = await submit(this.api, this.read(), (pause) => {
      byId("price-words").textContent = `No answer yet. The same request goes out again in ${pause} s; it is never paid twice.`;
    });
    announce("Accepted: your video is on its way", true);
    this.onMade(job, retryAfter);
  }

  /** @param {import("./api.js").ApiError} error */
  refused(error) {
    const { what, todo } = explain(error.code);
    const words = error.status === 402 ? `${sentence(error.message)} ${todo}` : `${what} ${todo}`;
    byId("submit-problem").textContent = words;
    if (!error.violations.length) return;
    this.estimate = { cost_usd: null, tier: null, seconds: null, warnings: [], violations: error.violations };
    this.showEstimate();
    this.goToFirst();
  }

  /** Put the cursor where the first broken rule is. */
  goToFirst() {
    this.showEstimate();
    const [id] = this.broken ?? [];
    if (id && id !== "form") byId(id).focus();
  }
}
