// Which path does an optimizer take? Its rule with the present settings, step by step over a surface.
import { RULES } from "./rules.js";
import { LANDSCAPES } from "./surfaces.js";

/** @import { Pair } from "../../common/page/types.js" */
/** @import { Landscape } from "./surfaces.js" */
/** @import { Algorithm, FullStep, Limits, Memory, Path, Rule, RuleOptions, Settings } from "./types.js" */

/**
 * The rule of an algorithm and its options in the present state, as course_utils.algorithms gives them to torch.
 * @param {Algorithm} algorithm
 * @param {Settings} state
 * @returns {[Rule, RuleOptions]}
 */
export function racer({ name, rule, fixed, free }, state) {
  /** @type {Record<string, number[]>} */
  const given = {};
  for (const option of free) (given[option.keyword] ??= []).push(state[option.name]);
  const options = Object.entries(given).map(([keyword, values]) => [keyword, values.length > 1 ? values : values[0]]);
  return [RULES[rule], { lr: state.lr[name], ...fixed, ...Object.fromEntries(options) }];
}

/** @type {(point: Pair, limits: Limits) => boolean} */
const isOn = ([x, y], { xlim, ylim }) => x >= xlim[0] && x <= xlim[1] && y >= ylim[0] && y <= ylim[1];

/**
 * From `start`: points, losses, and when the path left the map.
 * @param {Rule} rule
 * @param {RuleOptions} options
 * @param {Landscape} landscape
 * @param {Limits} map
 * @param {{ start: Pair, steps: number, condition_number: number }} race
 * @returns {Path}
 */
export function descend(rule, options, landscape, map, { start, steps, condition_number: k }) {
  let [x, y] = start;
  /** @type {Record<string, any>[]} */
  let [memoryX, memoryY] = [{}, {}];
  /** @type {Pair[]} */
  const points = [[x, y]];
  const losses = [landscape.loss(x, y, k)];
  let divergedAt = null;
  for (let step = 1; step <= steps; step++) {
    const [gx, gy] = landscape.gradient(x, y, k);
    [memoryX, memoryY] = [rule(x, gx, memoryX, options), rule(y, gy, memoryY, options)];
    [x, y] = [memoryX.p, memoryY.p];
    const loss = landscape.loss(x, y, k);
    if (!Number.isFinite(x) || !Number.isFinite(y) || !Number.isFinite(loss)) {
      divergedAt = step;
      break;
    }
    points.push([x, y]);
    losses.push(loss);
  }
  return { points, losses, divergedAt, ...departure(points, divergedAt, map) };
}

/**
 * @param {Pair[]} points
 * @param {number | null} divergedAt
 * @param {Limits} map
 */
function departure(points, divergedAt, map) {
  const outside = points.findIndex((point) => !isOn(point, map));
  const lastOn = points.findLastIndex((point) => isOn(point, map));
  const gone = lastOn < points.length - 1 || divergedAt !== null;
  return { leftMapAt: outside < 0 ? divergedAt : outside, leftForGoodAt: gone ? lastOn + 1 : null };
}

/**
 * The path of an algorithm in the present state.
 * @param {Algorithm} algorithm
 * @param {Settings} state
 * @param {Limits} map
 */
export const pathOf = (algorithm, state, map) =>
  descend(...racer(algorithm, state), LANDSCAPES[state.surface], map, state);

/**
 * One step of a racer in full: point and memory before it, gradient, and memory after it; null if there is none.
 * @param {Algorithm} algorithm
 * @param {Settings} state
 * @param {Path} path
 * @param {number} step
 * @returns {FullStep | null}
 */
export function stepInFull(algorithm, state, path, step) {
  if (step < 1 || step >= path.points.length) return null;
  const [rule, options] = racer(algorithm, state);
  const { gradient } = LANDSCAPES[state.surface];
  /** @type {Record<string, any>[]} */
  let before = [{}, {}];
  /** @type {Memory[]} */
  let after = [];
  /** @type {Pair} */
  let g = [0, 0];
  for (let k = 0; k < step; k++) {
    if (k) before = after;
    g = gradient(...path.points[k], state.condition_number);
    after = [0, 1].map((axis) => rule(path.points[k][axis], g[axis], before[axis], options));
  }
  return { options, point: path.points[step - 1], gradient: g, before, after };
}
