/** The references: pictures, clips and URLs as tiles that can be moved, removed and clicked into the prompt. */

import { announce, byId, h, icon } from "./dom.js";
import { explain } from "./errors.js";
import { bytes } from "./format.js";
import { MAX_REFERENCES, UPLOADS } from "./rules.js";
import { contentType, fileProblem, kindOf, upload } from "./upload.js";

const KINDS = ["image", "video"];

/**
 * @typedef {object} Tile
 * @property {string} label what the person knows it by
 * @property {string} kind "image", "video" or "link"
 * @property {string} url the reference; empty until it is uploaded
 * @property {File} [file]
 * @property {string} [preview] a blob: address
 * @property {number} part of the upload, from 0 to 1
 * @property {string} fault why the upload failed
 * @property {AbortController} [upload]
 */

export class References {
  /**
   * @param {import("./api.js").Api} api
   * @param {{onChange: () => void, onName: (name: string) => void}} hooks
   */
  constructor(api, { onChange, onName }) {
    this.api = api;
    this.onChange = onChange;
    this.onName = onName;
    /** @type {Tile[]} */
    this.tiles = [];
    this.list = byId("tiles");
    this.listenToFiles();
    this.listenToUrls();
    this.listenToDrops();
  }

  /** The references of a request, in their order; those still on their way are missing. */
  get urls() {
    return this.tiles.map((tile) => tile.url).filter(Boolean);
  }

  /** How many uploads are on their way. */
  get pending() {
    return this.tiles.filter((tile) => !tile.url && !tile.fault).length;
  }

  /** Whether an upload failed and waits for a decision. */
  get hasFault() {
    return this.tiles.some((tile) => tile.fault);
  }

  /** @param {string[]} urls */
  fill(urls) {
    const before = this.tiles;
    this.tiles = urls.map((url) => before.find((tile) => tile.url === url) ?? tileOf(url));
    for (const tile of before) if (!this.tiles.includes(tile)) drop(tile);
    this.changed();
  }

  listenToFiles() {
    const chooser = byId("files");
    chooser.accept = Object.entries(UPLOADS).filter(([, { kind }]) => KINDS.includes(kind)).flatMap(([mime, { ending }]) => [mime, `.${ending}`]).join();
    byId("choose").addEventListener("click", () => chooser.click());
    chooser.addEventListener("change", () => {
      this.add([...chooser.files]);
      chooser.value = "";
    });
  }

  listenToUrls() {
    const [toggle, row, field] = [byId("by-url"), byId("url-row"), byId("url")];
    toggle.addEventListener("click", () => {
      row.hidden = !row.hidden;
      toggle.setAttribute("aria-expanded", String(!row.hidden));
      if (!row.hidden) field.focus();
    });
    byId("add-url").addEventListener("click", () => this.addUrl(field));
    field.addEventListener("keydown", (/** @type {KeyboardEvent} */ event) => {
      if (event.key !== "Enter") return;
      event.preventDefault();
      this.addUrl(field);
    });
  }

  listenToDrops() {
    const area = byId("references");
    const carriesFiles = (/** @type {DragEvent} */ event) => event.dataTransfer?.types.includes("Files");
    // Files that miss the field must not replace the page.
    for (const name of ["dragover", "drop"]) window.addEventListener(name, (event) => carriesFiles(/** @type {DragEvent} */ (event)) && event.preventDefault());
    area.addEventListener("dragover", (/** @type {DragEvent} */ event) => area.classList.toggle("is-over", Boolean(carriesFiles(event))));
    area.addEventListener("dragleave", () => area.classList.remove("is-over"));
    area.addEventListener("drop", (/** @type {DragEvent} */ event) => {
      area.classList.remove("is-over");
      if (carriesFiles(event)) this.add([...(event.dataTransfer?.files ?? [])]);
    });
  }

  /** @param {HTMLInputElement} field */
  addUrl(field) {
    const url = field.value.trim();
    if (!url) return field.focus();
    if (this.tiles.length >= MAX_REFERENCES) return this.complain([`Only ${MAX_REFERENCES} references fit; remove one first.`]);
    this.complain([]);
    this.tiles.push(tileOf(url));
    field.value = "";
    this.changed();
    announce(`character${this.tiles.length} added`, true);
    field.focus();
  }

  /** @param {File[]} files */
  add(files) {
    const problems = [];
    for (const file of files) {
      const problem = fileProblem(file, KINDS);
      if (problem) problems.push(problem);
      else if (this.tiles.length >= MAX_REFERENCES) problems.push(`${file.name} was left out: only ${MAX_REFERENCES} references fit.`);
      else this.start(file);
    }
    this.complain(problems);
    this.changed();
  }

  /** @param {string[]} problems */
  complain(problems) {
    byId("file-problem").textContent = problems.join(" ");
  }

  /** @param {File} file */
  start(file) {
    const kind = kindOf(contentType(file));
    /** @type {Tile} */
    const tile = { label: file.name, kind, url: "", file, preview: URL.createObjectURL(file), part: 0, fault: "" };
    this.tiles.push(tile);
    this.send(tile);
  }

  /** @param {Tile} tile */
  async send(tile) {
    tile.upload = new AbortController();
    [tile.part, tile.fault] = [0, ""];
    try {
      tile.url = await upload(this.api, /** @type {File} */ (tile.file), (part) => this.progressed(tile, part), tile.upload.signal);
      announce(`${tile.label} is uploaded`, true);
    } catch (error) {
      if (tile.upload.signal.aborted) return;
      tile.fault = explain(/** @type {any} */ (error).code).what;
    }
    this.changed();
  }

