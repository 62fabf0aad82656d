/** The size, chosen as a shape and a resolution. */

import { byId, h } from "./dom.js";
import { pixels } from "./format.js";
import { DEFAULTS, SIZES } from "./rules.js";

const RATIOS = [["16:9", 16 / 9], ["4:3", 4 / 3], ["1:1", 1], ["3:4", 3 / 4], ["9:16", 9 / 16]];

/** @typedef {{tier: string, shape: string, size: string, width: number, height: number}} Size */

/** @type {Size[]} */
const ALL = Object.entries(SIZES).flatMap(([tier, sizes]) =>
  sizes.map((size) => {
    const [width, height] = size.split("*").map(Number);
    return { tier, shape: nearest(width / height), size, width, height };
  }),
);

/** @param {number} ratio */
function nearest(ratio) {
  const distance = (/** @type {any} */ [, value]) => Math.abs(Math.log(value / ratio));
  return String(RATIOS.reduce((best, each) => (distance(each) < distance(best) ? each : best))[0]);
}

/** @type {(size: string) => Size} */
const find = (size) => ALL.find((each) => each.size === size) ?? find(DEFAULTS.size);

export class SizePicker {
  /** @param {() => void} onChange */
  constructor(onChange) {
    const { tier } = find(DEFAULTS.size);
    byId("shapes").append(...RATIOS.map(([shape]) => shapeChoice(/** @type {Size} */ (ALL.find((each) => each.tier === tier && each.shape === shape)))));
    byId("tiers").append(...Object.keys(SIZES).map((each) => h("label", {}, h("input", { type: "radio", name: "tier", value: each }), h("span", {}, each))));
    for (const id of ["shapes", "tiers"]) byId(id).addEventListener("change", () => (this.show(), onChange()));
    this.value = DEFAULTS.size;
  }

  /** Such as "1280*720". */
  get value() {
    const [shape, tier] = ["shape", "tier"].map((name) => /** @type {any} */ (document.querySelector(`input[name=${name}]:checked`)).value);
    return /** @type {Size} */ (ALL.find((each) => each.shape === shape && each.tier === tier)).size;
  }

  set value(size) {
    const { shape, tier } = find(size);
    for (const value of [shape, tier]) /** @type {any} */ (document.querySelector(`input[value="${value}"]`)).checked = true;
    this.show();
  }

  /** Tell each shape's pixels at the chosen resolution. */
  show() {
    const { tier, size: chosen } = find(this.value);
    byId("pixels").textContent = pixels(chosen);
    for (const { shape, size } of ALL.filter((each) => each.tier === tier)) {
      /** @type {any} */ (document.querySelector(`[data-pixels-of="${shape}"]`)).textContent = pixels(size);
    }
  }
}

/** @param {Size} size */
function shapeChoice({ shape, width, height }) {
  const picture = h("span", { class: "shape", "aria-hidden": "true" });
  picture.style.setProperty("--width", String(width / Math.max(width, height)));
  picture.style.setProperty("--height", String(height / Math.max(width, height)));
  const words = h("span", { class: "shape-words" }, h("span", {}, shape), h("small", { "data-pixels-of": shape }));
  return h("label", {}, h("input", { type: "radio", name: "shape", value: shape }), h("span", { class: "shape-card" }, h("span", { class: "shape-box" }, picture), words));
}
