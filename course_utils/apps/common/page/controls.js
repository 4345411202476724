// How does a hand set a number? Sliders that follow pointer and keys, on a linear or a logarithmic scale.
import { element, newId, update } from "./elements.js";
import { within } from "./numbers.js";

/**
 * @typedef {object} Range
 * @property {string} name what a screen reader calls it
 * @property {number} min
 * @property {number} max
 * @property {number} [step] in the unit of the value; a logarithmic one moves by 1 % with an arrow key
 * @property {boolean} [log]
 * @property {(value: number) => void} onInput
 */

/** @type {Record<string, number>} by what factor a key moves a logarithmic slider */
const FACTORS = {
  ArrowRight: 1.01,
  ArrowUp: 1.01,
  ArrowLeft: 1 / 1.01,
  ArrowDown: 1 / 1.01,
  PageUp: 1.1,
  PageDown: 1 / 1.1,
};

/** @param {number} value */
export const rounded = (value, digits = 4) => Number(value.toPrecision(digits));

/**
 * A range input. `show(value, text)` moves it without telling anyone; `reach(max)` makes room for larger values.
 * @param {Range} spec
 */
export function range({ name, min, max, step = 1, log = false, onInput }) {
  const to = (/** @type {number} */ value) => (log ? Math.log10(value) : value);
  const from = (/** @type {number} */ place) => (log ? rounded(10 ** place, 3) : rounded(place, 6));
  let [present, highest] = [Number.NaN, max];
  const thumb = element("input", {
    type: "range",
    id: newId(),
    min: to(min),
    max: to(max),
    step: log ? "any" : step,
    "aria-label": name,
    oninput: () => tell(from(Number(thumb.value))),
    onkeydown: (/** @type {KeyboardEvent} */ event) => {
      if (!log || !FACTORS[event.key]) return;
      event.preventDefault();
      tell(rounded(present * FACTORS[event.key]));
    },
  });
  const show = (/** @type {number} */ value, /** @type {string} */ text) => {
    present = value;
    const place = log && value <= 0 ? Number(thumb.min) : to(value);
    if (from(Number(thumb.value)) !== value) thumb.value = String(place);
    update(thumb, null, { "aria-valuetext": text });
  };
  const tell = (/** @type {number} */ value) => {
    present = within(value, min, highest);
    onInput(present);
  };
  const reach = (/** @type {number} */ value) => {
    highest = Math.max(max, value);
    update(thumb, null, { max: to(highest) });
  };
  return { thumb, show, reach };
}

/**
 * @typedef {object} Labelled
 * @property {string} label
 * @property {string} [hint] the label in full, for screen readers and as a tooltip
 * @property {(value: number) => string} format
 */

/**
 * A range input with its label and its value in words.
 * @param {Labelled & Omit<Range, "name">} spec
 */
export function slider({ label, hint = label, format, onInput, ...spec }) {
  const shown = element("span", { class: "value", "aria-hidden": "true" });
  const tell = (/** @type {number} */ value) => {
    show(value);
    onInput(value);
  };
  const { thumb, show: move, reach } = range({ ...spec, name: hint, onInput: tell });
  const show = (/** @type {number} */ value, text = format(value)) => {
    update(shown, text);
    move(value, text);
  };
  return { thumb, shown, label: element("label", { for: thumb.id, title: hint }, label), show, reach };
}

/**
 * A setting in a row of its own, with room for the words that refuse a value.
 * @param {Node[]} parts
 */
export function makeField(...parts) {
  const words = element("p", { class: "refused" });
  return { node: element("div", { class: "field" }, ...parts, words), words };
}

/**
 * @typedef {object} Moves what arrow keys do to a place
 * @property {number} across
 * @property {number} up
 */

/**
 * By how much an arrow key moves, right and up; null for any other key.
 * @param {KeyboardEvent} event
 * @param {number} far the factor of the Shift key
 * @returns {Moves | null}
 */
export function arrow({ key, shiftKey, ctrlKey, metaKey }, far) {
  const by = shiftKey ? far : 1;
  if (ctrlKey || metaKey) return null;
  if (key === "ArrowLeft" || key === "ArrowRight") return { across: key === "ArrowRight" ? by : -by, up: 0 };
  if (key === "ArrowUp" || key === "ArrowDown") return { across: 0, up: key === "ArrowUp" ? by : -by };
  return null;
}
