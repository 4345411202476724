// How is a race told? How each path ended, and one step of each rule written with its numbers.
import { written } from "../../common/page/numbers.js";

/** @import { Chart, FullStep, Memory, Path, Preview, Row, RuleOptions, Settings, Track } from "./types.js" */

/** @param {number} value */
const sub = (value) => (value < 0 || Object.is(value, -0) ? `(${written(value)})` : written(value));

/**
 * How a race of one ended, in words; `step` is the last one shown.
 * @param {Path} path
 * @param {number} step
 */
export function fate(path, step) {
  const { leftForGoodAt, losses } = path;
  if (leftForGoodAt !== null && leftForGoodAt <= step) return `left the map at step ${leftForGoodAt}`;
  return `loss ${written(losses[Math.min(step, losses.length - 1)], 3)}`;
}

/** @param {Preview} run */
export const runInWords = ({ lr, momentum, path }) =>
  `lr ${written(lr, 3)}, momentum ${written(momentum, 3)}: ${fate(path, Number.POSITIVE_INFINITY)}`;

/**
 * What a listener has to know of the whole race.
 * @param {Settings} state
 * @param {Track[]} tracks
 * @param {Chart} chart
 */
export function summary(state, tracks, { title }) {
  const each = tracks.map(({ name, path }) => `${name} ${fate(path, state.step)}`).join("; ");
  return `${title}, step ${state.step} of ${state.steps}. ${each || "Nobody races."}`;
}

/**
 * Why there is no step to write out.
 * @param {Settings} state
 * @param {Path} path
 */
export const whyNone = ({ step, chosen }, { divergedAt }) =>
  step === 0
    ? "Press Step: then the first step stands here in numbers."
    : `At step ${divergedAt} the numbers of ${chosen} became too large to go on.`;

/** @typedef {{ point: number[], slope: number[], before: Record<string, any>[], after: Memory[], options: RuleOptions }} Story */

/** @type {(write: (axis: number) => string) => string[]} */
const both = (write) => [0, 1].map(write);

/** @type {(symbol: string, rule: string, texts: string[], values: number[]) => Row} */
const row = (symbol, rule, texts, values) => ({ symbol, rule, texts, values });

/**
 * The rows of a step: symbol, rule, and for x and y the arithmetic and its result.
 * @param {string} rule the name of its class in torch
 * @param {FullStep} step
 * @returns {Row[]}
 */
export function arithmetic(rule, { options, point, gradient, before, after }) {
  const decays = options.weight_decay > 0 && rule !== "AdamW";
  const slope = point.map((p, i) => (decays ? gradient[i] + options.weight_decay * p : gradient[i]));
  const rows = [row("p", "the point", ["", ""], point), row("g", "gradient there", ["", ""], gradient)];
  if (decays) {
    const texts = both((i) => `${sub(gradient[i])} + ${written(options.weight_decay)} · ${sub(point[i])}`);
    rows.push(row("g", "g + weight decay · p", texts, slope));
  }
  return [...rows, ...(STORIES[rule] ?? untold)({ point, slope, before, after, options })];
}

/** @type {(story: Story) => Row[]} a rule that has no story of its own yet */
const untold = ({ after }) => [
  row(
    "p",
    "after the step",
    ["", ""],
    after.map(({ p }) => p),
  ),
];

/** @type {(story: Story, symbol: string, direction: number[]) => Row} */
function move({ point, after, options }, symbol, direction) {
  const texts = both((i) => `${sub(point[i])} − ${written(options.lr)} · ${sub(direction[i])}`);
  return row(
    "p",
    `p − lr · ${symbol}`,
    texts,
    after.map(({ p }) => p),
  );
}

/**
 * The first step of torch begins with the whole gradient; from then on a part of the old sum is kept.
 * @param {Story} story
 */
function sum({ slope, before, after, options }) {
  const { momentum, dampening = 0 } = options;
  const first = before[0].buf === undefined;
  const share = dampening > 0 ? `${written(1 - dampening)} · ` : "";
  const kept = both((i) => (first ? "" : `${written(momentum)} · ${sub(before[i].buf)} + ${share}`));
  const texts = both((i) => `${kept[i]}${sub(slope[i])}`);
  const rule = first ? "g, in the first step" : `momentum · v + ${dampening > 0 ? "(1 − dampening) · " : ""}g`;
  return row(
    "v",
    rule,
    texts,
    after.map(({ buf }) => buf),
  );
}

