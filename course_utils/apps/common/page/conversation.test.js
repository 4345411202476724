// Does the hand keep what it set, and is every wish told to the kernel? With a kernel that answers when the test says so.
import assert from "node:assert/strict";
import { mock, test } from "node:test";
import { conversation } from "./conversation.js";

/** A model whose kernel has heard everything up to `answer(number, settings)`. */
function kernel(settings = { lr: 0.1, steps: 100 }) {
  /** @type {Record<string, any>} */
  const state = { _answer: { number: 0, settings, refused: {} }, _wishes: {} };
  /** @type {Record<string, (() => void)[]>} */
  const listeners = {};
  /** @type {any[][]} */
  const sent = [];
  const model = {
    get: (/** @type {string} */ name) => state[name],
    set: (/** @type {string} */ name, /** @type {unknown} */ value) => {
      state[name] = value;
    },
    save_changes: () => {
      sent.push(state._wishes.list);
    },
    on: (/** @type {string} */ event, /** @type {() => void} */ act) => {
      listeners[event] = [...(listeners[event] ?? []), act];
    },
    off: () => {},
  };
  const answer = (/** @type {number} */ number, /** @type {any} */ now, refused = {}) => {
    state._answer = { number, settings: now, refused };
    for (const act of listeners["change:_answer"] ?? []) act();
  };
  return { model, sent, answer };
}

const quiet = () => {};

test("what the hand wants is shown before the kernel has heard of it", () => {
  const { model, sent } = kernel();
  const talk = conversation(model, quiet);
  talk.want({ lr: 0.2 });
  assert.deepEqual(talk.settings(), { lr: 0.2, steps: 100 });
  assert.deepEqual(sent, [[{ number: 1, set: { lr: 0.2 } }]]);
});

test("an answer older than the last wish undoes nothing", () => {
  const { model, answer } = kernel();
  const talk = conversation(model, quiet);
  talk.want({ lr: 0.2 });
  talk.want({ lr: 0.3 });
  answer(1, { lr: 0.2, steps: 100 });
  assert.equal(talk.settings().lr, 0.3);
  answer(2, { lr: 0.3, steps: 100 });
  assert.equal(talk.settings().lr, 0.3);
});

test("what a cell sets is shown once nothing is open", () => {
  const { model, answer } = kernel();
  const talk = conversation(model, quiet);
  talk.want({ lr: 0.2 });
  answer(1, { lr: 0.2, steps: 100 });
  answer(1, { lr: 0.7, steps: 100 });
  assert.equal(talk.settings().lr, 0.7);
});

test("wishes that are not answered are told again, in their order, and settings in a row are one", () => {
  const { model, sent } = kernel();
  const talk = conversation(model, quiet);
  talk.want({ lr: 0.2 });
  talk.want({ steps: 50 });
  talk.act("pin");
  talk.want({ lr: 0.3 });
  assert.deepEqual(sent.at(-1), [
    { number: 2, set: { lr: 0.2, steps: 50 } },
    { number: 3, do: "pin", with: [] },
    { number: 4, set: { lr: 0.3 } },
  ]);
});

test("a reset takes back the settings that were not answered yet", () => {
  const { model } = kernel();
  const talk = conversation(model, quiet);
  talk.want({ lr: 0.2 });
  talk.act("reset");
  assert.equal(talk.settings().lr, 0.1);
});

test("a refusal is shown until the hand does something else", () => {
  const { model, answer } = kernel();
  const talk = conversation(model, quiet);
  talk.want({ lr: -1 });
  answer(1, { lr: 0.1, steps: 100 }, { lr: "lr must be a number" });
  assert.deepEqual(talk.refused(), { lr: "lr must be a number" });
  assert.equal(talk.settings().lr, 0.1);
  talk.want({ lr: 0.5 });
  assert.deepEqual(talk.refused(), {});
});

test("a page that was opened anew goes on counting where the kernel is", () => {
  const { model, sent, answer } = kernel();
  answer(41, { lr: 0.1, steps: 100 });
  conversation(model, quiet).want({ lr: 0.2 });
  assert.equal(sent[0][0].number, 42);
});

test("a moving hand sends no more often than it may, and its last wish is sent", () => {
  mock.timers.enable({ apis: ["setTimeout"] });
  const { model, sent } = kernel();
  const talk = conversation(model, quiet, { restMs: () => 120 });
  for (const lr of [0.2, 0.3, 0.4]) talk.want({ lr });
  assert.equal(sent.length, 1);
  mock.timers.tick(120);
  assert.deepEqual([sent.length, sent[1]], [2, [{ number: 3, set: { lr: 0.4 } }]]);
  mock.timers.reset();
});

test("no answer within a second is told, and an answer ends it", () => {
  mock.timers.enable({ apis: ["setTimeout"] });
  const { model, answer } = kernel();
  let drawn = 0;
  const talk = conversation(model, () => drawn++);
  talk.want({ lr: 0.2 });
  mock.timers.tick(999);
  assert.equal(talk.isLate(), false);
  const before = drawn;
  mock.timers.tick(1);
  assert.deepEqual([talk.isLate(), drawn], [true, before + 1]);
  answer(1, { lr: 0.2, steps: 100 });
  assert.equal(talk.isLate(), false);
  mock.timers.tick(5000);
  assert.equal(talk.isLate(), false);
  mock.timers.reset();
});

test("a hand that moves on while the kernel keeps answering is never told that it is late", () => {
  mock.timers.enable({ apis: ["setTimeout"] });
  const { model, answer } = kernel();
  const talk = conversation(model, quiet);
  for (let number = 1; number < 20; number++) {
    talk.want({ lr: number });
    mock.timers.tick(150);
    if (number > 1) answer(number - 1, { lr: number - 1, steps: 100 });
    assert.equal(talk.isLate(), false);
  }
  mock.timers.reset();
});
