// Does the network train, and is it told rightly? Everything of the edge of stability that needs no page.
import assert from "node:assert/strict";
import { test } from "node:test";
import { sliceWords } from "./charts.js";
import { makeEngine } from "./engine.js";
import { longEnough, lossLimits, sharpnessTop, thinned } from "./limits.js";
import { dot } from "./matrices.js";
import { makeTraining, netsOf, sharpest, someDirection } from "./training.js";
import { formula, nameOf, numbersNow, placeOf, sentence, spokenWords } from "./words.js";

/** @import { Data, Training } from "./types.js" */

const WIDTHS = [4, 4, 4, 4];
const wave = (/** @type {number} */ size, by = 1) =>
  Float64Array.from({ length: size }, (_, k) => by * Math.sin(k * k));
/** @type {Data} */
const data = {
  images: wave(8 * 4),
  labels: [0, 1, 2, 3, 0, 1, 2, 3],
  weights: wave(60, 0.7),
  widths: WIDTHS,
  every: 10,
};
const settings = { lr: 0.1, momentum: 0, batch_size: 8 };

/** @type {(diagonal: number[]) => (v: Float64Array, out: Float64Array) => void} */
const times = (diagonal) => (v, out) => {
  for (let k = 0; k < v.length; k++) out[k] = diagonal[k] * v[k];
};

test("the gradient is the slope of the loss, in every weight", () => {
  const { all } = netsOf(data);
  const gradient = new Float64Array(all.size);
  all.differentiate(data.weights, gradient);
  for (let k = 0; k < all.size; k++) {
    const [up, down] = [1e-5, -1e-5].map((by) => all.loss(data.weights.map((w, i) => (i === k ? w + by : w))));
    assert.ok(Math.abs((up - down) / 2e-5 - gradient[k]) < 1e-8, `weight ${k}`);
  }
});

test("the product with the Hessian is the slope of the gradient", () => {
  const { all } = netsOf(data);
  const [up, down, product] = [0, 0, 0].map(() => new Float64Array(all.size));
  const v = someDirection(all.size);
  all.differentiate(data.weights.map((w, k) => w + 1e-5 * v[k]), up); // biome-ignore format: one call
  all.differentiate(data.weights.map((w, k) => w - 1e-5 * v[k]), down); // biome-ignore format: one call
  all.differentiate(data.weights, new Float64Array(all.size));
  all.product(v, product);
  for (let k = 0; k < all.size; k++) assert.ok(Math.abs((up[k] - down[k]) / 2e-5 - product[k]) < 1e-8, `weight ${k}`);
});

test("the sharpest direction is that of the largest eigenvalue, not of the most negative", () => {
  const v = someDirection(4);
  const value = sharpest(times([-9, 1, 4, 2]), v, 40);
  assert.ok(Math.abs(value - 4) < 1e-6);
  assert.ok(Math.abs(Math.abs(v[2]) - 1) < 1e-3);
  assert.ok(Math.abs(dot(v, v) - 1) < 1e-12);
});

test("a bowl that is equally steep everywhere is no trouble", () => {
  assert.ok(Math.abs(sharpest(times([3, 3, 3]), someDirection(3), 10) - 3) < 1e-9);
});

test("a loss that leaves all bounds ends the training, and later steps do nothing", () => {
  const trainer = makeTraining(data, netsOf(data));
  for (let k = 0; k < 300; k++) trainer.advance({ ...settings, lr: 1e9, momentum: 0.95 });
  assert.equal(trainer.told.lost, true);
  assert.equal(trainer.told.losses.length, trainer.told.step + 1);
});

/** An engine whose turns are called by hand, and all it tells. */
function byHand() {
  /** @type {import("./types.js").News[]} */
  const told = [];
  /** @type {(() => void)[]} */
  const turns = [];
  const engine = makeEngine(data, (news) => told.push(news), (turn) => turns.push(turn)); // biome-ignore format: one call
  return { hear: engine.hear, told, turns, turn: () => turns.shift()?.() };
}

test("an engine tells every step once, and they are those of the training", () => {
  const { hear, told, turn } = byHand();
  hear({ settings, restart: 1 });
  hear({ settings, step: true });
  hear({ settings, go: true });
  for (let k = 0; k < 3; k++) turn();
  hear({ settings, go: false });
  const { step } = told[told.length - 1];
  const alone = makeTraining(data, netsOf(data));
  for (let k = 0; k < step; k++) alone.advance(settings);
  assert.ok(step > 3);
  for (const row of /** @type {const} */ (["losses", "sharpness", "limits"]))
    assert.deepEqual(told.flatMap((news) => news[row]), alone.told[row]); // biome-ignore format: one call
});

