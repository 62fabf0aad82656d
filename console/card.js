/** One job as a card: what was asked, how far it is, the video, what went wrong, what can be done. */

import { announce, h, icon } from "./dom.js";
import { explain } from "./errors.js";
import { ago, pixels, sentence, time, usd } from "./format.js";

/** @type {Record<string, string>} */
export const STATUS_WORDS = {
  queued: "Waiting for a slot",
  submitting: "Being sent",
  processing: "In the making",
  completed: "Completed",
  failed: "Failed",
  canceled: "Canceled",
};
const RELINK_PAUSE_MS = 30_000;

/** @param {import("./types.js").Job} job */
export const isFinal = (job) => ["completed", "failed", "canceled"].includes(job.status);

/**
 * @typedef {object} CardActions
 * @property {(job: import("./types.js").Job) => void} again
 * @property {(job: import("./types.js").Job) => void} copy
 * @property {(job: import("./types.js").Job) => void} cancel
 * @property {(job: import("./types.js").Job) => void} purge
 * @property {(job: import("./types.js").Job, output: number, button: HTMLButtonElement) => void} save
 * @property {(id: string) => Promise<import("./types.js").Job>} reload
 */

export class Card {
  /**
   * @param {import("./types.js").Job} job
   * @param {CardActions} actions
   */
  constructor(job, actions) {
    this.actions = actions;
    this.job = job;
    this.relinked = 0;
    this.node = h("li", { class: "card-place" });
    this.draw();
  }

  /** @param {import("./types.js").Job} job */
  update(job) {
    const before = this.job;
    this.job = job;
    if (before.status === job.status && before.updated_at === job.updated_at && before.cancel_requested === job.cancel_requested) {
      this.showProgress();
      return;
    }
    const focused = /** @type {any} */ (this.node.contains(document.activeElement) ? document.activeElement : null);
    const action = focused?.dataset?.action;
    this.draw();
    if (focused) (this.node.querySelector(`[data-action="${action}"]`) ?? this.node.querySelector("h3")).focus();
  }

  focus() {
    this.node.querySelector("h3").focus();
  }

  draw() {
    const { job } = this;
    const title = `title-${job.id}`;
    this.bar = h("progress", { class: "bar-of-job", max: "100", value: String(job.progress), "aria-label": "Progress" });
    this.when = h("time", { datetime: job.created_at, title: time(job.created_at) }, ago(job.created_at));
    this.node.replaceChildren(
      h(
        "article",
        { class: `card is-${job.status}`, "aria-labelledby": title },
        this.stage(),
        h(
          "div",
          { class: "card-words" },
          h("p", { class: "card-status" }, h("span", { class: `badge is-${job.status}` }, this.statusWords()), " ", this.when),
          h("h3", { id: title, tabindex: "-1", class: "card-title" }, job.request.input.prompt),
          this.facts(),
          job.error && isFinal(job) && h("p", { class: "hint card-error" }, h("code", {}, job.error.code), " ", sentence(job.error.message)),
          this.details(),
          this.buttons(),
        ),
      ),
    );
  }

  statusWords() {
    const { job } = this;
    if (job.cancel_requested) return "Being canceled";
    return job.rescued ? "Completed, late" : STATUS_WORDS[job.status];
  }

  /** Where the video is, or will be. */
  stage() {
    const { job } = this;
    const [width, height] = job.request.parameters.size.split("*").map(Number);
    const stage = h("div", { class: "stage" });
    stage.style.setProperty("--ratio", `${width} / ${height}`);
    const urls = videoUrls(job);
    if (urls.length) stage.append(...urls.map((url, index) => this.player(url, index)));
    else if (job.error && isFinal(job)) stage.append(failure(job.error));
    else if (isFinal(job)) stage.append(h("p", { class: "stage-words" }, icon("video"), "The video has expired"));
    else stage.append(h("div", { class: "stage-words" }, this.bar, (this.part = h("span", { class: "part" }))));
    this.showProgress();
    return stage;
  }

  showProgress() {
    this.bar.value = this.job.progress;
    if (this.job.status === "queued") this.bar.removeAttribute("value");
    if (this.part) this.part.textContent = this.job.status === "queued" ? waitWords(this.job) : `${this.job.progress} %`;
  }

  /** Bring "2 minutes ago" up to date. */
  showAge() {
    this.when.textContent = ago(this.job.created_at);
  }

  /**
   * @param {string} url
   * @param {number} index
   */
  player(url, index) {
    const words = this.job.request.input.prompt;
    const player = h("video", { controls: true, playsinline: true, preload: "metadata", src: url, "aria-label": `Video: ${words}` });
    player.addEventListener("error", () => this.relink(player, index));
    return player;
  }