  /**
   * @param {Tile} tile
   * @param {number} part
   */
  progressed(tile, part) {
    tile.part = part;
    const bar = this.list.children[this.tiles.indexOf(tile)]?.querySelector("progress");
    if (bar) bar.value = part;
  }

  /**
   * @param {number} from
   * @param {number} to
   */
  move(from, to) {
    if (to < 0 || to >= this.tiles.length || from === to) return;
    const [tile] = this.tiles.splice(from, 1);
    this.tiles.splice(to, 0, tile);
    this.changed();
    announce(`${tile.label} is now character${to + 1}`, true);
  }

  /** @param {number} index */
  remove(index) {
    const [tile] = this.tiles.splice(index, 1);
    drop(tile);
    this.changed();
    announce(`${tile.label} removed`, true);
    const next = this.list.children[Math.min(index, this.tiles.length - 1)];
    (next?.querySelector(".tile-name") ?? byId("choose")).focus();
  }

  changed() {
    this.list.replaceChildren(...this.tiles.map((tile, index) => this.draw(tile, index)));
    byId("drop").hidden = this.tiles.length >= MAX_REFERENCES;
    this.onChange();
  }

  /**
   * @param {Tile} tile
   * @param {number} index
   */
  draw(tile, index) {
    const name = `character${index + 1}`;
    const item = h(
      "li",
      { class: "tile", draggable: "true", title: tile.file ? `${tile.label}, ${bytes(tile.file.size)}` : tile.label },
      h("span", { class: "thumb" }, picture(tile), state(tile)),
      h("button", { type: "button", class: "tile-name", "aria-label": `Write ${name} into the prompt (${tile.label})`, onclick: () => this.onName(name) }, name),
      h("span", { class: "tile-label" }, tile.label),
      this.tools(index, name),
    );
    if (tile.fault) item.append(h("span", { class: "tile-fault" }, tile.fault), h("button", { type: "button", class: "small", onclick: () => (this.send(tile), this.changed()) }, "Try again"));
    this.makeMovable(item, index);
    return item;
  }

  /**
   * @param {number} index
   * @param {string} name
   */
  tools(index, name) {
    const tool = (/** @type {string} */ symbol, /** @type {string} */ words, /** @type {boolean} */ isOff, /** @type {() => void} */ act) =>
      h("button", { type: "button", class: `tool tool-${symbol}`, "aria-label": `${words} ${name}`, title: words, disabled: isOff, onclick: act }, icon(symbol));
    const moved = (/** @type {number} */ to, /** @type {string} */ symbol) => {
      this.move(index, to);
      const tools = this.list.children[to];
      (tools.querySelector(`.tool-${symbol}:enabled`) ?? tools.querySelector(".tool:enabled")).focus();
    };
    return h(
      "span",
      { class: "tools" },
      tool("earlier", "Move earlier", index === 0, () => moved(index - 1, "earlier")),
      tool("remove", "Remove", false, () => this.remove(index)),
      tool("later", "Move later", index === this.tiles.length - 1, () => moved(index + 1, "later")),
    );
  }

  /**
   * @param {HTMLElement} item
   * @param {number} index
   */
  makeMovable(item, index) {
    item.addEventListener("dragstart", (event) => {
      event.dataTransfer?.setData("text/x-wanflow-tile", String(index));
      item.classList.add("is-moving");
    });
    item.addEventListener("dragend", () => item.classList.remove("is-moving"));
    item.addEventListener("dragover", (event) => {
      if (event.dataTransfer?.types.includes("text/x-wanflow-tile")) event.preventDefault();
    });
    item.addEventListener("drop", (event) => {
      const from = event.dataTransfer?.getData("text/x-wanflow-tile");
      if (!from) return;
      event.preventDefault();
      this.move(Number(from), index);
    });
  }
}

/**
 * A reference that is known by its URL alone.
 * @param {string} url
 * @returns {Tile}
 */
function tileOf(url) {
  const path = url.split(/[?#]/)[0];
  const isClip = /\.(mp4|mov)$/i.test(path);
  const kind = url.startsWith("s3://") ? (isClip ? "video" : "image") : "link";
  return { label: decodeURIComponentSafely(path.split("/").pop() || url), kind, url, part: 1, fault: "" };
}

/** @param {string} text */
function decodeURIComponentSafely(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/** @param {Tile} tile */
function drop(tile) {
  tile.upload?.abort();
  if (tile.preview) URL.revokeObjectURL(tile.preview);
}

/** @param {Tile} tile */
function picture(tile) {
  if (tile.preview && tile.kind === "image") return h("img", { src: tile.preview, alt: "", draggable: "false" });
  if (tile.preview) {
    const clip = h("video", { src: tile.preview, preload: "metadata", playsinline: true, "aria-hidden": "true", tabindex: "-1" });
    clip.muted = true;
    return clip;
  }
  return icon(tile.kind);
}

/** @param {Tile} tile */
function state(tile) {
  if (tile.fault) return h("span", { class: "thumb-state" }, icon("error"));
  return !tile.url && h("progress", { max: "1", value: String(tile.part), "aria-label": `Uploading ${tile.label}` });
}
