/** Nodes, made and found without ever reading text as HTML. */

const SVG = "http://www.w3.org/2000/svg";

/**
 * A new element. Attributes named `on…` are listeners; false, null and undefined ones are left out.
 * @param {string} tag
 * @param {Record<string, any>} [attributes]
 * @param {...(Node|string|null|undefined|false)} children
 * @returns {any}
 */
export function h(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === false || value === null || value === undefined) continue;
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else node.setAttribute(name, value === true ? "" : String(value));
  }
  node.append(.../** @type {(Node|string)[]} */ (children.filter((child) => child || child === "")));
  return node;
}

/**
 * One of the page's symbols, for the eye alone.
 * @param {string} name
 */
export function icon(name) {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("class", "icon");
  svg.setAttribute("aria-hidden", "true");
  const use = document.createElementNS(SVG, "use");
  use.setAttribute("href", `#icon-${name}`);
  svg.append(use);
  return svg;
}

/**
 * The element with this id.
 * @param {string} id
 * @returns {any}
 */
export function byId(id) {
  const node = document.getElementById(id);
  if (!node) throw new Error(`the page has no #${id}`);
  return node;
}

let hide = 0;

/**
 * Say something in passing, to the eye and to a screen reader.
 * @param {string} text
 * @param {boolean} [isSeen] whether the eye sees it anyway, so that only a screen reader is to be told
 */
export function announce(text, isSeen = false) {
  const region = byId("announcement");
  region.textContent = text;
  region.classList.toggle("is-shown", !isSeen);
  clearTimeout(hide);
  hide = setTimeout(() => region.classList.remove("is-shown"), 5000);
}
