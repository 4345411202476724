// Which shapes of data does the race know? Settings, facts, and the scene that is drawn from them.
export {};

/** @import { Look, Pair } from "../../common/page/types.js" */
/** @import { Shape } from "../../common/page/marks.js" */

/**
 * An algorithm as its record in course_utils.algorithms has it.
 * @typedef {object} Algorithm
 * @property {string} name
 * @property {string} rule the name of its class in torch, and of its rule in rules.js
 * @property {Record<string, unknown>} fixed options of torch that it always has
 * @property {{ name: string, keyword: string }[]} free its options that are settings; those of one keyword are a tuple
 * @property {string} color
 * @property {Shape} marker
 * @property {string} words
 */

/**
 * An option that is a setting, with a slider for all algorithms that have it.
 * @typedef {object} Option
 * @property {string} name
 * @property {string} label
 * @property {string} hint whose it is
 * @property {number} min
 * @property {number} max
 * @property {number} step
 */

/**
 * @typedef {object} Chart the map of a surface
 * @property {string} title
 * @property {Pair} start
 * @property {Pair[]} minima
 * @property {Pair} xlim
 * @property {Pair} ylim
 * @property {number[]} levels
 * @property {Record<string, number>} lr
 */

/**
 * @typedef {object} Facts
 * @property {Record<string, Algorithm>} algorithms
 * @property {Option[]} options
 * @property {{ lr: Pair, steps: Pair }} range
 * @property {Record<string, Chart>} surfaces
 */

/**
 * @typedef {object} KnownSettings
 * @property {string} surface
 * @property {number} condition_number
 * @property {Pair} start
 * @property {string[]} optimizers
 * @property {Record<string, number>} lr
 * @property {number} steps
 * @property {number} step the last one shown
 * @property {string} chosen whose step is written out
 * @property {"loss" | "stability"} view
 */
/** @typedef {KnownSettings & { [option: string]: any }} Settings and every free option by its name */

/** @typedef {{ xlim: Pair, ylim: Pair }} Limits */

/** @typedef {{ p: number } & Record<string, any>} Memory the new parameter, and what a rule remembers */
/** @typedef {Record<string, any>} RuleOptions named as in torch */
/** @typedef {(p: number, g: number, memory: Record<string, any>, options: RuleOptions) => Memory} Rule */

/**
 * @typedef {object} Path
 * @property {Pair[]} points
 * @property {number[]} losses
 * @property {number | null} leftMapAt the first step outside the map
 * @property {number | null} leftForGoodAt the first step of those after which it stays outside
 * @property {number | null} divergedAt the step whose numbers were too large
 */

/** @typedef {{ name: string, path: Path, color: string, shape: Shape }} Track a path as it is drawn */
/** @typedef {{ lr: number, momentum: number } & Track} Preview the run of a cell of the stability map */
/** @typedef {{ row: number, column: number }} Cell */

/**
 * @typedef {object} StabilityMap
 * @property {number[]} lr
 * @property {number[]} momentum
 * @property {number} curvature
 * @property {string} rule
 * @property {Float32Array} losses row by row
 * @property {Uint8Array} lost
 * @property {number} best its cell, or -1
 * @property {number} low the ends of its colours
 * @property {number} high
 */
/** @typedef {{ map: StabilityMap, cells: HTMLCanvasElement, number: number }} Stability as it was read and painted */

/**
 * @typedef {object} Scene
 * @property {Settings} state
 * @property {Track[]} tracks
 * @property {Record<string, string>} colors of every algorithm, as they can be seen on this ground
 * @property {Look} look
 * @property {Preview | null} preview
 * @property {Stability | null} stability
 * @property {Cell | null} cursor
 * @property {{ map: Pair, side: Pair }} sizes
 */

/**
 * One step in full: what was known before it, and what it made of that, for x and y.
 * @typedef {object} FullStep
 * @property {RuleOptions} options
 * @property {Pair} point
 * @property {Pair} gradient
 * @property {Record<string, any>[]} before
 * @property {Memory[]} after
 */

/** @typedef {{ symbol: string, rule: string, texts: string[], values: number[] }} Row of the written step */
