// What stands around the chart? A toolbar, the code, a legend, and the settings of the run and of the scheduler.
import { button, drawing, element, newId, options, update } from "../../common/page/elements.js";
import { typed } from "../../common/page/numbers.js";
import { changes } from "../../common/page/timing.js";
import { DASHES } from "./chart.js";
import { makeField } from "./field.js";

/** @import { Conversation } from "../../common/page/conversation.js" */
/** @import { Facts, Scene, Sent, Spec } from "./types.js" */

const MEANT = {
  epoch: "Meant to be called per epoch.",
  step: "Meant to be called per batch.",
  either: "Per epoch or per batch.",
};

/** @type {(facts: Facts, talk: Conversation) => { node: HTMLElement, show: (scene: Scene) => void }} */
export function makeToolbar(facts, { want, act }) {
  const choose = () => want({ scheduler: select.value });
  const about = { "aria-label": "scheduler", onchange: choose };
  const select = element("select", about, ...options(Object.keys(facts.schedulers)));
  const cadences = { epoch: "per epoch", step: "per batch" };
  const cadence = makeRadios("scheduler.step()", cadences, (value) => want({ cadence: value }));
  const scale = makeRadios("lr axis", { linear: "linear", log: "log" }, (value) => want({ scale: value }));
  const pin = button("Pin curve", "keep this curve to compare it with others", () => act("pin"));
  const reset = button("Reset", "all settings as they were at first", () => act("reset"));
  const node = element("div", { class: "toolbar" }, select, cadence.node, scale.node, pin, reset);
  const show = (/** @type {Scene} */ { settings, refused }) => {
    select.value = settings.scheduler;
    cadence.show(settings.cadence, refused.cadence);
    scale.show(settings.scale);
  };
  return { node, show };
}

/** @type {(label: string, choices: Record<string, string>, onValue: (value: string) => void) => { node: HTMLElement, show: (value: string, refused?: string) => void }} */
function makeRadios(label, choices, onValue) {
  const name = newId();
  const inputs = Object.keys(choices).map((value) =>
    element("input", { type: "radio", name, value, onchange: () => onValue(value) }),
  );
  const labels = inputs.map((input) => element("label", { class: "choice" }, input, choices[input.value]));
  const words = element("span", { class: "refused" });
  const node = element("div", { class: "radios", role: "radiogroup", "aria-label": label });
  node.append(element("span", { class: "of" }, label), ...labels, words);
  const show = (/** @type {string} */ value, refused = "") => {
    for (const input of inputs) input.checked = input.value === value;
    update(words, refused);
  };
  return { node, show };
}

/** @param {(words: string) => void} say */
export function makeCode(say) {
  const text = element("code");
  const frame = element("pre", { tabindex: "0", role: "group", "aria-label": "torch code of this curve" }, text);
  const copied = element("span", { class: "hint" });
  const told = (/** @type {string} */ words) => {
    update(copied, words);
    say(words);
  };
  const copy = async () => {
    try {
      await navigator.clipboard.writeText(text.textContent ?? "");
      told("Copied.");
    } catch {
      // Without https a page may not write to the clipboard; the reader's own key may.
      getSelection()?.selectAllChildren(text);
      told("Selected: press Ctrl-C.");
    }
  };
  const line = element("span", {}, "The same in PyTorch");
  const title = element("div", { class: "title" }, line, button("Copy", "copy the code", copy), copied);
  const node = element("section", { class: "code", "aria-label": "torch code" }, title, frame);
  const show = (/** @type {Scene} */ { view }) => {
    if (text.textContent === view.code) return;
    update(text, view.code);
    told("");
  };
  return { node, show };
}

/** @param {Conversation} talk */
export function makeLegend(talk) {
  const node = element("ul", { class: "legend", "aria-label": "curves" });
  const isNew = changes();
  const show = (/** @type {Scene} */ { view, colors }) => {
    const all = [view.plan, ...view.pins];
    if (
      !isNew(
        all.map(({ name, lr, same }) => [name, lr, same]),
        colors,
      )
    )
      return;
    node.replaceChildren(...all.map((plan, number) => makeEntry(plan, number, colors[number], talk)));
  };
  return { node, show };
}

/** @type {(plan: Sent, number: number, color: string, talk: Conversation) => HTMLElement} */
function makeEntry({ name, lr, same }, number, color, { act }) {
  const { node: sign, path } = drawing("0 0 38 12", "M1 6H37");
  update(path, null, { stroke: color, "stroke-width": 3, "stroke-dasharray": DASHES[number].join(" ") || "none" });
  const unpin = () => act("unpin", number - 1);
  const more = number ? [button("Unpin", `let go of ${name}`, unpin, { "aria-label": `unpin ${name}` })] : [];
  const also = number && same ? ": the same curve" : "";
  return element("li", {}, sign, element("span", {}, `${name}, lr ${typed(lr)}${also}`), ...more);
}

/** @type {Spec[]} */
const RUN = [
  { name: "lr", kind: "number", values: [0.01, 0.1, 1], slide: [1e-4, 1], summary: "lr of the optimizer at the start" },
  { name: "epochs", kind: "whole number", values: [20, 50, 100], slide: [1, 100], summary: "passes over the data" },
  {
    name: "steps_per_epoch",
    kind: "whole number",
    values: [16, 156, 782],
    slide: [1, 800],
    summary: "updates in each: len(loader)",
  },
];

/** @type {(facts: Facts, talk: Conversation) => { node: HTMLElement, show: (scene: Scene) => void }} */
export function makeControls(facts, { want }) {
  const run = RUN.map((spec) => makeField(spec, (value) => want({ [spec.name]: value })));
  const title = element("h4");
  const about = element("p", { class: "hint" });
  const own = element("div", { class: "fields" });
  const ofRun = element("div", { class: "fields" }, ...run.map((field) => field.node));
  const box = (/** @type {string} */ label, /** @type {Node[]} */ ...inside) =>
    element("section", { class: "box", "aria-label": label }, ...inside);
  const node = element("div", { class: "controls" });
  node.append(box("the run", element("h4", {}, "The run"), ofRun), box("the scheduler", title, about, own));
  let scheduler = "";
  /** @type {ReturnType<typeof makeField>[]} */
  let fields = [];
  const enter = (/** @type {string} */ name) => {
    scheduler = name;
    const { controls, does, cadence, reason } = facts.schedulers[name];
    fields = controls.map((spec) => makeField(spec, (value) => want({ parameters: { [spec.name]: value } })));
    own.replaceChildren(...fields.map((field) => field.node));
    const sample = controls.length ? "" : " It is played as a sample: change it in the code.";
    update(title, name);
    update(about, `${does} ${MEANT[cadence]} ${reason}${sample}`);
  };
  const show = (/** @type {Scene} */ { settings, refused }) => {
    if (settings.scheduler !== scheduler) enter(settings.scheduler);
    for (const field of run) field.show(settings[/** @type {"lr"} */ (field.spec.name)], refused[field.spec.name]);
    for (const { spec, show: fill } of fields) {
      const { parameters } = settings;
      fill(spec.name in parameters ? parameters[spec.name] : spec.start, refused[spec.name]);
    }
  };
  return { node, show };
}
