// How does a training look? Loss and sharpness over the steps, and the loss along the steepest direction.
import { element, update } from "../../common/page/elements.js";
import { clipped, joined, marker, sized, stroke, write } from "../../common/page/marks.js";
import { counted, typed, written } from "../../common/page/numbers.js";
import { axes, drawAxes, drawLevel, inside } from "../../common/page/plot.js";
import { longEnough, longest, lossLimits, sharpnessTop, thinned } from "./limits.js";
import { formula, limitOf, numbersNow } from "./words.js";

/** @import { Pair, Plot } from "../../common/page/types.js" */
/** @import { Scene, Slice } from "./types.js" */

const SHARPNESS_HEIGHT = 260;
const LOSS_HEIGHT = 200;
const SLICE_HEIGHT = 260;
const MARGIN = { left: 84, right: 14, top: 14, bottom: 32 }; // to the left there is room for "sharpness"
/** Dashes of the present run and of those that are kept, as a second sign beside the colour. */
export const DASHES = [[], [8, 4], [2, 3], [10, 3, 2, 3]];
const num = (/** @type {number} */ value) => typed(value, 3);

export function makeCharts() {
  const [sharpness, loss] = [element("canvas", { role: "img" }), element("canvas", { role: "img" })];
  const node = element("div", { class: "curves" }, sharpness, loss);
  const show = (/** @type {Scene} */ scene) => {
    const width = node.clientWidth;
    drawSharpness(sized(sharpness, width, SHARPNESS_HEIGHT), width, scene);
    drawLoss(sized(loss, width, LOSS_HEIGHT), width, scene);
    const now = numbersNow(scene.training, scene.settings);
    const others = scene.kept.map(({ name }) => name).join("; ") || "none";
    update(sharpness, null, { "aria-label": `Sharpness over the steps. ${now}. Kept runs: ${others}.` });
    update(loss, null, { "aria-label": `Loss over the steps, logarithmic. ${now}.` });
  };
  return { node, show };
}

/** @type {(context: CanvasRenderingContext2D, width: number, scene: Scene) => void} */
function drawSharpness(context, width, { training, settings, kept, colors, every, look }) {
  context.clearRect(0, 0, width, SHARPNESS_HEIGHT);
  const limit = limitOf(settings);
  const rows = [training.sharpness, ...kept.map((run) => run.sharpness)];
  const top = sharpnessTop(rows, limit);
  const box = inside(width, SHARPNESS_HEIGHT, MARGIN);
  const plot = axes(box, [0, longEnough(longest(training, kept))], [0, top]);
  drawAxes(context, plot, look, { xName: "step", yName: "sharpness", grid: true, sayX: counted, sayY: num });
  clipped(context, plot, () => {
    drawRows(context, plot, rows, every, colors);
    const stairs = thinned(training.limits, every).flatMap(([step, value], i, all) => {
      const before = i ? all[i - 1][1] : value;
      return /** @type {Pair[]} */ ([
        [step, before],
        [step, value],
      ]);
    });
    stroke(context, placed(plot, stairs), look.ink, 1.6, [3, 3]);
  });
  const words = `${formula(settings.momentum)} = ${written(limit, 3)}`;
  if (limit < top) drawLevel(context, plot, limit, words, look);
  else {
    const style = { color: look.pale, font: look.font, align: /** @type {const} */ ("right") };
    write(context, `${words} lies above`, plot.left + plot.width - 6, plot.top + 14, style);
  }
}

/** @type {(context: CanvasRenderingContext2D, width: number, scene: Scene) => void} */
function drawLoss(context, width, { training, kept, colors, look }) {
  context.clearRect(0, 0, width, LOSS_HEIGHT);
  const rows = [training.losses, ...kept.map((run) => run.losses)];
  const box = inside(width, LOSS_HEIGHT, MARGIN);
  const plot = axes(box, [0, longEnough(longest(training, kept))], lossLimits(rows), { logY: true });
  drawAxes(context, plot, look, { xName: "step", yName: "loss", logY: true, grid: true, sayX: counted });
  clipped(context, plot, () => drawRows(context, plot, rows, 1, colors));
}

