// How is a step worked out? The arithmetic of one step of each rule, written with its numbers.
// @ts-nocheck
import { written } from "../../common/page/frame.js";

const sub = (value) => (value < 0 || Object.is(value, -0) ? `(${written(value)})` : written(value));

/** How a race of one ended, in words; `step` is the last one shown. */
export function fate(path, step) {
  const { leftForGoodAt, losses } = path;
  if (leftForGoodAt !== null && leftForGoodAt <= step) return `left the map at step ${leftForGoodAt}`;
  return `loss ${written(losses[Math.min(step, losses.length - 1)], 3)}`;
}

/** The rows of a step: symbol, rule, and for x and y the arithmetic and its result. */
export function arithmetic(name, { options, point, gradient, before, after }) {
  const decays = options.weight_decay > 0 && name !== "AdamW";
  const slope = point.map((p, i) => (decays ? gradient[i] + options.weight_decay * p : gradient[i]));
  const row = (symbol, rule, texts, values) => ({ symbol, rule, texts, values });
  const both = (write) => [0, 1].map(write);
  const rows = [row("p", "the point", ["", ""], point), row("g", "gradient there", ["", ""], gradient)];
  if (decays) {
    const texts = both((i) => `${sub(gradient[i])} + ${written(options.weight_decay)} · ${sub(point[i])}`);
    rows.push(row("g", "g + weight decay · p", texts, slope));
  }
  const story = { point, slope, before, after, options, row, both };
  return [...rows, ...STORIES[name](story)];
}

function move({ point, after, options, row, both }, symbol, direction) {
  const texts = both((i) => `${sub(point[i])} − ${written(options.lr)} · ${sub(direction[i])}`);
  return row(
    "p",
    `p − lr · ${symbol}`,
    texts,
    after.map(({ p }) => p),
  );
}

/** The first step of torch begins with the whole gradient; from then on a part of the old sum is kept. */
function sum({ slope, before, after, options, row, both }) {
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

function heavyBall(story) {
  const { after, options, slope } = story;
  if (options.momentum === 0) return [move(story, "g", slope)];
  return [
    sum(story),
    move(
      story,
      "v",
      after.map(({ buf }) => buf),
    ),
  ];
}

function lookAhead(story) {
  const { slope, after, options, row, both } = story;
  if (options.momentum === 0) return [move(story, "g", slope)];
  const ahead = both((i) => slope[i] + options.momentum * after[i].buf);
  const texts = both((i) => `${sub(slope[i])} + ${written(options.momentum)} · ${sub(after[i].buf)}`);
  return [sum(story), row("d", "g + momentum · v", texts, ahead), move(story, "d", ahead)];
}

function average({ slope, before, after, row, both }, symbol, rule, beta, power = "") {
  const old = before.map((memory) => sub(memory[symbol] ?? 0));
  const texts = both((i) => `${written(beta)} · ${old[i]} + ${written(1 - beta)} · ${sub(slope[i])}${power}`);
  return row(
    symbol,
    rule,
    texts,
    after.map((memory) => memory[symbol]),
  );
}

/** The last two rows of every rule that divides: the direction, and the step along it. */
function divided(story, rule, top, root) {
  const direction = top.map((value, i) => value / root[i]);
  const texts = top.map((value, i) => `${sub(value)} / ${written(root[i])}`);
  return [story.row("d", rule, texts, direction), move(story, "d", direction)];
}

function averageOfSquares(story) {
  const { slope, after, options } = story;
  const root = after.map(({ v }) => Math.sqrt(v) + 1e-8);
  const squares = average(story, "v", "α · v + (1 − α) · g²", options.alpha, "²");
  return [squares, ...divided(story, "g / (√v + ε)", slope, root)];
}

function sumOfSquares(story) {
  const { slope, before, after, row, both } = story;
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

function twoAverages(story) {
  const { after, options, row, both } = story;
  const [beta1, beta2] = options.betas;
  const t = after[0].t;
  const [part1, part2] = [1 - beta1 ** t, 1 - beta2 ** t];
  const [m, v] = [after.map((a) => a.m), after.map((a) => a.v)];
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

function decoupled(story) {
  const { point, options, row, both } = story;
  const { lr, weight_decay } = options;
  if (weight_decay === 0) return twoAverages(story);
  const shrunk = point.map((p) => p * (1 - lr * weight_decay));
  const texts = both((i) => `${sub(point[i])} · (1 − ${written(lr)} · ${written(weight_decay)})`);
  return [row("p", "p · (1 − lr · weight decay)", texts, shrunk), ...twoAverages({ ...story, point: shrunk })];
}

const STORIES = {
  SGD: (story) => [move(story, "g", story.slope)],
  Momentum: heavyBall,
  Nesterov: lookAhead,
  RMSprop: averageOfSquares,
  Adagrad: sumOfSquares,
  Adam: twoAverages,
  AdamW: decoupled,
};
