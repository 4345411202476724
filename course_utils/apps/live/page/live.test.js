// Is a training read and told rightly? Everything of the live training that needs no page.
import assert from "node:assert/strict";
import { test } from "node:test";
import { longEnough, lossTop, spells, spokenWords } from "./training.js";

/** @import { Mark, Training } from "./types.js" */

/** @type {Training} */
const training = {
  stage: "running",
  steps: 230,
  words: "Training: 230 steps.",
  lost: false,
  every: 1,
  last: 2.1,
  exams: [
    [0, 0.1],
    [200, 0.25],
  ],
  predictions: [],
  certainty: [],
  marks: [],
  settings: { optimizer: "Adam", lr: 0.1, momentum: 0.9, budget: 1000 },
  losses: new Float32Array(230),
  smoothed: new Float32Array(230),
};

test("while it runs every hundredth step is told, at rest what the kernel says", () => {
  assert.equal(spokenWords(training), "Step 200: loss 2.1, 25\u00a0% right.");
  assert.equal(spokenWords({ ...training, steps: 99 }), "Training.");
  assert.equal(spokenWords({ ...training, stage: "paused" }), "Training: 230 steps.");
});

test("the axis of the steps grows in jumps", () => {
  assert.deepEqual([longEnough(0), longEnough(50), longEnough(51)], [50, 50, 65]);
});

test("a loss that is no number does not decide how tall the axis is", () => {
  assert.equal(lossTop([1, Number.NaN, Number.POSITIVE_INFINITY], 2), 2.5);
  assert.equal(lossTop([100], 2), 8);
});

test("every stretch of a curve has the optimizer that made it", () => {
  /** @type {(step: number, before: string, after: string) => Mark} */
  const swap = (step, before, after) => ({ step, what: "optimizer", before, after, text: "" });
  const marks = [swap(100, "SGD", "RMSprop"), swap(150, "RMSprop", "Adam")];
  assert.deepEqual(spells({ ...training, marks }), [
    [0, 100, "SGD"],
    [100, 150, "RMSprop"],
    [150, 229, "Adam"],
  ]);
});
