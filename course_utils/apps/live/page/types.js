// Which shapes of data does the live training know? What the kernel answers, its facts, and the scene that is drawn.
export {};

/** @import { Look, Pair } from "../../common/page/types.js" */

/** @typedef {{ step: number, what: string, before: string, after: string, text: string }} Mark a change made by hand */

/** @typedef {{ optimizer: string, lr: number, momentum: number | null, budget: number }} Settings */

/**
 * How the training stands, as it is sent; steps of the curves are `every` apart.
 * @typedef {object} Told
 * @property {"ready" | "running" | "paused" | "finished" | "stopped" | "failed"} stage
 * @property {number} steps
 * @property {string} words
 * @property {boolean} lost whether the loss became no finite number
 * @property {number} every
 * @property {number | null} last the smoothed loss now
 * @property {Pair[]} exams step and share of test images classified rightly
 * @property {number[]} predictions
 * @property {number[]} certainty
 * @property {Mark[]} marks
 * @property {Settings} settings
 */
/** @typedef {Told & { losses: DataView, smoothed: DataView }} Sent */
/** @typedef {Told & { losses: Float32Array, smoothed: Float32Array }} Training */

/**
 * @typedef {object} Facts
 * @property {DataView} images 32 x 32 pixels of red, green, blue each
 * @property {number[]} labels
 * @property {string[]} classes
 * @property {Record<string, string>} colors of algorithms by name, and of right answers
 * @property {string[]} optimizers
 * @property {{ lr: Pair, budget: Pair }} range
 */

/**
 * @typedef {object} Scene
 * @property {Training} training
 * @property {Settings} settings as the hand wants them
 * @property {Record<string, string>} refused
 * @property {Look} look
 */
