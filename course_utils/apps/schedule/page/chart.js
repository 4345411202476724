// How does a schedule look? Curves of the lr, the place where float32 loses the updates, and a cursor that reads them.
import { arrow } from "../../common/page/controls.js";
import { element, update } from "../../common/page/elements.js";
import { clipped, sized, stroke, write } from "../../common/page/marks.js";
import { counted, within } from "../../common/page/numbers.js";
import { axes, drawAxes, drawLevel, inside } from "../../common/page/plot.js";
import { changes } from "../../common/page/timing.js";
import { cursorWords, lrAt, lrLimits } from "./curves.js";

/** @import { Look, Plot } from "../../common/page/types.js" */
/** @import { Curve, Facts, Scene } from "./types.js" */

const HEIGHT = 340;

/** The dashes of the present curve, the first and the second pinned one. */
export const DASHES = [[], [9, 5], [2, 4]];

/**
 * @param {Facts} facts
 * @param {{ cursor: () => number | null, look: (cursor: number | null) => void }} page
 */
export function makeChart({ floor }, { cursor: present, look: point }) {
  const canvas = element("canvas", { role: "img" });
  const hint = element("p", { class: "hint" });
  const panel = element("div", { class: "panel", tabindex: "0", role: "group" }, canvas);
  const node = element("div", { class: "chart" }, panel, hint);
  /** @type {{ plot: Plot | null, steps: number, batches: number, text: string }} */
  const seen = { plot: null, steps: 1, batches: 1, text: "" };
  const isNew = changes();
  /** @type {unknown} */
  let drawn = null;
  const step = (/** @type {number} */ place) => within(Math.floor(place), 0, seen.steps - 1);
  panel.addEventListener("pointermove", ({ clientX }) => {
    if (seen.plot) point(step(seen.plot.atX(clientX - canvas.getBoundingClientRect().left) * seen.batches));
  });
  for (const leave of ["pointerleave", "blur"]) panel.addEventListener(leave, () => point(null));
  panel.addEventListener("keydown", (event) => {
    if (event.key === "Escape") point(null);
    const { across: by = 0 } = arrow(event, 1) ?? {};
    if (!by) return;
    event.preventDefault();
    point(step((present() ?? -by) + by * (event.shiftKey ? 1 : seen.batches)));
  });
  const show = (/** @type {Scene} */ scene) => {
    const { view, curves, cursor, settings, look } = scene;
    const width = panel.clientWidth;
    Object.assign(seen, { steps: Math.max(...curves.map(({ steps }) => steps)), batches: view.plan.steps_per_epoch });
    const at = cursor === null ? null : step(cursor);
    seen.text = at === null ? "" : cursorWords(curves, at, seen.batches);
    if (isNew(settings.scale, at, look, width, window.devicePixelRatio) || drawn !== view) {
      seen.plot = drawSchedules(sized(canvas, width, HEIGHT), width, { ...scene, cursor: at }, floor);
      drawn = view;
    }
    update(hint, seen.text || "Point at the curve, or use the arrow keys on it, to read the lr.");
    update(panel, null, { "aria-label": "lr of every update; arrow keys read it" });
    update(canvas, null, { "aria-label": `lr of every update of ${view.plan.name}` });
  };
  return { node, panel, show, words: () => seen.text };
}

/**
 * Draw the curves, the present one on top; returns the axes, so that a pointer can be understood.
 * @param {CanvasRenderingContext2D} context
 * @param {number} width
 * @param {Scene} scene
 * @param {number} floor
 */
function drawSchedules(context, width, { curves, colors, settings, cursor, look, view }, floor) {
  context.clearRect(0, 0, width, HEIGHT);
  const log = settings.scale === "log";
  const batches = view.plan.steps_per_epoch;
  const steps = Math.max(...curves.map((curve) => curve.steps));
  const box = inside(width, HEIGHT, { left: 58, right: 14 });
  const plot = axes(box, [0, steps / batches], lrLimits(curves, log, floor), { logY: log });
  const at = (/** @type {number} */ step) => plot.X(step / batches); // the axis counts epochs, the curves count steps
  if (curves[0].frozen !== null) drawFrozen(context, plot, at(curves[0].frozen), curves[0].frozen, look);
  drawAxes(context, plot, look, { logY: log, xName: "epoch", yName: "lr", grid: true });
  clipped(context, plot, () => {
    if (log && plot.ylim[0] < floor) drawLevel(context, plot, floor, "below: lost in float32", look);
    for (let number = curves.length - 1; number >= 0; number--) {
      stroke(context, stairs(plot, at, curves[number], log), colors[number], number ? 2.4 : 3, DASHES[number]);
    }
  });
  if (cursor !== null) drawCrosshair(context, plot, at(cursor + 0.5), curves, cursor, look, colors);
  return plot;
}

/**
 * The path of a curve; of values closer together than a pixel one is enough.
 * @type {(plot: Plot, place: (step: number) => number, curve: Curve, log: boolean) => Path2D}
 */
function stairs(plot, place, { at, values, steps }, log) {
  const trace = new Path2D();
  const Y = (/** @type {number} */ value) => (log && value <= 0 ? plot.top + plot.height + 20 : plot.Y(value));
  let [x, y] = [place(0), Y(values[0])];
  trace.moveTo(x, y);
  for (let i = 1; i < at.length; i++) {
    const [nextX, nextY] = [place(at[i]), Y(values[i])];
    if (nextX - x < 0.7 && Math.abs(nextY - y) < 0.7) continue;
    if (at[i] - at[i - 1] > 1) trace.lineTo(nextX, Y(values[i - 1]));
    trace.lineTo(nextX, nextY);
    [x, y] = [nextX, nextY];
  }
  trace.lineTo(place(steps), Y(values[values.length - 1]));
  return trace;
}

/** @type {(context: CanvasRenderingContext2D, plot: Plot, left: number, frozen: number, look: Look) => void} */
function drawFrozen(context, plot, left, frozen, look) {
  const right = plot.left + plot.width;
  context.fillStyle = look.dark ? "rgba(170, 190, 215, 0.16)" : "rgba(60, 80, 110, 0.10)";
  context.fillRect(left, plot.top, right - left, plot.height);
  context.font = look.font;
  const text = `frozen from step ${counted(frozen)}`;
  const fits = right - left > context.measureText(text).width + 16;
  const align = fits ? /** @type {const} */ ("left") : /** @type {const} */ ("right");
  write(context, text, fits ? left + 8 : left - 8, plot.top + 16, { color: look.ink, font: look.font, align });
}

/** @type {(context: CanvasRenderingContext2D, plot: Plot, x: number, curves: Curve[], step: number, look: Look, colors: string[]) => void} */
function drawCrosshair(context, plot, x, curves, step, look, colors) {
  stroke(
    context,
    [
      [x, plot.top],
      [x, plot.top + plot.height],
    ],
    look.pale,
    1.2,
  );
  for (const [number, curve] of curves.entries()) {
    const value = lrAt(curve, step);
    if (step >= curve.steps || value < plot.ylim[0] || value > plot.ylim[1]) continue;
    const dot = new Path2D();
    dot.arc(x, plot.Y(value), 5, 0, 7);
    context.fillStyle = colors[number];
    context.fill(dot);
    stroke(context, dot, look.ground, 2);
  }
}
