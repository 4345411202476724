// How does a schedule look? Curves of the lr on a canvas, with the place where float32 loses the updates.
// @ts-nocheck
import { written } from "../../common/page/frame.js";
import { axes, drawAxes, inside } from "../../race/page/draw.js";

const STROKES = [[], [9, 5], [2, 4]]; // the present curve, the first and the second pinned one

/** A curve as the kernel sends it: steps where it changes, and the values from there. */
export function readCurve({ at, values, ...about }) {
  const copy = (view) => view.buffer.slice(view.byteOffset, view.byteOffset + view.byteLength);
  return { ...about, at: new Uint32Array(copy(at)), values: new Float64Array(copy(values)) };
}

/** The lr at a step. */
export function lrAt({ at, values }, step) {
  let [low, high] = [0, at.length - 1];
  while (low < high) {
    const middle = Math.ceil((low + high) / 2);
    if (at[middle] <= step) low = middle;
    else high = middle - 1;
  }
  return values[low];
}

/** The colour of curve `number`, lighter on a dark ground. */
export function curveColor(colors, number, { dark }) {
  const parts = [1, 3, 5].map((from) => parseInt(colors[number].slice(from, from + 2), 16));
  return `rgb(${parts.map((part) => Math.round(dark ? part + 0.55 * (255 - part) : part)).join()})`;
}

export const strokeOf = (number) => STROKES[number];

/** Draw the curves, the last on top; returns the axes, so that a pointer can be understood. */
export function drawSchedules(context, width, height, { curves, scale, floor, cursor, look, colors, batches }) {
  context.clearRect(0, 0, width, height);
  const log = scale === "log";
  const steps = Math.max(...curves.map((curve) => curve.steps));
  const limits = lrLimits(curves, log, floor);
  const plot = axes(inside(width, height, { left: 58, right: 14 }), [0, steps / batches], limits, { logY: log });
  const at = (step) => plot.X(step / batches); // the axis counts epochs, the curves count steps
  if (curves[0].frozen !== null) drawFrozen(context, plot, at(curves[0].frozen), curves[0].frozen, look);
  drawAxes(context, plot, look, { logY: log, xName: "epoch", yName: "lr", grid: true });
  context.save();
  context.beginPath();
  context.rect(plot.left, plot.top, plot.width, plot.height);
  context.clip();
  if (log && plot.ylim[0] < floor) drawFloor(context, plot, floor, look);
  for (let number = curves.length - 1; number >= 0; number--) {
    const stroke = { strokeStyle: curveColor(colors, number, look), lineWidth: number ? 2.4 : 3, lineJoin: "round" };
    Object.assign(context, stroke);
    context.setLineDash(STROKES[number]);
    context.stroke(stairs(plot, at, curves[number], log));
  }
  context.setLineDash([]);
  context.restore();
  if (cursor !== null) drawCrosshair(context, plot, at(cursor + 0.5), curves, cursor, look, colors);
  return plot;
}

/** On a log axis three powers of ten below what float32 can use are enough: there is nothing to see deeper down. */
function lrLimits(curves, log, floor) {
  const values = curves.flatMap((curve) => [...curve.values]);
  const top = values.reduce((a, b) => Math.max(a, b), 0) || 1;
  if (!log) return [0, 1.06 * top];
  const lowest = values.reduce((a, b) => (b > 0 ? Math.min(a, b) : a), top);
  return [Math.max(Math.min(lowest, top / 10), Math.min(floor / 1000, top / 10)) / 1.5, 1.5 * top];
}

/** The path of a curve; of values closer together than a pixel one is enough. */
function stairs(plot, place, { at, values, steps }, log) {
  const trace = new Path2D();
  const Y = (value) => (log && value <= 0 ? plot.top + plot.height + 20 : plot.Y(value));
  let [x, y] = [place(0), Y(values[0])];
  trace.moveTo(x, y);
  for (let i = 1; i < at.length; i++) {
    const [nextX, nextY] = [place(at[i]), Y(values[i])];
    if (nextX - x < 0.7 && Math.abs(nextY - y) < 0.7) continue;
    if (at[i] - at[i - 1] > 1) trace.lineTo(nextX, Y(values[i - 1]));
    trace.lineTo(nextX, nextY);
    [x, y] = [nextX, nextY];
  }
  trace.lineTo(place(steps), Y(values.at(-1)));
  return trace;
}

function drawFrozen(context, plot, left, frozen, look) {
  const right = plot.left + plot.width;
  context.fillStyle = look.dark ? "rgba(170, 190, 215, 0.16)" : "rgba(60, 80, 110, 0.10)";
  context.fillRect(left, plot.top, right - left, plot.height);
  Object.assign(context, { font: look.font, fillStyle: look.ink, textBaseline: "middle" });
  const text = `frozen from step ${frozen.toLocaleString("en-US")}`;
  const width = context.measureText(text).width + 16;
  const fits = right - left > width;
  context.textAlign = fits ? "left" : "right";
  context.fillText(text, fits ? left + 8 : left - 8, plot.top + 16);
}

function drawFloor(context, plot, floor, look) {
  Object.assign(context, { strokeStyle: look.pale, lineWidth: 1.5 });
  context.setLineDash([5, 4]);
  context.stroke(new Path2D(`M${plot.left} ${plot.Y(floor)}h${plot.width}`));
  context.setLineDash([]);
  Object.assign(context, { font: look.font, fillStyle: look.pale, textBaseline: "bottom", textAlign: "right" });
  context.fillText("below: lost in float32", plot.left + plot.width - 8, plot.Y(floor) - 3);
}

function drawCrosshair(context, plot, x, curves, step, look, colors) {
  Object.assign(context, { strokeStyle: look.pale, lineWidth: 1.2 });
  context.stroke(new Path2D(`M${x} ${plot.top}v${plot.height}`));
  curves.forEach((curve, number) => {
    const value = lrAt(curve, step);
    if (step >= curve.steps || value < plot.ylim[0] || value > plot.ylim[1]) return;
    context.beginPath();
    context.arc(x, plot.Y(value), 5, 0, 7);
    Object.assign(context, { fillStyle: curveColor(colors, number, look), strokeStyle: look.ground, lineWidth: 2 });
    context.fill();
    context.stroke();
  });
}

/** What the cursor shows, in words. */
export function cursorWords(curves, step, { steps_per_epoch: batches }) {
  const place = `step ${step.toLocaleString("en-US")} (epoch ${Math.floor(step / batches) + 1}, batch ${(step % batches) + 1})`;
  const rates = curves.filter((curve) => step < curve.steps).map((curve) => written(lrAt(curve, step), 4));
  const [own, ...others] = rates;
  return `${place}: lr ${own ?? "—"}${others.length ? `; pinned ${others.join(" and ")}` : ""}`;
}
