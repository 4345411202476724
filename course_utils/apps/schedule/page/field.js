// How is one setting set? A name, an input of its kind, values worth trying, and words when a value is refused.
import { range } from "../../common/page/controls.js";
import { button, element, newId, options, update } from "../../common/page/elements.js";
import { typed } from "../../common/page/numbers.js";

/** @import { Spec } from "./types.js" */

/** @param {any} value */
const asText = (value) => {
  if (value === null || value === undefined) return "";
  if (Array.isArray(value)) return value.join(", ");
  return typeof value === "number" ? typed(value) : String(value);
};

/**
 * @typedef {object} Input
 * @property {HTMLInputElement | HTMLSelectElement} main
 * @property {Node[]} nodes
 * @property {(value: any) => void} show
 */
/** @typedef {{ tell: (value: any) => void, refuse: (words: string) => void }} Ears what an input says to */

/**
 * One setting: its name, an input of its kind, values worth trying, and the words with which a value was refused.
 * @param {Spec} spec
 * @param {(value: any) => void} onValue
 */
export function makeField(spec, onValue) {
  const words = element("p", { class: "refused", id: newId() });
  let wrong = ""; // what the input itself refuses, until it is given something else
  let last = "";
  const tell = (/** @type {any} */ value) => {
    refuse("");
    onValue(value);
  };
  const refuse = (/** @type {string} */ text) => {
    wrong = text;
    mark(text);
  };
  const mark = (/** @type {string} */ text) => {
    update(words, text);
    node.classList.toggle("wrong", Boolean(text));
    update(input.main, null, { "aria-invalid": Boolean(text) });
  };
  const input = MAKERS[spec.kind](spec, { tell, refuse });
  update(input.main, null, { "aria-describedby": words.id });
  const label = element("label", { for: input.main.id, title: spec.summary }, spec.name);
  const plain = spec.kind === "choice" || spec.kind === "switch";
  const chips = plain ? [] : spec.values.map((value) => makeChip(spec, value, tell));
  const tries = element("div", { class: "chips" }, ...chips.map((chip) => chip.node));
  const summary = element("p", { class: "summary" }, spec.summary);
  const node = element("div", { class: "field" }, label, ...input.nodes, tries, summary, words);
  const show = (/** @type {any} */ value, refused = "") => {
    if (asText(value) !== last) wrong = "";
    last = asText(value);
    mark(wrong || refused);
    if (!wrong && !refused) input.show(value);
    for (const chip of chips) chip.show(value);
  };
  return { spec, node, show };
}

/** @type {(spec: Spec, value: any, tell: Ears["tell"]) => { node: HTMLElement, show: (present: any) => void }} */
function makeChip({ name }, value, tell) {
  const text = asText(value);
  const node = button(text, `try ${text}`, () => tell(value), { class: "chip", "aria-label": `${name} ${text}` });
  return { node, show: (present) => update(node, null, { "aria-pressed": asText(present) === text }) };
}

/** @type {Record<Spec["kind"], (spec: Spec, ears: Ears) => Input>} */
const MAKERS = {
  number: makeNumber,
  "whole number": makeNumber,
  list: (spec, ears) => makeTyped(spec, ears, readList),
  choice: ({ values }, { tell }) => {
    const main = element("select", { id: newId(), onchange: () => tell(main.value) }, ...options(values));
    return { main, nodes: [main], show: (value) => (main.value = value) };
  },
  switch: (_, { tell }) => {
    const main = element("input", { type: "checkbox", id: newId(), onchange: () => tell(main.checked) });
    return { main, nodes: [main], show: (value) => (main.checked = value) };
  },
};

/** @type {(text: string) => any} */
const readNumber = (text) => Number(text);

/** @type {(text: string) => any} */
const readList = (text) =>
  text
    .split(/[\s,]+/)
    .filter(Boolean)
    .map(Number);

/**
 * What is no number at all, in words; nothing if it is one, or several.
 * @param {Spec} spec
 * @param {string} text
 * @param {any} value
 */
export function notANumber({ name, kind, values }, text, value) {
  if (value === null || [value].flat().every((number) => Number.isFinite(number))) return "";
  const wanted = kind === "list" ? "whole numbers" : "a number";
  return `${name} must be ${wanted}, got ${text}; try ${asText(values[0] ?? 0.1)}`;
}

/**
 * A text field; what is no number at all is refused here, everything else by the kernel.
 * @param {Spec} spec
 * @param {Ears} ears
 * @returns {Input}
 */
function makeTyped(spec, { tell, refuse }, read = readNumber) {
  const onchange = () => {
    const text = main.value.trim();
    const value = text === "" ? null : read(text);
    const wrong = notANumber(spec, text, value);
    if (wrong) refuse(wrong);
    else tell(value);
  };
  const placeholder = spec.optional ? "None" : "";
  const about = { type: "text", id: newId(), inputmode: "decimal", autocomplete: "off", placeholder, onchange };
  const main = element("input", about);
  const show = (/** @type {any} */ value) => {
    const typing = main.matches(":focus") && main.value.trim() !== "";
    if (!typing || spec.kind === "list" || read(main.value) === value) main.value = asText(value);
  };
  return { main, nodes: [main], show };
}

/**
 * A slider over the values worth trying, and a text field for all others.
 * @param {Spec} spec
 * @param {Ears} ears
 * @returns {Input}
 */
function makeNumber(spec, ears) {
  const field = makeTyped(spec, ears);
  const [low, high] = spec.slide ?? slideOf(spec);
  if (!(high > low)) return field;
  const whole = spec.kind === "whole number";
  const log = !whole && low > 0 && high / low >= 20;
  const step = whole ? 1 : Number(((high - low) / 50).toPrecision(2));
  const onInput = (/** @type {number} */ value) => {
    /** @type {HTMLInputElement} */ (field.main).value = asText(value);
    ears.tell(value);
  };
  const thumb = range({ name: spec.name, min: low, max: high, step, log, onInput });
  const show = (/** @type {any} */ value) => {
    field.show(value);
    if (value === null) return;
    thumb.reach(value);
    thumb.show(value, asText(value));
  };
  return { main: field.main, nodes: [thumb.thumb, field.main], show };
}

/**
 * The ends of a slider over the values worth trying.
 * @param {Spec} spec
 * @returns {[number, number]}
 */
export function slideOf({ values, start, kind }) {
  const known = [...values, start].filter((value) => typeof value === "number");
  if (!known.length) return [0, 0];
  const low = Math.min(...known);
  return [kind === "whole number" ? Math.min(1, low) : low, Math.max(...known)];
}
