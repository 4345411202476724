// Which shapes of data does the edge of stability know? Its settings, its facts, a training, and the scene.
export {};

/** @import { Look, Pair } from "../../common/page/types.js" */

/** @typedef {{ lr: number, momentum: number, batch_size: number }} Settings */

/**
 * @typedef {object} Facts
 * @property {DataView} images float64, one after the other
 * @property {number[]} labels
 * @property {DataView} weights float64, as torch's `parameters()` gives them
 * @property {number[]} widths
 * @property {number} every steps from one measurement of the sharpness to the next
 * @property {number[]} batches
 * @property {{ lr: Pair, momentum: Pair }} range
 * @property {string[]} colors
 */

/** @typedef {{ images: Float64Array, labels: number[], weights: Float64Array, widths: number[], every: number }} Data */

/**
 * @typedef {object} Training
 * @property {number} step how many are done
 * @property {number[]} losses before each step
 * @property {number[]} sharpness every few steps
 * @property {number[]} limits the line 2 (1 + momentum) / lr at the same steps
 * @property {boolean} lost whether the loss left all bounds
 */

/** @typedef {{ name: string, losses: number[], sharpness: number[] }} Kept a run that is kept for comparison */

/** @typedef {{ reach: number, losses: number[], here: number, slope: number, move: number, sharpness: number }} Slice */

/**
 * @typedef {object} Scene
 * @property {Training} training
 * @property {Settings} settings as the hand wants them
 * @property {Record<string, string>} refused
 * @property {Kept[]} kept
 * @property {Slice | null} slice
 * @property {string[]} colors
 * @property {number} every
 * @property {boolean} running
 * @property {Look} look
 */

/**
 * What the page orders of the engine; all that stands in one order is done before it answers.
 * @typedef {object} Order
 * @property {Settings} settings of the steps from now on
 * @property {number} [restart] the number of the new run, which begins with the first weights
 * @property {boolean} [step] whether to make one step, where none is being made
 * @property {boolean} [go] whether to go on making steps
 */

/**
 * What the engine tells: what has come since it last told of this run.
 * @typedef {object} News
 * @property {number} run
 * @property {number} step
 * @property {boolean} lost
 * @property {boolean} going
 * @property {boolean} looked whether `slice` is new
 * @property {Slice | null} slice
 * @property {number[]} losses
 * @property {number[]} sharpness
 * @property {number[]} limits
 */
