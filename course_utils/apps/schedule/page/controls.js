// How is one setting set? A name, an input of its kind, values worth trying, and words when a value is refused.
// @ts-nocheck
import { element } from "../../common/page/frame.js";

/** A number as one would type it. */
export const shortNumber = (value) =>
  typeof value === "number" ? String(Number(value.toPrecision(4))) : String(value);
const asText = (value) => (value === null ? "" : Array.isArray(value) ? value.join(", ") : shortNumber(value));

let fieldsMade = 0;

/** One setting: its name, an input of its kind, values worth trying, and the words with which a value was refused. */
export function makeControl(spec, onValue) {
  const id = `course-field-${++fieldsMade}`;
  const words = element("p", { class: "refused", id: `${id}-words` });
  const input = MAKERS[spec.kind](spec, id, onValue, words);
  const label = element("label", { for: id, title: spec.summary }, spec.name);
  const chips =
    spec.kind === "choice" || spec.kind === "switch" ? [] : spec.values.map((value) => makeChip(spec, value, onValue));
  const tries = element("div", { class: "chips" }, ...chips.map((chip) => chip.node));
  const node = element(
    "div",
    { class: "field" },
    label,
    ...input.nodes,
    tries,
    element("p", { class: "summary" }, spec.summary),
    words,
  );
  const show = (value, refused = "") => {
    words.textContent = refused;
    node.classList.toggle("wrong", Boolean(refused));
    input.main.setAttribute("aria-invalid", Boolean(refused));
    if (!refused) input.show(value);
    chips.forEach((chip) => chip.show(value));
  };
  input.main.setAttribute("aria-describedby", `${id}-words`);
  return { name: spec.name, node, show };
}

function makeChip(spec, value, onValue) {
  const text = asText(value);
  const about = { type: "button", class: "chip", "aria-label": `${spec.name} ${text}`, onclick: () => onValue(value) };
  const node = element("button", about, text);
  return { node, show: (present) => node.setAttribute("aria-pressed", asText(present) === text) };
}

const MAKERS = {
  number: makeNumber,
  "whole number": makeNumber,
  list: (spec, id, onValue, words) => makeTyped(spec, id, onValue, words, readList),
  choice: (spec, id, onValue) => {
    const choices = spec.values.map((value) => element("option", { value }, value));
    const main = element("select", { id, onchange: ({ target }) => onValue(target.value) }, ...choices);
    return { main, nodes: [main], show: (value) => (main.value = value) };
  },
  switch: (_spec, id, onValue) => {
    const main = element("input", { type: "checkbox", id, onchange: ({ target }) => onValue(target.checked) });
    return { main, nodes: [main], show: (value) => (main.checked = value) };
  },
};

const readNumber = (text) => Number(text);
const readList = (text) =>
  text
    .split(/[\s,]+/)
    .filter(Boolean)
    .map(Number);

/** A text field; what is no number at all is refused here, everything else by the kernel. */
function makeTyped(spec, id, onValue, words, read = readNumber) {
  const onchange = ({ target }) => {
    const text = target.value.trim();
    const value = text === "" ? null : read(text);
    if (value !== null && [value].flat().some((number) => !Number.isFinite(number))) {
      words.textContent = `${spec.name} must be ${spec.kind === "list" ? "whole numbers" : "a number"}, got ${text}; try ${asText(spec.values[0] ?? 0.1)}`;
    } else onValue(value);
  };
  const placeholder = spec.optional ? "None" : "";
  const main = element("input", { type: "text", id, inputmode: "decimal", autocomplete: "off", placeholder, onchange });
  const show = (value) => {
    if (document.activeElement !== main || main.value.trim() === "" || !main.matches(":focus"))
      main.value = asText(value);
    else if (read(main.value) === value || spec.kind === "list") main.value = asText(value);
  };
  return { main, nodes: [main], show };
}

/** A slider over the values worth trying, and a text field for all others. */
function makeNumber(spec, id, onValue, words) {
  const typed = makeTyped(spec, id, onValue, words);
  const [low, high] = spec.slide ?? slideOf(spec);
  if (!(high > low)) return typed;
  const whole = spec.kind === "whole number";
  const log = !whole && low > 0 && high / low >= 20;
  const [to, from] = log
    ? [Math.log10, (v) => Number((10 ** v).toPrecision(3))]
    : [(v) => v, (v) => Number(v.toPrecision(6))];
  const step = whole ? 1 : log ? 0.025 : Number(((high - low) / 50).toPrecision(2));
  const oninput = ({ target }) => {
    const value = Math.min(Number(target.dataset.high), Math.max(low, from(Number(target.value))));
    typed.main.value = asText(value);
    onValue(value);
  };
  const about = {
    type: "range",
    min: to(low),
    max: to(high),
    step,
    "aria-label": spec.name,
    "data-high": high,
    oninput,
  };
  const thumb = element("input", about);
  const show = (value) => {
    typed.show(value);
    if (value === null) return;
    const top = Math.max(high, value);
    thumb.dataset.high = top;
    thumb.max = to(top);
    if (from(Number(thumb.value)) !== value) thumb.value = value > 0 || !log ? to(value) : thumb.min;
    thumb.setAttribute("aria-valuetext", asText(value));
  };
  return { main: typed.main, nodes: [thumb, typed.main], show };
}

function slideOf({ values, start, kind }) {
  const known = [...values, start].filter((value) => typeof value === "number");
  if (!known.length) return [0, 0];
  const low = Math.min(...known);
  return [kind === "whole number" ? Math.min(1, low) : low, Math.max(...known)];
}
