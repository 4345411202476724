// How does a training stand? The numbers of a message, the stretches of one optimizer, and what is worth hearing.
import { percent, written } from "../../common/page/numbers.js";

/** @import { Sent, Training } from "./types.js" */

/**
 * The numbers of a message as arrays.
 * @param {Sent} sent
 * @returns {Training}
 */
export function readTraining(sent) {
  const floats = (/** @type {DataView} */ { buffer, byteOffset, byteLength }) =>
    new Float32Array(buffer.slice(byteOffset, byteOffset + byteLength));
  return { ...sent, losses: floats(sent.losses), smoothed: floats(sent.smoothed) };
}

/** @param {Training} training */
export const shareNow = ({ exams }) => exams[exams.length - 1][1];

/**
 * While it runs, every hundredth step is enough to be told.
 * @param {Training} training
 */
export function spokenWords(training) {
  const { stage, words, steps, last } = training;
  if (stage !== "running") return words;
  const hundreds = 100 * Math.floor(steps / 100);
  const right = `${percent(shareNow(training))} right`;
  return hundreds ? `Step ${hundreds}: loss ${written(last ?? Number.NaN, 3)}, ${right}.` : "Training.";
}

/**
 * A length for the step axis that grows in jumps, so that the curve does not shrink at every redraw.
 * @param {number} steps
 */
export function longEnough(steps) {
  let length = 50;
  while (length < steps) length = Math.ceil(length * 1.3);
  return length;
}

/**
 * The top of the loss axis: above guessing and above the curve, but not so high that a single leap flattens the rest.
 * @param {ArrayLike<number>} smoothed
 * @param {number} guess
 */
export function lossTop(smoothed, guess) {
  const highest = Math.max(0, ...Array.from(smoothed).filter(Number.isFinite));
  return Math.min(Math.max(1.25 * guess, 1.2 * highest), 4 * guess);
}

/**
 * Stretches of one optimizer as [first, last, name], in places of the thinned curve.
 * @param {Pick<Training, "marks" | "settings" | "every"> & { smoothed: ArrayLike<number> }} training
 * @returns {[number, number, string][]}
 */
export function spells({ marks, settings, smoothed, every }) {
  const swaps = marks.filter(({ what }) => what === "optimizer");
  const starts = [0, ...swaps.map(({ step }) => Math.floor(step / every))];
  const names = [swaps[0]?.before ?? settings.optimizer, ...swaps.map(({ after }) => after)];
  return starts.map((from, i) => [from, Math.min(starts[i + 1] ?? smoothed.length, smoothed.length - 1), names[i]]);
}
