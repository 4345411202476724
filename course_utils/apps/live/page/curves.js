// How does a training look? Loss and accuracy on canvases, and the test images with what the network says of them.
import { legible, veiled } from "../../common/page/colors.js";
import { element, update } from "../../common/page/elements.js";
import { clipped, joined, pixels, sized, stroke, write } from "../../common/page/marks.js";
import { counted, percent, typed, written } from "../../common/page/numbers.js";
import { axes, drawAxes, drawLevel, inside } from "../../common/page/plot.js";
import { longEnough, lossTop, shareNow, spells } from "./training.js";

/** @import { Look, Pair, Plot } from "../../common/page/types.js" */
/** @import { Facts, Mark, Scene } from "./types.js" */

const LOSS_HEIGHT = 270;
const ACCURACY_HEIGHT = 150;
const MARGIN = { left: 58, right: 14, top: 14, bottom: 32 };
const MOST_DOTS = 60;

/** @param {Facts} facts */
export function makeCurves(facts) {
  const [loss, accuracy] = [element("canvas", { role: "img" }), element("canvas", { role: "img" })];
  const node = element("div", { class: "curves" }, loss, accuracy);
  const show = (/** @type {Scene} */ scene) => {
    const width = node.clientWidth;
    const { steps, last, marks } = scene.training;
    drawLoss(sized(loss, width, LOSS_HEIGHT), width, scene, facts);
    drawAccuracy(sized(accuracy, width, ACCURACY_HEIGHT), width, scene, facts);
    const changes = marks.map(({ step, text }) => `${text} at step ${step}`).join(", ") || "none";
    const level = last === null ? "none yet" : written(last, 3);
    const told = `Training loss after ${steps} steps, smoothed: ${level}. Changes: ${changes}.`;
    update(loss, null, { "aria-label": told });
    update(accuracy, null, { "aria-label": `Test accuracy, last measured: ${percent(shareNow(scene.training))}.` });
  };
  return { node, show };
}

/**
 * Loss of every batch, pale, and smoothed, in the colour of the optimizer that made the steps.
 * @type {(context: CanvasRenderingContext2D, width: number, scene: Scene, facts: Facts) => void}
 */
function drawLoss(context, width, { training, look }, { classes, colors }) {
  context.clearRect(0, 0, width, LOSS_HEIGHT);
  const guess = Math.log(classes.length);
  const { losses, smoothed, every, steps, marks } = training;
  const box = inside(width, LOSS_HEIGHT, MARGIN);
  const plot = axes(box, [0, longEnough(steps)], [0, lossTop(smoothed, guess)]);
  drawAxes(context, plot, look, { xName: "step", yName: "loss", grid: true, sayX: counted, sayY: (v) => typed(v, 3) });
  drawLevel(context, plot, guess, `guessing: ${guess.toFixed(3)}`, look);
  const points = (/** @type {Float32Array} */ values, from = 0) =>
    Array.from(values, (value, i) => /** @type {Pair} */ ([plot.X((from + i) * every), plot.Y(value)]));
  clipped(context, plot, () => {
    stroke(context, joined(points(losses)), veiled(look.dark ? "#c8d6e6" : "#465a73", 0.32), 1.1);
    for (const [from, to, name] of spells(training)) {
      const color = legible(colors[name] ?? look.ink, look.ground);
      stroke(context, joined(points(smoothed.slice(from, to + 1), from)), color, 3);
    }
  });
  drawMarks(context, plot, marks, look);
}

/**
 * Share of test images classified rightly, each time it was measured.
 * @type {(context: CanvasRenderingContext2D, width: number, scene: Scene, facts: Facts) => void}
 */