test("an engine that is stopped or begins anew makes no more steps of its old run", () => {
  const { hear, told, turns, turn } = byHand();
  hear({ settings, restart: 1, go: true });
  turn();
  hear({ settings, restart: 2 });
  turn();
  assert.deepEqual([told.at(-1)?.run, told.at(-1)?.step, told.at(-1)?.going], [2, 0, false]);
  hear({ settings, go: true });
  hear({ settings, go: false });
  hear({ settings, go: true });
  assert.equal(turns.length, 1); // two orders to go make no two trains of turns
});

test("a setting that changes while the engine goes holds from the next turn on", () => {
  const { hear, told, turn } = byHand();
  hear({ settings, restart: 1, go: true });
  turn();
  hear({ settings: { ...settings, lr: 0.2 } });
  turn();
  turn();
  const limits = told.flatMap((news) => news.limits);
  assert.deepEqual([limits[0], limits[limits.length - 1]], [20, 10]);
});

test("a lost run does not go on", () => {
  const { hear, told, turn } = byHand();
  const wild = { ...settings, lr: 1e9, momentum: 0.95 };
  hear({ settings: wild, restart: 1, go: true });
  turn();
  hear({ settings: wild, go: true });
  assert.deepEqual([told.at(-1)?.lost, told.at(-1)?.going], [true, false]);
});

test("batches of all sizes take every image once an epoch", () => {
  const { all, batches } = netsOf(data);
  const mean = batches(2).reduce((sum, net) => sum + net.loss(data.weights), 0) / 4;
  assert.equal(batches(2).length, 4);
  assert.ok(Math.abs(mean - all.loss(data.weights)) < 1e-12);
});

test("the next step is told along the steepest direction as it is then made", () => {
  const trainer = makeTraining(data, netsOf(data));
  const hand = { ...settings, momentum: 0.5 };
  for (let k = 0; k < 11; k++) trainer.advance(hand);
  const before = trainer.weights.slice();
  const { move, losses, here } = trainer.along([0, 0.1], hand);
  assert.ok(Math.abs(losses[0] - here) < 1e-12);
  trainer.advance(hand);
  const moved = trainer.weights.map((weight, k) => weight - before[k]);
  assert.ok(Math.abs(dot(moved, trainer.direction) - move) < 1e-12);
});

/** @type {Training} */
const training = { step: 700, losses: Array(700).fill(1), sharpness: Array(70).fill(8), limits: [], lost: false };

test("a run is below the line, at it, above it, or lost", () => {
  assert.equal(placeOf({ ...training, sharpness: [] }, 10), "ready");
  assert.deepEqual(
    [7.9, 8, 12.4, 12.6].map((value) => placeOf({ ...training, sharpness: [value] }, 10)),
    ["below", "at", "at", "above"],
  );
  assert.equal(placeOf({ ...training, lost: true }, 10), "lost");
  assert.match(sentence({ ...training, lost: true }, settings), /Restart/);
});

test("while it runs every five hundredth step is told, at rest everything", () => {
  assert.equal(spokenWords(training, settings, true, 10), "Step 500: loss 1, sharpness 8.");
  assert.equal(spokenWords({ ...training, step: 12 }, settings, true, 10), "Training.");
  assert.match(spokenWords(training, settings, false, 10), /^step 700 · loss 1 · sharpness 8 · 2 \/ lr = 20\. The/);
});

test("with momentum the line has another formula, and a run another name", () => {
  assert.equal(formula(0.9), "2 (1 + momentum) / lr");
  assert.match(numbersNow(training, { ...settings, momentum: 0.9 }), /= 38$/);
  assert.equal(nameOf({ lr: 0.1, momentum: 0.9, batch_size: 2 }, 8), "lr 0.1, momentum 0.9, batch 2");
  assert.equal(nameOf(settings, 8), "lr 0.1");
});

test("the words about the next step say where it lands", () => {
  const slice = { reach: 1, losses: [], here: 1, slope: 1, sharpness: 4, move: -0.1 };
  assert.match(sliceWords(slice), /on this side of the bottom/);
  assert.match(sliceWords({ ...slice, move: -0.4 }), /next step, on the other side/);
  assert.match(sliceWords({ ...slice, move: -0.6 }), /higher up on the other side/);
  assert.doesNotMatch(sliceWords({ ...slice, sharpness: -1 }), /side/);
});

test("the axes keep curves in sight and grow in jumps", () => {
  assert.deepEqual([longEnough(0), longEnough(500), longEnough(501)], [500, 500, 700]);
  assert.equal(sharpnessTop([[2, 4]], 100), 6.4);
  assert.equal(sharpnessTop([[2, 4]], 10), 13.5);
  assert.deepEqual(lossLimits([[2, 1e9, 0.5]]), [0.4, 3.3000000000000003]);
  const points = thinned(Array.from({ length: 1300 }, (_, k) => k), 10); // biome-ignore format: one call
  assert.ok(points.length <= 601);
  assert.deepEqual(points[points.length - 1], [12990, 1299]);
});
