// How is the training driven? Start, step, restart, keep; and lr, momentum and batch size while it runs.
import { makeField, slider } from "../../common/page/controls.js";
import { button, drawing, element, newId, update } from "../../common/page/elements.js";
import { typed, written } from "../../common/page/numbers.js";
import { DASHES } from "./charts.js";
import { numbersNow } from "./words.js";

/** @import { Conversation } from "../../common/page/conversation.js" */
/** @import { Facts, Scene } from "./types.js" */

/** @typedef {{ toggle: () => void, step: () => void, restart: () => void, keep: () => void, forget: () => void }} Acts */

/** @param {Acts} acts */
export function makeToolbar({ toggle, step, restart, keep, forget }) {
  const main = button("▶ Start", "train in this page", toggle, { class: "main" });
  const one = button("Step", "one update", step);
  const again = button("Restart", "weights as they were at first; settings stay", restart);
  const stay = button("Keep", "leave this run in the picture, and begin the next", keep);
  const gone = button("Forget", "take all kept runs out of the picture", forget);
  const numbers = element("span", { class: "numbers" });
  const node = element("div", { class: "toolbar" }, main, one, again, stay, gone, numbers);
  const show = (/** @type {Scene} */ { training, settings, running, kept }) => {
    update(main, running ? "❚❚ Pause" : "▶ Start");
    able(main, running || !training.lost);
    able(one, !running && !training.lost);
    able(stay, training.step > 0);
    able(gone, kept.length > 0);
    update(numbers, numbersNow(training, settings));
  };
  return { node, show };
}

/**
 * A button that would do nothing says so, and keeps its focus all the same.
 * @type {(button: HTMLElement, can: boolean) => void}
 */
const able = (button, can) => update(button, null, { "aria-disabled": !can });

/**
 * @param {Facts} facts
 * @param {Conversation} talk
 */
export function makeSettings({ range, batches }, { want }) {
  const [low, high] = range.lr;
  const rate = { min: low, max: high, log: true, format: (/** @type {number} */ value) => written(value, 3) };
  const lr = slider({ label: "lr", hint: "learning rate", ...rate, onInput: (value) => want({ lr: value }) });
  const share = { min: 0, max: range.momentum[1], step: 0.01, format: (/** @type {number} */ v) => typed(v, 3) };
  const momentum = slider({ label: "momentum", ...share, onInput: (value) => want({ momentum: value }) });
  const choose = () => want({ batch_size: Number(select.value) });
  const choices = batches.map((size, i) => element("option", { value: size }, i ? String(size) : `all ${size} images`));
  const select = element("select", { id: newId(), onchange: choose }, ...choices);
  const fields = {
    lr: makeField(lr.label, lr.thumb, lr.shown),
    momentum: makeField(momentum.label, momentum.thumb, momentum.shown),
    batch_size: makeField(element("label", { for: select.id }, "batch size"), select),
  };
  const rows = Object.values(fields).map((field) => field.node);
  const node = element("div", { class: "settings", role: "group", "aria-label": "settings" }, ...rows);
  const show = (/** @type {Scene} */ { settings, refused }) => {
    for (const [name, field] of Object.entries(fields)) update(field.words, refused[name] ?? "");
    lr.show(settings.lr);
    momentum.show(settings.momentum);
    select.value = String(settings.batch_size);
  };
  return { node, show };
}

/** Which line is which run. */
export function makeLegend() {
  const node = element("ul", { class: "legend", "aria-label": "runs" });
  let last = "";
  const show = (/** @type {Scene} */ { kept, colors }) => {
    const all = ["this run", ...kept.map(({ name }) => `kept: ${name}`)];
    const now = JSON.stringify([all, colors]);
    if (now === last) return;
    last = now;
    node.replaceChildren(
      ...all.map((name, i) => {
        const { node: sign, path } = drawing("0 0 38 12", "M1 6H37");
        update(path, null, { stroke: colors[i], "stroke-width": 3, "stroke-dasharray": DASHES[i].join(" ") || "none" });
        return element("li", {}, sign, element("span", {}, name));
      }),
    );
  };
  return { node, show };
}
