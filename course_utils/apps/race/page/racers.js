// Who races, and with which settings? A row for every algorithm, and a slider for every option.
import { slider } from "../../common/page/controls.js";
import { drawing, element, update } from "../../common/page/elements.js";
import { SHAPES } from "../../common/page/marks.js";
import { typed, written } from "../../common/page/numbers.js";
import { fate } from "./words.js";

/** @import { Race } from "./toolbar.js" */
/** @import { Algorithm, Option, Scene, Settings } from "./types.js" */

/** @param {Race} race */
export function makeRacers(race) {
  const { set, facts } = race;
  const everyone = Object.values(facts.algorithms);
  const [min, max] = facts.range.lr;
  const rate = { min, max, log: true, format: (/** @type {number} */ value) => written(value) };
  const all = slider({
    ...rate,
    label: "lr of all",
    hint: "learning rate of all optimizers",
    onInput: (lr) => set({ lr: Object.fromEntries(everyone.map(({ name }) => [name, lr])) }),
  });
  const rows = everyone.map((algorithm) => makeRacer(algorithm, rate, race));
  const result = element("span", { class: "fate" }, "at the step shown");
  const head = element("div", { class: "racer head" }, all.label, all.thumb, all.shown, result);
  const about = { class: "racers", role: "group", "aria-label": "optimizers and their learning rates" };
  const node = element("div", about, head, ...rows.map((row) => row.node));
  const show = (/** @type {Scene} */ scene) => {
    const rates = scene.state.optimizers.map((name) => scene.state.lr[name]);
    const same = rates.every((lr) => lr === rates[0]);
    if (rates.length) all.show(rates[0], same ? undefined : "differs");
    for (const row of rows) row.show(scene);
  };
  return { node, show };
}

/** @type {(algorithm: Algorithm, rate: { min: number, max: number, log: boolean, format: (value: number) => string }, race: Race) => { node: HTMLElement, show: (scene: Scene) => void }} */
function makeRacer({ name, marker, words }, rate, { read, set, facts }) {
  const onchange = () => {
    const others = read().optimizers;
    const races = (/** @type {string} */ other) => (other === name ? box.checked : others.includes(other));
    set({ optimizers: Object.keys(facts.algorithms).filter(races) });
  };
  const sign = drawing("-1.6 -1.6 3.2 3.2", SHAPES[marker] ?? SHAPES.o);
  const box = element("input", { type: "checkbox", onchange });
  const label = element("label", { class: "name", title: words }, box, sign.node, name);
  const onInput = (/** @type {number} */ lr) => set({ lr: { ...read().lr, [name]: lr } });
  const own = slider({ ...rate, label: name, hint: `learning rate of ${name}`, onInput });
  const result = element("span", { class: "fate" });
  const node = element("div", { class: "racer" }, label, own.thumb, own.shown, result);
  const show = (/** @type {Scene} */ { state, tracks, colors }) => {
    const track = tracks.find((other) => other.name === name);
    const told = track ? fate(track.path, state.step) : "";
    box.checked = Boolean(track);
    node.classList.toggle("absent", !track);
    update(sign.path, null, { fill: colors[name] });
    own.show(state.lr[name]);
    update(result, told);
    result.classList.toggle("lost", told.startsWith("left"));
  };
  return { node, show };
}

/**
 * The step to show when the number of steps changes: whoever saw the end sees the new end.
 * @param {Settings} state
 * @param {number} now
 */
export const stepOf = ({ step, steps }, now) => (step >= steps ? now : Math.min(step, now));

/** @param {Race} race */
export function makeOptions({ read, set, facts }) {
  const [fewest, most] = facts.range.steps;
  /** @type {Option[]} */
  const specs = [
    ...facts.options,
    { name: "steps", label: "steps", hint: "all", min: fewest, max: most, step: 1 },
    { name: "condition_number", label: "condition number", hint: "of the bowl", min: 1, max: 100, step: 1 },
  ];
  const rows = specs.map(({ name, label, hint, ...limits }) => {
    const onInput = (/** @type {number} */ value) =>
      set(name === "steps" ? { steps: value, step: stepOf(read(), value) } : { [name]: value });
    const one = slider({ ...limits, label, hint: `${label} (${hint})`, format: (value) => typed(value), onInput });
    one.label.append(element("small", {}, hint));
    return { name, one, node: element("div", { class: "option" }, one.label, one.thumb, one.shown) };
  });
  const about = { class: "options", role: "group", "aria-label": "settings" };
  const node = element("div", about, ...rows.map((row) => row.node));
  const show = (/** @type {Scene} */ { state }) => {
    for (const { name, node: row, one } of rows) {
      one.show(state[name]);
      if (name === "condition_number") row.hidden = state.surface !== "Quadratic";
    }
  };
  return { node, show };
}