  /**
   * Links end after an hour: ask for a fresh one.
   * @param {HTMLVideoElement} player
   * @param {number} index
   */
  async relink(player, index) {
    if (Date.now() - this.relinked < RELINK_PAUSE_MS) return;
    this.relinked = Date.now();
    try {
      const job = await this.actions.reload(this.job.id);
      player.src = videoUrls(job)[index] ?? "";
    } catch {
      announce("The video could not be loaded. Look for news to try again.");
    }
  }

  facts() {
    const { job } = this;
    const { size, duration } = job.request.parameters;
    const cost = job.usage?.cost;
    const money = cost ? `${usd(cost)} billed` : job.status === "canceled" || job.status === "failed" ? `${usd(job.estimate.cost_usd)} was estimated` : `${usd(job.estimate.cost_usd)} estimated`;
    return h("p", { class: "facts" }, `${pixels(size)} · ${duration} s · ${money}`);
  }

  details() {
    const { job } = this;
    const isOpen = this.node.querySelector("details")?.open ?? false;
    const row = (/** @type {string} */ name, /** @type {any} */ value) => value && [h("dt", {}, name), h("dd", {}, value)];
    const rows = [
      row("Id", h("code", {}, job.id)),
      row("References", h("span", {}, job.request.input.reference_urls.map((url, index) => `character${index + 1}: ${url.startsWith("s3://") ? url.split("/").pop() : url}`).join("\n"))),
      row("Sound track", job.request.input.audio_url?.split("?")[0]),
      row("Options", optionWords(job.request.parameters)),
      row("Metadata", Object.entries(job.metadata).map(([name, value]) => `${name}=${value}`).join("\n")),
      row("Made", time(job.created_at)),
      row("Ended", job.ended_at && time(job.ended_at)),
      row("Cost", job.usage?.cost && `${usd(job.usage.cost)} billed, ${usd(job.estimate.cost_usd)} estimated`),
      row("Tasks", job.attempts.map((attempt) => [attempt.task_id ?? "no task id", attempt.state, attempt.error?.code].filter(Boolean).join(", ")).join("\n")),
      row("Error", job.error && `${job.error.code}: ${job.error.message}`),
      row("Warnings", job.warnings.map(({ field, message }) => `${field} ${message}`).join("\n")),
    ];
    return h("details", { class: "more-of-job", open: isOpen }, h("summary", { "data-action": "details" }, "Details"), h("dl", {}, ...rows.flat()));
  }

  buttons() {
    const { job, actions } = this;
    const button = (/** @type {string} */ action, /** @type {string} */ symbol, /** @type {string} */ words, /** @type {(event: any) => void} */ act) =>
      h("button", { type: "button", class: "small", "data-action": action, onclick: act }, icon(symbol), words);
    const urls = videoUrls(job);
    return h(
      "div",
      { class: "actions" },
      ...urls.map((_, index) => button(`save-${index}`, "download", urls.length > 1 ? `Download ${index + 1}` : "Download", (event) => actions.save(this.job, index, event.currentTarget))),
      button("again", "edit", "Again with changes", () => actions.again(this.job)),
      button("copy", "code", "Copy as curl", () => actions.copy(this.job)),
      isFinal(job) && button("purge", "delete", "Delete", () => actions.purge(this.job)),
      !isFinal(job) && !job.cancel_requested && button("cancel", "remove", "Cancel", () => actions.cancel(this.job)),
    );
  }
}

/** @param {import("./types.js").Job} job */
function waitWords({ waiting }) {
  if (!waiting) return "Waits at no cost";
  const { what, todo } = explain(waiting.code);
  return `${what} ${todo}`;
}

/** @param {{code: string}} error */
function failure({ code }) {
  const { what, todo } = explain(code);
  return h("div", { class: "failure" }, icon(code === "canceled" ? "remove" : "error"), h("strong", {}, what), todo && h("span", {}, todo));
}

/**
 * @param {import("./types.js").Job} job
 * @returns {string[]}
 */
export const videoUrls = (job) => (job.output ?? []).flatMap(({ content }) => content.map(({ url }) => url)).filter(Boolean);

/** @param {Record<string, any>} parameters */
function optionWords({ audio, prompt_extend: extend, watermark, shot_type: shot, seed }) {
  const words = [audio ? "sound" : "no sound", extend ? "prompt written out" : "prompt as it is", watermark && "watermark", shot === "multi" ? "several shots" : "one shot", seed !== undefined && `seed ${seed}`];
  return words.filter(Boolean).join(", ");
}
