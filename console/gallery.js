/** The caller's own videos, newest first; running ones are watched until they end. */

import { Card, isFinal, STATUS_WORDS } from "./card.js";
import { asCurl } from "./curl.js";
import { ask } from "./dialog.js";
import { announce, byId, h, icon } from "./dom.js";
import { download } from "./download.js";
import { explain } from "./errors.js";
import { sentence, usd } from "./format.js";
import { Poller } from "./poller.js";
import { STATUSES } from "./rules.js";

const PAGE = 12;
const AGES_MS = 30_000;

/** @typedef {import("./types.js").Job} Job */

export class Gallery {
  /**
   * @param {import("./api.js").Api} api
   * @param {(job: Job) => void} again
   */
  constructor(api, again) {
    this.api = api;
    this.list = byId("cards");
    this.filter = byId("filter");
    /** @type {Map<string, Card>} */
    this.cards = new Map();
    /** @type {string|null} */
    this.cursor = null;
    this.turn = 0;
    this.poller = new Poller(api, (job) => this.changed(job), (id) => this.drop(id));
    this.actions = {
      again,
      copy: (/** @type {Job} */ job) => this.copy(job),
      cancel: (/** @type {Job} */ job) => this.cancel(job),
      purge: (/** @type {Job} */ job) => this.purge(job),
      save: (/** @type {Job} */ job, /** @type {number} */ output, /** @type {HTMLButtonElement} */ button) => this.save(job, output, button),
      reload: async (/** @type {string} */ id) => (await this.api.call("GET", `videos/${id}`)).body,
    };
    this.prepare();
  }

  prepare() {
    this.filter.append(h("option", { value: "" }, "All"), ...STATUSES.map((status) => h("option", { value: status }, STATUS_WORDS[status])));
    this.filter.addEventListener("change", () => {
      this.cards.forEach((_, id) => this.remove(id));
      this.load();
    });
    byId("refresh").append(icon("again"));
    byId("refresh").addEventListener("click", () => this.load(true));
    byId("more").addEventListener("click", () => this.loadMore());
    window.addEventListener("online", () => this.load());
    document.addEventListener("visibilitychange", () => document.hidden || this.load());
    setInterval(() => this.cards.forEach((card) => card.showAge()), AGES_MS);
  }

  /**
   * The first page anew; what is shown stays until it is there, and what is older stays.
   * @param {boolean} [isAsked] by the person, who then hears that it is done
   */
  async load(isAsked = false) {
    this.turn += 1;
    const mine = this.turn;
    this.list.setAttribute("aria-busy", "true");
    if (!this.cards.size) this.showState(skeleton());
    try {
      const { videos, next_cursor: cursor } = await this.page(null);
      if (mine !== this.turn) return;
      this.merge(videos, cursor);
      if (isAsked) announce("Up to date");
    } catch (error) {
      if (mine === this.turn) this.failed(error);
    } finally {
      if (mine === this.turn) this.list.setAttribute("aria-busy", "false");
    }
  }

  async loadMore() {
    const button = byId("more");
    button.disabled = true;
    const mine = this.turn;
    try {
      const { videos, next_cursor: cursor } = await this.page(this.cursor);
      if (mine !== this.turn) return;
      this.cursor = cursor;
      const added = videos.filter((/** @type {Job} */ job) => !this.cards.has(job.id)).map((/** @type {Job} */ job) => this.put(job));
      this.list.append(...added.map((/** @type {Card} */ card) => card.node));
      added[0]?.focus();
      this.settle();
    } catch (error) {
      announce(`Older ones could not be loaded. ${explain(/** @type {any} */ (error).code).what}`);
    } finally {
      button.disabled = false;
    }
  }

  /** @param {string|null} cursor */
  async page(cursor) {
    const query = new URLSearchParams({ limit: String(PAGE) });
    if (this.filter.value) query.set("status", this.filter.value);
    if (cursor) query.set("cursor", cursor);
    return (await this.api.call("GET", `videos?${query}`)).body;
  }

  /**
   * @param {Job[]} jobs the newest
   * @param {string|null} cursor where older ones begin
   */
  merge(jobs, cursor) {
    const listed = new Set(jobs.map(({ id }) => id));
    const oldest = jobs.at(-1)?.created_at ?? "";
    // Not listed although it is no older than what is: deleted elsewhere.
    const isGone = (/** @type {Card} */ { job }) => !listed.has(job.id) && (!cursor || job.created_at >= oldest);
    for (const [id, card] of [...this.cards]) if (isGone(card)) this.remove(id);
    if (this.cards.size === 0 || [...this.cards.keys()].every((id) => listed.has(id))) this.cursor = cursor;
    const cards = jobs.map((job) => this.put(job));
    cards.forEach((card, index) => {
      // Moving a node that is in its place already would stop its video.
      if (this.list.children[index] !== card.node) this.list.insertBefore(card.node, this.list.children[index] ?? null);
    });
    this.settle();
  }

  /**
   * A job's card, made or brought up to date.
   * @param {Job} job
   */
  put(job) {
    const known = this.cards.get(job.id);
    if (known) known.update(job);
    const card = known ?? new Card(job, this.actions);
    this.cards.set(job.id, card);
    if (!isFinal(job) && !this.poller.jobs.has(job.id)) this.poller.watch(job.id, 0);
    return card;
  }