/** @type {(story: Story) => Row[]} */
function heavyBall(story) {
  const { slope, after, options } = story;
  if (!options.momentum) return [move(story, "g", slope)];
  if (!options.nesterov)
    return [
      sum(story),
      move(
        story,
        "v",
        after.map(({ buf }) => buf),
      ),
    ];
  const ahead = slope.map((g, i) => g + options.momentum * after[i].buf);
  const texts = both((i) => `${sub(slope[i])} + ${written(options.momentum)} · ${sub(after[i].buf)}`);
  return [sum(story), row("d", "g + momentum · v", texts, ahead), move(story, "d", ahead)];
}

/** @type {(story: Story, symbol: string, rule: string, beta: number, power?: string) => Row} */
function average({ slope, before, after }, symbol, rule, beta, power = "") {
  const old = before.map((memory) => sub(memory[symbol] ?? 0));
  const texts = both((i) => `${written(beta)} · ${old[i]} + ${written(1 - beta)} · ${sub(slope[i])}${power}`);
  return row(
    symbol,
    rule,
    texts,
    after.map((memory) => memory[symbol]),
  );
}

/** @type {(story: Story, rule: string, top: number[], root: number[]) => Row[]} the direction, and the step along it */
function divided(story, rule, top, root) {
  const direction = top.map((value, i) => value / root[i]);
  const texts = top.map((value, i) => `${sub(value)} / ${written(root[i])}`);
  return [row("d", rule, texts, direction), move(story, "d", direction)];
}

/** @type {(story: Story) => Row[]} */
function averageOfSquares(story) {
  const { slope, after, options } = story;
  const root = after.map(({ v }) => Math.sqrt(v) + 1e-8);
  const squares = average(story, "v", "α · v + (1 − α) · g²", options.alpha, "²");
  return [squares, ...divided(story, "g / (√v + ε)", slope, root)];
}

/** @type {(story: Story) => Row[]} */
function sumOfSquares(story) {
  const { slope, before, after } = story;
  const texts = both((i) => `${written(before[i].s ?? 0)} + ${sub(slope[i])}²`);
  const root = after.map(({ s }) => Math.sqrt(s) + 1e-10);
  return [
    row(
      "s",
      "s + g²",
      texts,
      after.map(({ s }) => s),
    ),
    ...divided(story, "g / (√s + ε)", slope, root),
  ];
}

/** @type {(story: Story) => Row[]} */
function twoAverages(story) {
  const { after, options } = story;
  const [beta1, beta2] = options.betas;
  const t = after[0].t;
  const [part1, part2] = [1 - beta1 ** t, 1 - beta2 ** t];
  const [m, v] = [after.map((memory) => memory.m), after.map((memory) => memory.v)];
  const [mHat, vHat] = [m.map((value) => value / part1), v.map((value) => value / part2)];
  const root = vHat.map((value) => Math.sqrt(value) + 1e-8);
  return [
    average(story, "m", "β₁ · m + (1 − β₁) · g", beta1),
    average(story, "v", "β₂ · v + (1 − β₂) · g²", beta2, "²"),
    row(
      "m̂",
      `m / (1 − β₁^${t})`,
      both((i) => `${sub(m[i])} / ${written(part1)}`),
      mHat,
    ),
    row(
      "v̂",
      `v / (1 − β₂^${t})`,
      both((i) => `${sub(v[i])} / ${written(part2)}`),
      vHat,
    ),
    ...divided(story, "m̂ / (√v̂ + ε)", mHat, root),
  ];
}

/** @type {(story: Story) => Row[]} */
function decoupled(story) {
  const { point, options } = story;
  const { lr, weight_decay } = options;
  if (weight_decay === 0) return twoAverages(story);
  const shrunk = point.map((p) => p * (1 - lr * weight_decay));
  const texts = both((i) => `${sub(point[i])} · (1 − ${written(lr)} · ${written(weight_decay)})`);
  return [row("p", "p · (1 − lr · weight decay)", texts, shrunk), ...twoAverages({ ...story, point: shrunk })];
}

/** @type {Record<string, (story: Story) => Row[]>} */
const STORIES = {
  SGD: heavyBall,
  RMSprop: averageOfSquares,
  Adagrad: sumOfSquares,
  Adam: twoAverages,
  AdamW: decoupled,
};
