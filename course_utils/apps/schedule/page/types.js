// Which shapes of data does the schedule lab know? What the kernel answers, its facts, and the scene that is drawn.
export {};

/** @import { Look } from "../../common/page/types.js" */

/**
 * One setting: how it is set and what is worth trying.
 * @typedef {object} Spec
 * @property {string} name
 * @property {"number" | "whole number" | "choice" | "switch" | "list"} kind
 * @property {any[]} values worth trying
 * @property {string} summary
 * @property {any} [start]
 * @property {boolean} [optional] whether it may be None
 * @property {[number, number]} [slide] the ends of its slider
 */

/** @typedef {{ does: string, cadence: "epoch" | "step" | "either", reason: string, controls: Spec[] }} Scheduler */

/**
 * @typedef {object} Facts
 * @property {number} floor the lr below which float32 loses an update
 * @property {string[]} colors
 * @property {Record<string, Scheduler>} schedulers
 */

/**
 * @typedef {object} Settings
 * @property {string} scheduler
 * @property {Record<string, any>} parameters
 * @property {number} lr
 * @property {number} epochs
 * @property {number} steps_per_epoch
 * @property {"epoch" | "step"} cadence
 * @property {"linear" | "log"} scale
 */

/**
 * A plan as it is sent: steps where its lr changes, and the values from there.
 * @typedef {object} Sent
 * @property {string} name
 * @property {number} lr
 * @property {number} steps
 * @property {number} steps_per_epoch
 * @property {number | null} frozen the step from which no update changes a weight
 * @property {boolean} same whether it is the present curve
 * @property {DataView} at
 * @property {DataView} values
 */
/** @typedef {Omit<Sent, "at" | "values"> & { at: Uint32Array, values: Float64Array }} Curve */

/** @typedef {{ settings: Settings, plan: Sent, pins: Sent[], code: string, words: string }} View */

/**
 * @typedef {object} Scene
 * @property {View} view the last plan that works
 * @property {Curve[]} curves the present one, and those that are pinned
 * @property {string[]} colors of the curves, as they can be seen on this ground
 * @property {Settings} settings as the hand wants them
 * @property {Record<string, string>} refused
 * @property {Look} look
 * @property {number | null} cursor the step that is pointed at
 */
