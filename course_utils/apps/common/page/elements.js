// How is a page put together? Elements with attributes and handlers, touched later only where something changes.

/** @typedef {Record<string, string | number | boolean | ((event: any) => void)>} Attributes */

/**
 * An element with attributes, event handlers ("oninput") and children (elements or text).
 * @template {keyof HTMLElementTagNameMap} Tag
 * @param {Tag} tag
 * @param {Attributes} attributes
 * @param {(Node | string)[]} children
 * @returns {HTMLElementTagNameMap[Tag]}
 */
export function element(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === "function") node.addEventListener(name.slice(2), value);
    else if (typeof value === "boolean") node.toggleAttribute(name, value);
    else node.setAttribute(name, String(value));
  }
  node.append(...children);
  return node;
}

/**
 * A small picture that is only seen: one path in a box "left top width height".
 * @param {string} box
 * @param {string} outline
 * @returns {{ node: SVGElement, path: SVGElement }}
 */
export function drawing(box, outline) {
  const [node, path] = ["svg", "path"].map((tag) => document.createElementNS("http://www.w3.org/2000/svg", tag));
  update(node, null, { viewBox: box, "aria-hidden": "true" });
  update(path, null, { d: outline });
  node.append(path);
  return { node, path };
}

/**
 * Text and attributes of an element, touched only if they change: else the browser lays the page out anew.
 * @param {Element} node
 * @param {string | null} text
 * @param {Record<string, string | number | boolean>} attributes
 */
export function update(node, text, attributes = {}) {
  if (text !== null && node.textContent !== text) node.textContent = text;
  for (const [name, value] of Object.entries(attributes)) {
    if (node.getAttribute(name) !== String(value)) node.setAttribute(name, String(value));
  }
}

/**
 * @param {string} text
 * @param {string} title
 * @param {(event: MouseEvent) => void} onclick
 * @param {Attributes} more
 */
export const button = (text, title, onclick, more = {}) =>
  element("button", { type: "button", title, onclick, ...more }, text);

/** @param {string[]} values */
export const options = (values) => values.map((value) => element("option", { value }, value));

let made = 0;

/** An id that no other element of the page has. */
export const newId = () => `course-${++made}`;
