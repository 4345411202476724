// What is the lr at a step? Curves as the kernel sends them, and what a cursor reads from them.
import { counted, written } from "../../common/page/numbers.js";

/** @import { Pair } from "../../common/page/types.js" */
/** @import { Curve, Sent, Settings } from "./types.js" */

/**
 * @param {Sent} sent
 * @returns {Curve}
 */
export function readCurve({ at, values, ...about }) {
  const copy = (/** @type {DataView} */ { buffer, byteOffset, byteLength }) =>
    buffer.slice(byteOffset, byteOffset + byteLength);
  return { ...about, at: new Uint32Array(copy(at)), values: new Float64Array(copy(values)) };
}

/**
 * The lr at a step.
 * @param {Pick<Curve, "at" | "values">} curve
 * @param {number} step
 */
export function lrAt({ at, values }, step) {
  let [low, high] = [0, at.length - 1];
  while (low < high) {
    const middle = Math.ceil((low + high) / 2);
    if (at[middle] <= step) low = middle;
    else high = middle - 1;
  }
  return values[low];
}

/**
 * On a log axis three powers of ten below what float32 can use are enough: there is nothing to see deeper down.
 * @param {Pick<Curve, "values">[]} curves
 * @param {boolean} log
 * @param {number} floor
 * @returns {Pair}
 */
export function lrLimits(curves, log, floor) {
  const values = curves.flatMap((curve) => [...curve.values]);
  const top = values.reduce((a, b) => Math.max(a, b), 0) || 1;
  if (!log) return [0, 1.06 * top];
  const lowest = values.reduce((a, b) => (b > 0 ? Math.min(a, b) : a), top);
  return [Math.max(Math.min(lowest, top / 10), Math.min(floor / 1000, top / 10)) / 1.5, 1.5 * top];
}

/**
 * What the cursor shows, in words.
 * @param {Curve[]} curves
 * @param {number} step
 * @param {number} batches in an epoch
 */
export function cursorWords(curves, step, batches) {
  const place = `step ${counted(step)} (epoch ${Math.floor(step / batches) + 1}, batch ${(step % batches) + 1})`;
  const [own, ...others] = curves.map((curve) => (step < curve.steps ? written(lrAt(curve, step)) : "—"));
  return `${place}: lr ${own}${others.length ? `; pinned ${others.join(" and ")}` : ""}`;
}

/**
 * Which pinned curves are the present one, in words; nothing if none is.
 * @param {Pick<Curve, "same">[]} pins
 */
export function sameWords(pins) {
  const same = pins.map(({ same: is }, index) => (is ? index + 1 : 0)).filter(Boolean);
  if (!same.length) return "";
  const which =
    pins.length === 1 ? "The pinned curve is" : `Pinned curve ${same.join(" and ")} ${same[1] ? "are" : "is"}`;
  return `${which} the same as this one: the same lr at every update.`;
}

/**
 * Settings that are wished one after the other; another scheduler brings its own parameters.
 * @param {Partial<Settings>} before
 * @param {Partial<Settings>} after
 */
export function merged(before, after) {
  const another = after.scheduler !== undefined && after.scheduler !== before.scheduler;
  return { ...before, ...after, parameters: { ...(another ? {} : before.parameters), ...after.parameters } };
}
