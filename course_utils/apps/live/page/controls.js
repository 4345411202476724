// How is a training steered? Buttons that start and stop it, and the settings that may change while it runs.
import { makeField, slider } from "../../common/page/controls.js";
import { button, element, newId, options, update } from "../../common/page/elements.js";
import { counted, percent, typed, written } from "../../common/page/numbers.js";
import { shareNow } from "./training.js";

/** @import { Conversation } from "../../common/page/conversation.js" */
/** @import { Facts, Scene, Settings } from "./types.js" */

/** @param {Conversation} talk */
export function makeToolbar({ act }) {
  let running = false;
  const main = button("▶ Start", "train in the background", () => act(running ? "pause" : "start"), { class: "main" });
  const step = button("Step", "one update", () => act("step"));
  const stop = button("Stop", "end this training", () => act("stop"));
  const reset = button("Reset", "weights and settings as they were at first", () => act("reset"));
  const bar = element("progress", { "aria-label": "share of the budget" });
  const numbers = element("span", { class: "numbers" });
  const node = element("div", { class: "toolbar" }, main, step, stop, reset, bar, numbers);
  const show = (/** @type {Scene} */ { training, settings: { budget } }) => {
    const { stage, steps, last } = training;
    running = stage === "running";
    update(main, running ? "❚❚ Pause" : "▶ Start");
    const open = stage === "ready" || stage === "paused";
    able(main, running || open);
    able(step, open);
    able(stop, running || open);
    Object.assign(bar, { max: budget, value: Math.min(steps, budget) });
    const loss = last === null ? "—" : written(last, 3);
    const right = percent(shareNow(training));
    update(numbers, `loss ${loss} · test ${right} · step ${counted(steps)} of ${counted(budget)}`);
  };
  return { node, show };
}

/**
 * A button that would do nothing says so, and keeps its focus all the same.
 * @type {(button: HTMLElement, can: boolean) => void}
 */
const able = (button, can) => update(button, null, { "aria-disabled": !can });

const LOWEST_LR = 1e-5; // of the slider

/**
 * @param {Facts} facts
 * @param {Conversation} talk
 */
export function makeSettings({ range, optimizers }, { want }) {
  const [low, high] = range.lr;
  const select = element("select", { id: newId(), onchange: () => want({ optimizer: select.value }) });
  const rate = { min: Math.max(low, LOWEST_LR), max: high, log: true, format: (/** @type {number} */ v) => written(v) };
  const lr = slider({ label: "lr", hint: "learning rate", ...rate, onInput: (value) => want({ lr: value }) });
  const share = { min: 0, max: 0.99, step: 0.01, format: (/** @type {number} */ value) => typed(value, 3) };
  const momentum = slider({ label: "momentum", ...share, onInput: (value) => want({ momentum: value }) });
  const [least, most] = range.budget;
  const spend = () => want({ budget: Number.isNaN(budget.valueAsNumber) ? null : budget.valueAsNumber });
  const budget = element("input", { type: "number", min: least, max: most, step: 100, id: newId(), onchange: spend });
  const title = "steps after which it ends by itself";
  const fields = {
    optimizer: makeField(element("label", { for: select.id }, "optimizer"), select),
    lr: makeField(lr.label, lr.thumb, lr.shown),
    momentum: makeField(momentum.label, momentum.thumb, momentum.shown),
    budget: makeField(element("label", { for: budget.id, title }, "budget (steps)"), budget),
  };
  const rows = Object.values(fields).map((field) => field.node);
  const node = element("div", { class: "settings", role: "group", "aria-label": "settings" }, ...rows);
  const show = (/** @type {Scene} */ { settings, refused }) => {
    const { optimizer } = settings;
    const known = optimizers.includes(optimizer) ? optimizers : [optimizer, ...optimizers];
    if (select.options.length !== known.length) select.replaceChildren(...options(known));
    for (const [name, field] of Object.entries(fields)) update(field.words, refused[name] ?? "");
    select.value = optimizer;
    lr.show(settings.lr);
    showMomentum(momentum, settings);
    if (!budget.matches(":focus")) budget.value = String(settings.budget);
  };
  return { node, show };
}

/** @type {(momentum: ReturnType<typeof slider>, settings: Settings) => void} */
function showMomentum({ thumb, label, shown, show }, { momentum, optimizer }) {
  thumb.disabled = momentum === null;
  update(label, optimizer.startsWith("Adam") ? "momentum β₁" : "momentum");
  if (momentum === null) update(shown, "none");
  else show(momentum);
}