function drawAccuracy(context, width, { training: { exams, steps }, look }, { classes, colors }) {
  context.clearRect(0, 0, width, ACCURACY_HEIGHT);
  const best = Math.max(...exams.map(([, share]) => share));
  const box = inside(width, ACCURACY_HEIGHT, MARGIN);
  const plot = axes(box, [0, longEnough(steps)], [0, Math.min(1, Math.max(0.4, best * 1.2))]);
  const sayY = (/** @type {number} */ share) => `${Math.round(100 * share)} %`;
  drawAxes(context, plot, look, { xName: "step", yName: "test", grid: true, sayX: counted, sayY });
  drawLevel(context, plot, 1 / classes.length, "guessing", look);
  const color = legible(colors.right, look.ground);
  const places = exams.map(([step, share]) => /** @type {Pair} */ ([plot.X(step), plot.Y(share)]));
  stroke(context, joined(places), color, 2.4);
  const every = Math.ceil(places.length / MOST_DOTS);
  context.fillStyle = color;
  for (const [index, [x, y]] of places.entries()) {
    if (index % every && index < places.length - 1) continue;
    context.beginPath();
    context.arc(x, y, 4, 0, 7);
    context.fill();
  }
}

/**
 * An upright line at each change; its words in the first of three rows that has room, or none.
 * @type {(context: CanvasRenderingContext2D, plot: Plot, marks: Mark[], look: Look) => void}
 */
function drawMarks(context, plot, marks, look) {
  const ends = [0, 0, 0].fill(Number.NEGATIVE_INFINITY);
  const bottom = plot.top + plot.height;
  context.font = look.font;
  for (const { step, text } of marks) {
    const x = plot.X(step);
    stroke(
      context,
      [
        [x, plot.top],
        [x, bottom],
      ],
      look.ink,
      1.3,
      [5, 3],
    );
    const { width } = context.measureText(text);
    const left = Math.min(x + 6, plot.left + plot.width - width - 4);
    const row = ends.findIndex((end) => end < left - 8);
    if (row < 0) continue;
    ends[row] = left + width;
    const style = { color: look.ink, font: look.font, halo: look.ground, align: /** @type {const} */ ("left") };
    write(context, text, left, bottom - 14 - 20 * row, style);
  }
}

/** @param {Facts} facts */
export function makeGallery(facts) {
  const title = element("p", { class: "title" });
  const tiles = facts.labels.map((label, number) => makeTile(label, number, facts));
  const list = element("ul", { class: "tiles" }, ...tiles.map((tile) => tile.node));
  const node = element("section", { class: "gallery", "aria-label": "test images and predictions" }, title, list);
  const show = (/** @type {Scene} */ { training: { exams, predictions, certainty } }) => {
    const [step, share] = exams[exams.length - 1];
    update(title, `Test images after ${counted(step)} steps: ${percent(share)} of all right`);
    for (const [number, tile] of tiles.entries()) tile.show(predictions[number], certainty[number]);
  };
  return { node, show };
}

/** @type {(label: number, number: number, facts: Facts) => { node: HTMLElement, show: (prediction: number, sure: number) => void }} */
function makeTile(label, number, { images, classes }) {
  const paint = (/** @type {Uint8ClampedArray} */ data) => {
    for (let i = 0; i < 1024; i++) {
      for (let c = 0; c < 3; c++) data[4 * i + c] = images.getUint8(3072 * number + 3 * i + c);
      data[4 * i + 3] = 255;
    }
  };
  const canvas = pixels(32, 32, paint, element("canvas", { "aria-hidden": "true" }));
  const [guess, truth] = [element("span", { class: "guess" }), element("span", { class: "truth" })];
  const node = element("li", {}, canvas, guess, truth);
  const plain = (/** @type {string} */ name) => name.replaceAll("_", " ");
  const show = (/** @type {number} */ prediction, /** @type {number} */ sure) => {
    const right = prediction === label;
    node.classList.toggle("right", right);
    update(guess, `${right ? "✓" : "✗"} ${plain(classes[prediction])} ${percent(sure)}`);
    update(truth, right ? "" : `is ${plain(classes[label])}`);
  };
  return { node, show };
}