/**
 * The kept runs first, so that the present one lies on top.
 * @type {(context: CanvasRenderingContext2D, plot: Plot, rows: number[][], each: number, colors: string[]) => void}
 */
function drawRows(context, plot, rows, each, colors) {
  for (let i = rows.length - 1; i >= 0; i--)
    stroke(context, placed(plot, thinned(rows[i], each)), colors[i], i ? 1.8 : 2.6, DASHES[i]);
}

/**
 * @param {Plot} plot
 * @param {Pair[]} points
 */
const placed = (plot, points) => joined(points.map(([x, y]) => /** @type {Pair} */ ([plot.X(x), plot.Y(y)])));

/** The loss when one walks along the steepest direction, the bowl that the sharpness makes of it, and the next step. */
export function makeSlice() {
  const canvas = element("canvas", { role: "img" });
  const title = element("p", { class: "title" }, "The loss along the steepest direction");
  const words = element("p", { class: "hint" });
  const node = element("section", { class: "slice", "aria-label": "loss along the steepest direction" });
  node.append(title, canvas, words);
  const show = (/** @type {Scene} */ scene) => {
    const width = node.clientWidth;
    const context = sized(canvas, width, SLICE_HEIGHT);
    context.clearRect(0, 0, width, SLICE_HEIGHT);
    if (scene.slice) drawSlice(context, width, scene, scene.slice);
    const told = scene.slice ? sliceWords(scene.slice) : "It is drawn from the first step on.";
    update(words, told);
    update(canvas, null, { "aria-label": `The loss along the steepest direction. ${told}` });
  };
  return { node, show };
}

/** @param {Slice} slice */
export function sliceWords({ slope, move, sharpness }) {
  const bottom = sharpness > 0 ? -slope / sharpness : Number.NaN;
  const far = move / bottom;
  if (!Number.isFinite(far) || far < 0)
    return "Dot: now. Ring: after the next step. Dashed: the parabola of the sharpness.";
  const how = far > 2 ? "higher up on the other side" : far > 1 ? "on the other side" : "on this side";
  return `Dot: now. Ring: after the next step, ${how} of the bottom. Dashed: the parabola of the sharpness.`;
}

/** @type {(context: CanvasRenderingContext2D, width: number, scene: Scene, slice: Slice) => void} */
function drawSlice(context, width, { colors, look }, slice) {
  const { reach, losses, here, slope, move, sharpness } = slice;
  const places = losses.map((_, i) => reach * ((2 * i) / (losses.length - 1) - 1));
  const bowl = (/** @type {number} */ a) => here + slope * a + (sharpness * a * a) / 2;
  const [low, high] = [Math.min(here, ...losses), Math.min(Math.max(...losses), here + 2)];
  const box = inside(width, SLICE_HEIGHT, { ...MARGIN, left: 58 });
  const room = Math.max(high - low, 1e-3);
  const plot = axes(box, [-reach, reach], [low - 0.2 * room, high + 0.1 * room]);
  drawAxes(context, plot, look, { xName: "way", yName: "loss", grid: true, sayX: num, sayY: num });
  clipped(context, plot, () => {
    const fine = Array.from({ length: 41 }, (_, i) => reach * (i / 20 - 1));
    stroke(context, placed(plot, fine.map((a) => [a, bowl(a)])), look.pale, 1.5, [5, 4]); // biome-ignore format: one call
    stroke(context, placed(plot, places.map((a, i) => [a, losses[i]])), colors[0], 2.6); // biome-ignore format: one call
    const ring = new Path2D();
    ring.arc(plot.X(move), plot.Y(bowl(move)), 7, 0, 7);
    stroke(context, ring, look.ink, 2.4);
    marker(context, "o", [plot.X(0), plot.Y(here)], 6, look.ink, look.ground);
  });
}
