// How does a page talk to its kernel? By numbered wishes, which it repeats until the kernel has answered their number.
import { spaced } from "./timing.js";

/** @import { Answer, Model } from "./types.js" */
/** @typedef {Record<string, any>} Settings */
/** @typedef {{ number: number, set?: Settings, do?: string, with?: unknown[] }} Wish */

/**
 * @typedef {object} Manner
 * @property {() => number} [restMs] how long at least between two messages that a moving hand sends
 * @property {number} [lateMs] how long an answer may take before the reader is told
 * @property {(before: Settings, after: Settings) => Settings} [merge] two settings that are wished one after the other
 */

/**
 * What the hand wants is shown at once and told to the kernel; the kernel's settings count again when it has answered
 * the last wish. An older answer, or an echo, undoes nothing.
 * @param {Model} model
 * @param {() => void} changed called when there is something else to show
 * @param {Manner} manner
 */
export function conversation(model, changed, manner = {}) {
  const { restMs = () => 0, lateMs = 1000, merge = (before, after) => ({ ...before, ...after }) } = manner;
  /** @type {Wish[]} */
  let wishes = [];
  let [last, latest] = [0, 0]; // the numbers of the last wish, and of the last one that was answered
  let late = false;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let patience;
  /** @returns {Answer} */
  const answer = () => model.get("_answer");
  const open = () => wishes.filter(({ number }) => number > answer().number);

  const wait = () => {
    clearTimeout(patience);
    patience = open().length ? setTimeout(giveUp, lateMs) : undefined;
  };
  const giveUp = () => {
    late = true;
    changed();
  };
  const send = () => {
    model.set("_wishes", { list: open() });
    model.save_changes();
  };
  const { ask: tell, now } = spaced(send, restMs);
  const add = (/** @type {Omit<Wish, "number">} */ wish) => {
    last = Math.max(last, answer().number) + 1;
    wishes.push({ number: last, ...wish });
    if (patience === undefined && !late) wait();
  };
  const heard = () => {
    wishes = open();
    if (answer().number > latest) {
      latest = answer().number;
      late = false;
      wait();
    }
    changed();
  };
  model.on("change:_answer", heard);

  return {
    answer,
    /** The settings as the hand wants them: those of the kernel, and what it has not answered yet. */
    settings: () => open().reduce((all, wish) => (wish.set ? merge(all, wish.set) : all), answer().settings),
    /** Words of the kernel beside its controls, until the hand does something else. */
    refused: () => (open().length ? {} : answer().refused),
    isLate: () => late,
    /** @param {Settings} settings */
    want: (settings) => {
      const wish = wishes.at(-1);
      if (wish?.set) wishes.pop();
      add({ set: wish?.set ? merge(wish.set, settings) : settings });
      changed(); // first, for a kernel that is gone may take no message
      tell();
    },
    /**
     * Something that is no setting, such as "reset"; it takes back the settings that are not answered yet.
     * @param {string} name
     * @param {unknown[]} given
     */
    act: (name, ...given) => {
      if (name === "reset") wishes = wishes.filter((wish) => !wish.set);
      add({ do: name, with: given });
      changed();
      tell();
      now();
    },
    stop: () => {
      model.off("change:_answer", heard);
      clearTimeout(patience);
      now();
    },
  };
}

/** @typedef {ReturnType<typeof conversation>} Conversation */
