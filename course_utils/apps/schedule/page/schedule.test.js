// Are curves read, merged and told rightly? Everything of the schedule lab that needs no page.
import assert from "node:assert/strict";
import { test } from "node:test";
import { cursorWords, lrAt, lrLimits, merged, readCurve, sameWords } from "./curves.js";
import { notANumber, slideOf } from "./field.js";

const about = { name: "StepLR", lr: 0.1, steps: 40, steps_per_epoch: 4, frozen: null, same: true };
const curve = readCurve({
  ...about,
  at: new DataView(new Uint32Array([0, 20]).buffer),
  values: new DataView(new Float64Array([0.1, 0.01]).buffer),
});

test("between two changes the lr is that of the first", () => {
  assert.deepEqual(
    [0, 19, 20, 39].map((step) => lrAt(curve, step)),
    [0.1, 0.1, 0.01, 0.01],
  );
});

test("the cursor tells step, epoch, batch, and the lr of every curve", () => {
  const words = cursorWords([curve, { ...curve, steps: 10 }], 21, 4);
  assert.equal(words, "step 21 (epoch 6, batch 2): lr 0.01; pinned —");
});

test("a pinned curve that is the present one is told, whichever it is", () => {
  assert.match(sameWords([{ same: true }]), /^The pinned curve is the same/);
  assert.match(sameWords([{ same: false }, { same: true }]), /^Pinned curve 2 is the same/);
  assert.match(sameWords([{ same: true }, { same: true }]), /^Pinned curve 1 and 2 are the same/);
  assert.equal(sameWords([{ same: false }]), "");
});

test("parameters that are wished one after the other are all wished", () => {
  const both = merged({ parameters: { gamma: 0.5 } }, { parameters: { step_size: 3 } });
  assert.deepEqual(both, { parameters: { gamma: 0.5, step_size: 3 } });
});

test("another scheduler brings its own parameters", () => {
  const now = merged({ scheduler: "StepLR", parameters: { gamma: 0.5 }, lr: 1 }, { scheduler: "LinearLR" });
  assert.deepEqual(now, { scheduler: "LinearLR", parameters: {}, lr: 1 });
});

test("the log axis ends where float32 has lost everything", () => {
  const [low] = lrLimits([{ values: new Float64Array([0.1, 1e-30]) }], true, 1e-7);
  assert.ok(low > 1e-11 && low < 1e-9);
  assert.equal(lrLimits([curve], false, 1e-7)[0], 0);
});

/** @type {import("./types.js").Spec} */
const spec = { name: "gamma", kind: "number", values: [0.1, 0.5], summary: "" };

test("what is no number is refused in words, and what is one is not", () => {
  assert.equal(notANumber(spec, "abc", Number.NaN), "gamma must be a number, got abc; try 0.1");
  assert.equal(notANumber(spec, "0.3", 0.3), "");
  assert.equal(notANumber(spec, "", null), "");
  assert.match(notANumber({ ...spec, kind: "list" }, "1, x", [1, Number.NaN]), /must be whole numbers/);
});

test("a slider reaches over all values worth trying", () => {
  assert.deepEqual(slideOf({ ...spec, start: 0.9 }), [0.1, 0.9]);
  assert.deepEqual(slideOf({ ...spec, kind: "whole number", values: [5, 30] }), [1, 30]);
  assert.deepEqual(slideOf({ ...spec, values: [] }), [0, 0]);
});
