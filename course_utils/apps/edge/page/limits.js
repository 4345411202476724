// How far do the axes reach? Limits that keep a curve in sight and do not jump at every step.

/** @import { Pair } from "../../common/page/types.js" */
/** @import { Kept, Training } from "./types.js" */

const MOST_POINTS = 600; // of a curve on the page

/**
 * A length for the step axis that grows in jumps, so that the curve does not shrink at every redraw.
 * @param {number} steps
 */
export function longEnough(steps) {
  let length = 500;
  while (length < steps) length = Math.ceil((length * 1.4) / 100) * 100;
  return length;
}

/**
 * The top of the sharpness axis: with the line in sight, unless that is so high that the curve would lie on the ground.
 * @param {number[][]} rows
 * @param {number} limit
 */
export function sharpnessTop(rows, limit) {
  const highest = Math.max(1, ...rows.map((row) => row.reduce((top, value) => Math.max(top, value), 0)));
  if (limit > 5 * highest) return 1.6 * highest;
  return Math.max(1.35 * limit, 1.1 * Math.min(highest, 4 * limit));
}

/**
 * The ends of the logarithmic loss axis.
 * @param {number[][]} rows
 * @returns {Pair}
 */
export function lossLimits(rows) {
  let [low, high] = [1, 3];
  for (const row of rows) {
    for (const value of row) {
      if (value < low) low = value;
      if (value > high && value < 30) high = value;
    }
  }
  return [Math.max(low * 0.8, 1e-5), high * 1.1];
}

/**
 * A row as [place, value], some hundred points at most; the last one always among them.
 * @param {number[]} row
 * @param {number} each steps from one value to the next
 * @returns {Pair[]}
 */
export function thinned(row, each = 1) {
  const every = Math.max(1, Math.ceil(row.length / MOST_POINTS));
  /** @type {Pair[]} */
  const points = [];
  for (let i = 0; i < row.length; i += every) points.push([i * each, row[i]]);
  const last = row.length - 1;
  if (last >= 0 && last % every) points.push([last * each, row[last]]);
  return points;
}

/**
 * How many steps the longest of all runs has.
 * @param {Training} training
 * @param {Kept[]} kept
 */
export const longest = ({ losses }, kept) => Math.max(losses.length, ...kept.map((run) => run.losses.length));
