// Are a race's paths and words right where torch is not asked? Closed forms and invariants.
import assert from "node:assert/strict";
import { test } from "node:test";
import { lossLimits } from "./losses.js";
import { equalBox, mapHeight, onMap } from "./map.js";
import { shownPoints } from "./paths.js";
import { stepOf } from "./racers.js";
import { adam, sgd } from "./rules.js";
import { descend, racer } from "./run.js";
import { readStability } from "./stability.js";
import { bowlLevels, LANDSCAPES } from "./surfaces.js";
import { crossings } from "./terrain.js";
import { arithmetic, fate, whyNone } from "./words.js";

/** @import { Pair } from "../../common/page/types.js" */
/** @import { Settings } from "./types.js" */

/** @type {{ xlim: Pair, ylim: Pair }} */
const MAP = { xlim: [-10, 10], ylim: [-4, 4] };

/** @type {(rule: typeof sgd, lr: number, start: Pair, steps: number, k?: number) => ReturnType<typeof descend>} */
const bowl = (rule, lr, start, steps, k = 5) =>
  descend(rule, { lr }, LANDSCAPES.Quadratic, MAP, { start, steps, condition_number: k });

test("gradient descent on the bowl shrinks each coordinate by 1 - lr * curvature", () => {
  const { points } = bowl(sgd, 0.1, [8, 2], 3);
  assert.ok(Math.abs(points[3][0] - 8 * 0.9 ** 3) < 1e-12);
  assert.ok(Math.abs(points[3][1] - 2 * 0.5 ** 3) < 1e-12);
});

test("the first step of Adam is lr long, whatever the gradient", () => {
  for (const g of [1e-3, 1, 1e3]) assert.ok(Math.abs(adam(0, g, {}, { lr: 0.1 }).p + 0.1) < 1e-5);
});

test("a path that grows leaves the map, and ends where its numbers become too large", () => {
  const path = bowl(sgd, 1e200, [1, 1], 9, 1);
  assert.equal(path.divergedAt, path.points.length);
  assert.equal(fate(path, 9), `left the map at step ${path.leftMapAt}`);
  assert.equal(fate(path, 0), "loss 1");
});

test("a path is drawn to the edge of the map and no farther", () => {
  const path = bowl(sgd, 0.5, [0, 1], 5);
  const shown = shownPoints({ name: "", path, color: "", shape: "o" }, 5, MAP);
  assert.equal(Math.abs(shown[shown.length - 1][1]), 4);
});

test("options of one keyword are a tuple, and fixed ones are always there", () => {
  const free = ["beta1", "beta2"].map((name) => ({ name, keyword: "betas" }));
  const about = { color: "", marker: /** @type {const} */ ("o"), words: "" };
  const state = /** @type {Settings} */ (/** @type {unknown} */ ({ lr: { A: 0.1 }, beta1: 0.8, beta2: 0.9 }));
  const [rule, options] = racer({ name: "A", rule: "Adam", fixed: { eps: 1 }, free, ...about }, state);
  assert.deepEqual([rule, options], [adam, { lr: 0.1, eps: 1, betas: [0.8, 0.9] }]);
});

test("a rule without a story of its own is told from its result", () => {
  const step = { options: { lr: 1 }, gradient: /** @type {Pair} */ ([1, 2]), point: /** @type {Pair} */ ([3, 4]) };
  const rows = arithmetic("Lion", { ...step, before: [{}, {}], after: [{ p: 2 }, { p: 3 }] });
  assert.deepEqual(
    rows.map(({ symbol, values }) => [symbol, values]),
    [
      ["p", [3, 4]],
      ["g", [1, 2]],
      ["p", [2, 3]],
    ],
  );
});

test("before the first step there is nothing to write out", () => {
  const state = /** @type {Settings} */ ({ step: 0, chosen: "SGD" });
  assert.match(whyNone(state, bowl(sgd, 0.1, [1, 1], 2)), /^Press Step/);
});

test("whoever sees the end sees the new end, whoever sees the middle stays there", () => {
  const seen = (/** @type {number} */ step) => /** @type {Settings} */ ({ step, steps: 100 });
  assert.deepEqual([stepOf(seen(100), 200), stepOf(seen(20), 200), stepOf(seen(80), 50)], [200, 20, 50]);
});

test("the map has the same scale across and down, and lies within its canvas", () => {
  const { left, top, width, height } = equalBox([400, 300], MAP);
  assert.ok(Math.abs(width / 20 - height / 8) < 1e-9);
  assert.ok(left + width <= 400 && top + height <= 300);
  assert.deepEqual([mapHeight(100, MAP), mapHeight(5000, MAP), onMap([99, -99], MAP)], [250, 400, [10, -4]]);
});

test("contours cross the edges of a cell in pairs, where the level is met", () => {
  assert.deepEqual(crossings(0, 2, 2, 0, 1), [
    [0.5, 0],
    [0.5, 1],
  ]);
  assert.equal(crossings(0, 1, 0, 1, 0.5).length, 4);
  assert.equal(crossings(2, 3, 4, 5, 1).length, 0);
});

test("the axis of the losses holds all losses, and no more than twelve decades", () => {
  const path = bowl(sgd, 0.19, [8, 2], 200);
  const [low, high] = lossLimits([{ name: "", path, color: "", shape: "o" }]);
  assert.ok(high > path.losses[0] && low > 1e-14 * path.losses[0]);
  assert.equal(bowlLevels(1).length, 12);
});

test("the best run of the stability map is the least of those that are not lost", () => {
  const view = (/** @type {Float32Array | Uint8Array} */ { buffer }) => new DataView(buffer);
  const losses = view(new Float32Array([3, 0.1, 2, 1]));
  const lost = view(new Uint8Array([0, 1, 0, 0]));
  const map = readStability({ lr: [1, 2], momentum: [0, 1], curvature: 1, rule: "Momentum", losses, lost });
  assert.equal(map.best, 3);
  assert.ok(map.low < map.high);
});
