// How does one go through a race? Surface, play, single steps, the last step shown, and a way back to the beginning.
import { slider } from "../../common/page/controls.js";
import { button, element, update } from "../../common/page/elements.js";
import { within } from "../../common/page/numbers.js";

/** @import { Facts, Scene, Settings } from "./types.js" */

/**
 * What every part of the page is made from.
 * @typedef {object} Race
 * @property {Facts} facts
 * @property {() => Settings} read
 * @property {(changes: Record<string, unknown>) => void} set
 * @property {Settings} atFirst
 * @property {() => boolean} isStill whether nothing may move by itself
 */

/** @param {Race} race */
export function makeToolbar({ read, set, facts, atFirst, isStill }) {
  const choices = Object.entries(facts.surfaces).map(([value, { title }]) => element("option", { value }, title));
  const enter = () => {
    const { start, lr } = facts.surfaces[select.value];
    set({ surface: select.value, start, lr });
  };
  const select = element("select", { "aria-label": "surface", onchange: enter }, ...choices);
  const player = makePlayer(read, set, isStill);
  const go = (/** @type {(state: Settings) => number} */ step) => () => {
    player.stop();
    set({ step: within(step(read()), 0, read().steps) });
  };
  const position = slider({
    label: "step",
    hint: "last step shown",
    min: 0,
    max: facts.range.steps[1],
    format: (step) => `${step} of ${read().steps}`,
    onInput: (step) => go(() => step)(),
  });
  const again = () => {
    player.stop();
    set(atFirst);
  };
  const node = element(
    "div",
    { class: "toolbar" },
    select,
    player.node,
    button(
      "Step",
      "one step on",
      go(({ step, steps }) => (step >= steps ? 1 : step + 1)),
    ),
    button(
      "Start",
      "back to the start",
      go(() => 0),
    ),
    button(
      "End",
      "show all steps",
      go(({ steps }) => steps),
    ),
    element("span", { class: "position" }, position.label, position.thumb, position.shown),
    button("Reset", "all settings as they were at first", again),
  );
  const show = (/** @type {Scene} */ { state }) => {
    select.value = state.surface;
    update(position.thumb, null, { max: state.steps });
    position.show(state.step);
  };
  return { node, show, stop: player.stop };
}

/**
 * Play: from the present step to the last, in about six seconds; at once where the reader asks for stillness.
 * @param {Race["read"]} read
 * @param {Race["set"]} set
 * @param {Race["isStill"]} isStill
 */
function makePlayer(read, set, isStill) {
  let frame = 0;
  const node = button("▶ Play", "let them run", () => (frame ? stop() : play()), { class: "main" });
  const stop = () => {
    cancelAnimationFrame(frame);
    frame = 0;
    update(node, "▶ Play");
  };
  const play = () => {
    const { step, steps } = read();
    if (isStill()) return set({ step: steps });
    const [from, began, perSecond] = [step >= steps ? 0 : step, performance.now(), Math.max(8, steps / 6)];
    update(node, "❚❚ Pause");
    const next = (/** @type {number} */ now) => {
      const reached = Math.min(read().steps, from + Math.floor((Math.max(0, now - began) / 1000) * perSecond));
      if (reached !== read().step) set({ step: reached });
      if (reached < read().steps) frame = requestAnimationFrame(next);
      else stop();
    };
    frame = requestAnimationFrame(next);
  };
  return { node, stop };
}
