// Are the rules right where torch is not asked? Closed forms and invariants; tests/ compares every rule with torch.
import assert from "node:assert/strict";
import { test } from "node:test";
import { adam, descend, LANDSCAPES, sgd } from "./rules.js";

const MAP = { xlim: [-10, 10], ylim: [-4, 4] };

test("gradient descent on the bowl shrinks each coordinate by 1 - lr * curvature", () => {
  const { points } = descend(sgd, { lr: 0.1 }, LANDSCAPES.Quadratic, MAP, {
    start: [8, 2],
    steps: 3,
    condition_number: 5,
  });
  assert.ok(Math.abs(points[3][0] - 8 * 0.9 ** 3) < 1e-12);
  assert.ok(Math.abs(points[3][1] - 2 * 0.5 ** 3) < 1e-12);
});

test("the first step of Adam is lr long, whatever the gradient", () => {
  for (const g of [1e-3, 1, 1e3]) assert.ok(Math.abs(adam(0, g, {}, { lr: 0.1 }).p + 0.1) < 1e-5);
});

test("a path ends where its numbers become too large", () => {
  const { points, divergedAt } = descend(sgd, { lr: 1e200 }, LANDSCAPES.Beale, MAP, {
    start: [1, 1],
    steps: 9,
    condition_number: 1,
  });
  assert.equal(divergedAt, points.length);
});
