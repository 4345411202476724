// What is there to say of a training? Where its sharpness stands beside the line, in one sentence.
import { counted, written } from "../../common/page/numbers.js";

/** @import { Settings, Training } from "./types.js" */

const NEAR = 0.8; // of the line, from which on a run is at it
const TOLD_EVERY = 500; // steps, while it runs

/** @typedef {"ready" | "below" | "at" | "above" | "lost"} Place */

/**
 * The line, as a formula: with momentum it lies higher.
 * @param {number} momentum
 */
export const formula = (momentum) => (momentum ? "2 (1 + momentum) / lr" : "2 / lr");

/** @param {Settings} settings */
export const limitOf = ({ lr, momentum }) => (2 * (1 + momentum)) / lr;

/**
 * Where the last sharpness stands.
 * @param {Training} training
 * @param {number} limit
 * @returns {Place}
 */
export function placeOf({ sharpness, lost }, limit) {
  const last = sharpness.at(-1);
  if (lost) return "lost";
  if (last === undefined) return "ready";
  if (last < NEAR * limit) return "below";
  return last > limit / NEAR ? "above" : "at";
}

/** @type {Record<Place, string>} */
const SENTENCES = {
  ready: "Start: the network trains in this page.",
  below: "The sharpness is below the line: a step along the steepest direction goes down.",
  at: "The sharpness is at the line.",
  above: "The sharpness is above the line: steps along the steepest direction grow, until the valley is a wider one.",
  lost: "The loss has left all bounds, and comes back no more. Restart with a smaller lr.",
};

/**
 * @param {Training} training
 * @param {Settings} settings
 */
export const sentence = (training, settings) => SENTENCES[placeOf(training, limitOf(settings))];

/**
 * The numbers of now, in one line.
 * @param {Training} training
 * @param {Settings} settings
 */
export function numbersNow({ step, losses, sharpness }, { lr, momentum }) {
  const told = (/** @type {number[]} */ row) => (row.length ? written(row[row.length - 1], 3) : "—");
  const line = `${formula(momentum)} = ${written(limitOf({ lr, momentum, batch_size: 0 }), 3)}`;
  return `step ${counted(step)} · loss ${told(losses)} · sharpness ${told(sharpness)} · ${line}`;
}

/**
 * What is worth hearing: at rest all of it, while it runs every five hundred steps.
 * @param {Training} training
 * @param {Settings} settings
 * @param {boolean} running
 * @param {number} every steps from one sharpness to the next
 */
export function spokenWords(training, settings, running, every) {
  const said = sentence(training, settings);
  if (!running) return training.step ? `${numbersNow(training, settings)}. ${said}` : said;
  const step = TOLD_EVERY * Math.floor((training.step - 1) / TOLD_EVERY);
  if (step <= 0) return "Training.";
  const [loss, sharpness] = [training.losses[step], training.sharpness[step / every]];
  return `Step ${counted(step)}: loss ${written(loss, 3)}, sharpness ${written(sharpness, 3)}.`;
}

/**
 * The name of a run that is kept.
 * @param {Settings} settings
 * @param {number} all how many images there are
 */
export function nameOf({ lr, momentum, batch_size }, all) {
  const more = [momentum ? `momentum ${written(momentum, 3)}` : "", batch_size < all ? `batch ${batch_size}` : ""];
  return ["lr ".concat(written(lr, 3)), ...more.filter(Boolean)].join(", ");
}
