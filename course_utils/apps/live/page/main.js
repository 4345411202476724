// How is a training steered? Buttons and sliders tell the kernel what to do, and the page shows its last message.
// @ts-nocheck
import {
  calmLine,
  element,
  keepKeys,
  LOG,
  oncePerFrame,
  onTheme,
  sized,
  slider,
  theme,
  written,
} from "../../common/page/frame.js";
import { drawAccuracy, drawTraining, paintImage, readTraining } from "./draw.js";

const LOSS_HEIGHT = 270;
const ACCURACY_HEIGHT = 150;
const TELL_MS = 100; // a slider under the hand tells the kernel no more often
const HOLD_MS = 900; // and shows where the hand put it, until the kernel has had time to answer

/** Orders to the kernel; what a slider says is held back a little, and the last word is always sent. */
function ordersOf(model) {
  const held = {};
  let waiting = {};
  let timer = 0;
  const flush = () => {
    timer = 0;
    if (Object.keys(waiting).length) model.send({ set: waiting });
    waiting = {};
  };
  const set = (name, value) => {
    held[name] = { value, until: performance.now() + HOLD_MS };
    waiting[name] = value;
    timer ||= setTimeout(flush, TELL_MS);
  };
  const act = (name) => {
    flush();
    if (name === "reset") for (const key of Object.keys(held)) delete held[key];
    model.send({ do: name });
  };
  const shown = (name, value) => (held[name]?.until > performance.now() ? held[name].value : value);
  return { set, act, shown, release: (name) => delete held[name], stop: () => clearTimeout(timer) };
}

function render({ model, el }) {
  const facts = model.get("_facts");
  const orders = ordersOf(model);
  const root = element("div", { class: "course-app live", role: "group", "aria-label": "Live training" });
  const parts = {
    toolbar: makeLiveBar(orders),
    curves: makeCurves(facts),
    gallery: makeGallery(facts),
    settings: makeSettings(facts, orders),
  };
  const words = element("p", { class: "words" });
  const spoken = element("p", { class: "only-heard", role: "status", "aria-live": "polite" });
  const say = calmLine(spoken, 1500);
  const redraw = oncePerFrame(() => {
    const training = readTraining(model.get("_progress"));
    const scene = { training, facts, look: theme(root) };
    for (const part of Object.values(parts)) part.show(scene);
    words.textContent = training.words;
    words.classList.toggle("failed", training.stage === "failed");
    say(spokenWords(training));
  });
  const { toolbar, curves, gallery, settings } = parts;
  root.append(
    toolbar.node,
    words,
    element("div", { class: "views" }, curves.node, gallery.node),
    settings.node,
    spoken,
  );
  keepKeys(root);
  el.append(root);
  model.on("change:_progress", redraw);
  const resized = new ResizeObserver(redraw);
  resized.observe(root);
  const stopTheme = onTheme(redraw);
  return () => {
    model.off("change:_progress", redraw);
    resized.disconnect();
    stopTheme();
    redraw.cancel();
    say.cancel();
    orders.stop();
  };
}

export default { render };

const percent = (share) => `${(100 * share).toFixed(0)}\u00a0%`;

/** While it runs, every hundredth step is enough to be told. */
function spokenWords({ stage, words, steps, last, exams }) {
  if (stage !== "running") return words;
  const hundreds = 100 * Math.floor(steps / 100);
  return hundreds
    ? `Step ${hundreds}: loss ${written(last ?? NaN, 3)}, ${percent(exams.at(-1)[1])} right.`
    : "Training.";
}

// ---- The toolbar ----------------------------------------------------------------------------------------------

function makeLiveBar({ act }) {
  const button = (text, title, onclick) => element("button", { type: "button", title, onclick }, text);
  let running = false;
  const main = button("▶ Start", "train in the background", () => act(running ? "pause" : "start"));
  main.classList.add("main");
  const step = button("Step", "one update", () => act("step"));
  const stop = button("Stop", "end this training", () => act("stop"));
  const reset = button("Reset", "weights and settings as they were at first", () => act("reset"));
  const bar = element("progress", { "aria-label": "share of the budget" });
  const numbers = element("span", { class: "numbers" });
  const node = element("div", { class: "toolbar" }, main, step, stop, reset, bar, numbers);
  const show = ({ training: { stage, steps, budget, last, exams } }) => {
    running = stage === "running";
    main.textContent = running ? "❚❚ Pause" : "▶ Start";
    const open = stage === "ready" || stage === "paused";
    able(main, running || open);
    able(step, open);
    able(stop, running || open);
    Object.assign(bar, { max: budget, value: Math.min(steps, budget) });
    const loss = last === null ? "—" : written(last, 3);
    numbers.textContent = `loss ${loss} · test ${percent(exams.at(-1)[1])} · step ${steps.toLocaleString("en-US")} of ${budget.toLocaleString("en-US")}`;
  };
  return { node, show };
}

/** A button that would do nothing says so, and keeps its focus all the same. */
const able = (button, can) => button.setAttribute("aria-disabled", !can);

// ---- Curves and images ------------------------------------------------------------------------------------------