  /**
   * A job that was just made.
   * @param {Job} job
   * @param {number} retryAfter seconds
   */
  add(job, retryAfter) {
    this.filter.value = "";
    const isNew = !this.cards.has(job.id);
    this.poller.watch(job.id, retryAfter);
    const card = this.put(job);
    if (isNew) this.list.prepend(card.node);
    this.settle();
    return card;
  }

  /** @param {Job} job */
  changed(job) {
    const card = this.cards.get(job.id);
    if (!card) return;
    const before = card.job.status;
    card.update(job);
    if (isFinal(job) && before !== job.status) {
      const words = job.error ? `${STATUS_WORDS[job.status]}: ${explain(job.error.code).what}` : "Your video is ready";
      announce(`${words} – ${job.request.input.prompt.slice(0, 60)}`);
    }
  }

  /** @param {string} id */
  remove(id) {
    this.poller.forget(id);
    this.cards.get(id)?.node.remove();
    this.cards.delete(id);
  }

  /** @param {string} id */
  drop(id) {
    this.remove(id);
    this.settle();
  }

  settle() {
    byId("more").hidden = !this.cursor;
    if (this.cards.size) return this.showState(null);
    const words = this.filter.value ? `Nothing here is “${STATUS_WORDS[this.filter.value]}”.` : "No videos yet.";
    const hint = this.filter.value ? "Show all of them, or look further back." : "Your first one appears here while it is being made.";
    this.showState(h("div", { class: "empty" }, icon("video"), h("p", {}, words), h("p", { class: "hint" }, hint)));
  }

  /** @param {HTMLElement|null} node */
  showState(node) {
    byId("gallery-state").replaceChildren(...(node ? [node] : []));
  }

  /** @param {any} error */
  failed(error) {
    const { what, todo } = explain(error.code);
    const again = h("button", { type: "button", onclick: () => this.load() }, "Try again");
    this.showState(h("div", { class: "empty is-broken", role: "alert" }, icon("error"), h("p", {}, `The list could not be loaded. ${what}`), h("p", { class: "hint" }, todo), again));
  }

  /** @param {Job} job */
  async copy(job) {
    try {
      await navigator.clipboard.writeText(asCurl(job));
      announce("Copied. It reads your key from $API_KEY.");
    } catch {
      announce("The browser did not allow copying.");
    }
  }

  /** @param {Job} job */
  async cancel(job) {
    const mayBill = job.attempts.length > 0;
    const words = mayBill
      ? `It was sent to the provider already, who may still finish it and bill it: about ${usd(job.estimate.cost_usd)}.`
      : "Nothing was sent to the provider so far. If that stays so until the cancel arrives, nothing is billed.";
    await ask({
      title: "Cancel this video?",
      words,
      no: "Keep it",
      yes: "Cancel the video",
      act: async () => {
        const { body, retryAfter } = await this.api.call("DELETE", `videos/${job.id}`);
        this.poller.watch(job.id, retryAfter ?? 1);
        this.changed(body);
        if (!isFinal(body)) announce("Being canceled");
      },
      failed: inWords,
    });
    this.cards.get(job.id)?.focus();
  }

  /** @param {Job} job */
  async purge(job) {
    const isDone = await ask({
      title: "Delete this video?",
      words: "The video, its document and its record are deleted for good, and with them its place in the list.",
      no: "Keep it",
      yes: "Delete for good",
      act: async () => {
        await this.api.call("DELETE", `videos/${job.id}?purge=true`);
      },
      failed: inWords,
    });
    const card = this.cards.get(job.id);
    if (!isDone) return card?.focus();
    const next = card?.node.nextElementSibling ?? card?.node.previousElementSibling;
    this.drop(job.id);
    announce("Deleted");
    /** @type {HTMLElement} */ (next?.querySelector("h3") ?? byId("gallery-title")).focus();
  }

  /**
   * @param {Job} job
   * @param {number} output
   * @param {HTMLButtonElement} button
   */
  async save(job, output, button) {
    const words = /** @type {ChildNode} */ (button.lastChild);
    const before = words.textContent;
    button.disabled = true;
    try {
      const fresh = await this.actions.reload(job.id);
      const urls = (fresh.output ?? []).flatMap((/** @type {any} */ { content }) => content.map((/** @type {any} */ { url }) => url));
      await download(urls[output], `${job.id}${output ? `-${output + 1}` : ""}.mp4`, (part) => (words.textContent = `${Math.round(part * 100)} %`));
      announce("Downloaded");
    } catch {
      announce("The video could not be downloaded. Try again.");
    } finally {
      words.textContent = before;
      button.disabled = false;
      button.focus();
    }
  }
}

/** @param {any} error */
const inWords = (error) => (error.status === 409 ? sentence(error.message) : `${explain(error.code).what} ${explain(error.code).todo}`);

function skeleton() {
  return h("div", { class: "skeleton", "aria-label": "Loading your videos", role: "status" }, ...[1, 2, 3].map(() => h("div", { class: "card" }, h("div", { class: "stage" }), h("div", { class: "card-words" }))));
}
