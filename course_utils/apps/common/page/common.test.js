// Are numbers, colours and axes right? Everything of the common page that needs no page.
import assert from "node:assert/strict";
import { test } from "node:test";
import { contrast, ENOUGH, legible, luminance } from "./colors.js";
import { arrow, rounded } from "./controls.js";
import { counted, percent, power, typed, within, written } from "./numbers.js";
import { axes, decades, inside, ticks } from "./plot.js";
import { changes, spaced } from "./timing.js";

test("numbers are written for readers", () => {
  assert.deepEqual(
    [0, 12, -0.5, 1 / 3, 123456, -1e-7].map((value) => written(value)),
    ["0", "12", "−0.5", "0.3333", "1.235e5", "−1e−7"],
  );
  assert.deepEqual([written(Number.NaN), written(0.1045), written(0.1045, 3)], ["too large", "0.1045", "0.104"]);
  assert.deepEqual([typed(0.1 + 0.2), counted(12345), percent(0.126)], ["0.3", "12,345", "13\u00a0%"]);
  assert.deepEqual([0.001, 1, 1e4, 1e-12].map(power), ["0.001", "1", "10⁴", "10⁻¹²"]);
});

test("contrast is that of WCAG: 21 between black and white, 1 between equals", () => {
  assert.equal(contrast("#000000", "#ffffff"), 21);
  assert.equal(contrast("#777777", "#777777"), 1);
  assert.ok(Math.abs(contrast("#767676", "#ffffff") - 4.54) < 0.01);
});

test("a colour that can be seen stays, any other one becomes so, on every ground", () => {
  assert.equal(legible("#0072b2", "#ffffff"), "#0072b2");
  assert.equal(legible("#000000", "#111111"), "#ffffff");
  for (const ground of ["#ffffff", "#111111", "#212121", "#000000", "#f5f5dc", "#808080"]) {
    for (const color of ["#56b4e9", "#e69f00", "#000000", "#ffffff", "#332288", "#ffff00"]) {
      assert.ok(
        contrast(legible(color, ground), ground) >=
          Math.min(ENOUGH, contrast(luminance(ground) < 0.18 ? "#ffffff" : "#000000", ground)),
      );
    }
  }
});

test("axes put values where they stand, and find them again", () => {
  const box = { left: 10, top: 20, width: 100, height: 50 };
  const linear = axes(box, [0, 10], [-1, 1]);
  assert.deepEqual([linear.X(5), linear.Y(-1), linear.Y(1)], [60, 70, 20]);
  const log = axes(box, [1e-4, 1], [1, 100], { logX: true, logY: true });
  assert.ok(Math.abs(log.X(0.01) - 60) < 1e-9);
  for (const value of [2e-4, 0.3]) assert.ok(Math.abs(log.atX(log.X(value)) / value - 1) < 1e-12);
});

test("ticks are round, few, and within the range", () => {
  assert.deepEqual(ticks([0, 10], 5), [0, 2, 4, 6, 8, 10]);
  assert.deepEqual(decades([0.002, 2000], 3), [0.01, 1, 100]);
  assert.ok(ticks([0, 1], 0).length <= 3);
});

test("a box leaves room for labels and never vanishes", () => {
  assert.deepEqual(inside(300, 200, { left: 50, right: 10 }), { left: 50, top: 12, width: 240, height: 156 });
  assert.equal(inside(10, 10).width, 20);
});

/** @param {Partial<KeyboardEvent>} event */
const press = (event, far = 10) => arrow(/** @type {KeyboardEvent} */ (event), far);

test("arrow keys move, with Shift farther, and with Ctrl or Meta not at all", () => {
  assert.deepEqual(press({ key: "ArrowLeft" }), { across: -1, up: 0 });
  assert.deepEqual(press({ key: "ArrowUp", shiftKey: true }), { across: 0, up: 10 });
  assert.deepEqual([press({ key: "ArrowUp", ctrlKey: true }), press({ key: "d" })], [null, null]);
  assert.deepEqual([rounded(0.09 * 1.01), within(3, 0, 2)], [0.0909, 2]);
});

test("only what is new is new", () => {
  const isNew = changes();
  assert.deepEqual([isNew(1, [2]), isNew(1, [2]), isNew(1, [3])], [true, false, true]);
});

test("without a rest everything is done at once", () => {
  let done = 0;
  const { ask } = spaced(
    () => done++,
    () => 0,
  );
  for (let i = 0; i < 3; i++) ask();
  assert.equal(done, 3);
});