function makeCurves() {
  const [loss, accuracy] = [element("canvas", { role: "img" }), element("canvas", { role: "img" })];
  const node = element("div", { class: "curves" }, loss, accuracy);
  const show = (scene) => {
    const width = node.clientWidth;
    if (width < 50) return;
    const { steps, last, exams, marks } = scene.training;
    drawTraining(sized(loss, width, LOSS_HEIGHT), width, LOSS_HEIGHT, scene);
    drawAccuracy(sized(accuracy, width, ACCURACY_HEIGHT), width, ACCURACY_HEIGHT, scene);
    const changes = marks.map(({ step, text }) => `${text} at step ${step}`).join(", ");
    const level = last === null ? "none yet" : written(last, 3);
    loss.setAttribute(
      "aria-label",
      `Training loss after ${steps} steps, smoothed: ${level}. Changes: ${changes || "none"}.`,
    );
    accuracy.setAttribute("aria-label", `Test accuracy, last measured: ${percent(exams.at(-1)[1])}.`);
  };
  return { node, show };
}

function makeGallery(facts) {
  const title = element("p", { class: "title" });
  const tiles = facts.labels.map((label, number) => makeTile(label, number, facts));
  const list = element("ul", { class: "tiles" }, ...tiles.map((tile) => tile.node));
  const node = element("section", { class: "gallery", "aria-label": "test images and predictions" }, title, list);
  const show = ({ training: { exams, predictions, certainty } }) => {
    const [step, share] = exams.at(-1);
    title.textContent = `Test images after ${step.toLocaleString("en-US")} steps: ${percent(share)} of all right`;
    tiles.forEach((tile, number) => tile.show(predictions[number], certainty[number]));
  };
  return { node, show };
}

function makeTile(label, number, { images, classes }) {
  const canvas = element("canvas", { "aria-hidden": "true" });
  paintImage(canvas, images, number);
  const guess = element("span", { class: "guess" });
  const truth = element("span", { class: "truth" });
  const node = element("li", {}, canvas, guess, truth);
  const plain = (name) => name.replaceAll("_", " ");
  const show = (prediction, sure) => {
    const right = prediction === label;
    node.classList.toggle("right", right);
    guess.textContent = `${right ? "✓" : "✗"} ${plain(classes[prediction])} ${percent(sure)}`;
    truth.textContent = right ? "" : `is ${plain(classes[label])}`;
  };
  return { node, show };
}

// ---- The settings -----------------------------------------------------------------------------------------------

function makeSettings(facts, orders) {
  const { set } = orders;
  const choose = ({ target }) => set("optimizer", target.value);
  const select = element("select", { id: `live-optimizer-${++settingsMade}`, onchange: choose });
  const [low, high] = facts.range.lr;
  const rate = { min: Math.max(low, 1e-5), max: high, ...LOG, format: (value) => written(value, 3) };
  const lr = slider({ label: "lr", hint: "learning rate", ...rate, onInput: (value) => set("lr", value) });
  const share = (value) => String(Number(value.toFixed(3)));
  const momentum = slider({
    label: "momentum",
    min: 0,
    max: 0.99,
    step: 0.01,
    format: share,
    onInput: (value) => set("momentum", value),
  });
  const [least, most] = facts.range.budget;
  const count = { type: "number", min: least, max: most, step: 100, id: `live-budget-${settingsMade}` };
  const budget = element("input", { ...count, onchange: ({ target }) => set("budget", target.valueAsNumber) });
  const fields = {
    optimizer: makeField(element("label", { for: select.id }, "optimizer"), select),
    lr: makeField(lr.label, lr.thumb, lr.shown),
    momentum: makeField(momentum.label, momentum.thumb, momentum.shown),
    budget: makeField(
      element("label", { for: budget.id, title: "steps after which it ends by itself" }, "budget (steps)"),
      budget,
    ),
  };
  const node = element(
    "div",
    { class: "settings", role: "group", "aria-label": "settings" },
    ...Object.values(fields).map((f) => f.node),
  );
  const show = ({ training }) => {
    const known = facts.optimizers.includes(training.optimizer)
      ? facts.optimizers
      : [training.optimizer, ...facts.optimizers];
    if (select.options.length !== known.length)
      select.replaceChildren(...known.map((value) => element("option", { value }, value)));
    const { refused } = training;
    for (const [name, field] of Object.entries(fields)) {
      field.say(refused[name] ?? (name === "optimizer" ? refused.words : "") ?? "");
      if (refused[name]) orders.release(name);
    }
    select.value = orders.shown("optimizer", training.optimizer);
    lr.show(orders.shown("lr", training.lr));
    showMomentum(momentum, training, orders);
    if (document.activeElement !== budget) budget.value = training.budget;
  };
  return { node, show };
}

let settingsMade = 0;

function showMomentum(momentum, training, orders) {
  const has = training.momentum !== null;
  momentum.thumb.disabled = !has;
  momentum.label.textContent = training.optimizer.startsWith("Adam") ? "momentum β₁" : "momentum";
  if (has) momentum.show(orders.shown("momentum", training.momentum));
  else momentum.shown.textContent = "none";
}

function makeField(...parts) {
  const words = element("p", { class: "refused", role: "alert" });
  const node = element("div", { class: "field" }, ...parts, words);
  const say = (text) => {
    if (words.textContent !== text) words.textContent = text;
  };
  return { node, say };
}
