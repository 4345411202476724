// What stands beside the map? The losses, or the stability map whose runs can be looked at and taken.
import { arrow } from "../../common/page/controls.js";
import { button, element, update } from "../../common/page/elements.js";
import { within } from "../../common/page/numbers.js";
import { changes } from "../../common/page/timing.js";
import { drawLosses } from "./losses.js";
import { drawStability, paintCells, readStability, stabilityAxes } from "./stability.js";
import { runInWords } from "./words.js";

/** @import { Plot } from "../../common/page/types.js" */
/** @import { Race } from "./toolbar.js" */
/** @import { Cell, Scene, Settings, Stability, StabilityMap } from "./types.js" */

const MAP_NAME = "Stability map: arrow keys choose a run, Enter takes its settings";

/**
 * @param {Race} race
 * @param {(cursor: Cell | null) => void} look
 */
export function makeSide(race, look) {
  const { read, set } = race;
  const tabs = [makeTab("loss", "Loss", set), makeTab("stability", "Stability map", set)];
  const canvas = element("canvas", { role: "img" });
  const panel = element("div", { class: "panel", role: "tabpanel" }, canvas);
  const hint = element("p", { class: "hint" });
  const row = element("div", { class: "tabs", role: "tablist" }, ...tabs);
  const node = element("div", { class: "side" }, row, panel, hint);
  const [known, isNew] = [keepStability(), changes()];
  const cells = followCells(panel, canvas, known, look, (cell, map) => set(settingsOf(cell, map, read(), race)));
  const show = (/** @type {Scene} */ scene) => {
    const { state } = scene;
    for (const tab of tabs) select(tab, tab.dataset.view === state.view);
    const isMap = state.view === "stability";
    const name = isMap ? MAP_NAME : "Loss at every step";
    update(panel, null, { tabindex: isMap ? 0 : -1, "aria-label": name });
    update(canvas, null, { "aria-label": name });
    update(hint, isMap ? hintOf(scene) : "Every marker is one optimizer; ✕ is where it left the map.");
    drawSide(canvas, scene, race, cells, isNew);
  };
  return { node, panel, show, stability: known.read };
}

/** @type {(view: Settings["view"], text: string, set: Race["set"]) => HTMLButtonElement} */
function makeTab(view, text, set) {
  const choose = () => {
    tab.focus();
    set({ view });
  };
  const other = (/** @type {KeyboardEvent} */ event) => {
    const { across = 0 } = arrow(event, 1) ?? {};
    const next = across < 0 ? tab.previousElementSibling : across > 0 ? tab.nextElementSibling : null;
    if (next instanceof HTMLElement) next.click();
  };
  const tab = button(text, text, choose, { role: "tab", "data-view": view, onkeydown: other });
  return tab;
}

/** @type {(tab: HTMLElement, selected: boolean) => void} */
const select = (tab, selected) => update(tab, null, { "aria-selected": selected, tabindex: selected ? 0 : -1 });

/** The last message from the kernel, read and painted once. */
function keepStability() {
  /** @type {unknown} */
  let message = null;
  /** @type {{ latest: Stability | null, read: (sent: any) => Stability | null }} */
  const kept = {
    latest: null,
    read: (sent) => {
      if (sent?.losses && sent !== message) {
        message = sent;
        const map = readStability(sent);
        kept.latest = { map, cells: paintCells(map), number: (kept.latest?.number ?? 0) + 1 };
      }
      return kept.latest;
    },
  };
  return kept;
}

/** @type {(scene: Scene) => string} */
function hintOf({ state, preview, stability }) {
  if (!stability) return "The kernel computes 64 × 64 runs …";
  if (preview) return `${preview.name}, ${runInWords(preview)}`;
  const plain = state.weight_decay > 0 || state.dampening > 0 ? " (without weight decay and dampening)" : "";
  return `4,096 runs of ${stability.map.rule}${plain}, ★ the best: point at one to see its path, click to take it.`;
}

/** @typedef {{ plot: Plot | null, cursor: Cell | null }} Cells */

/**
 * Draw it if it is new: neither a message nor a key should cost two pictures.
 * @type {(canvas: HTMLCanvasElement, scene: Scene, race: Race, cells: Cells, isNew: (...drawn: unknown[]) => boolean) => void}
 */
function drawSide(canvas, { state, tracks, look, stability, cursor, sizes }, { facts }, cells, isNew) {
  const size = sizes.side;
  const view = [state.view, look, size, window.devicePixelRatio];
  if (state.view === "loss") {
    if (isNew(view, state)) drawLosses(canvas, size, { tracks, step: state.step, steps: state.steps, look });
  } else if (!stability) {
    if (isNew(view)) canvas.getContext("2d")?.clearRect(0, 0, canvas.width, canvas.height);
  } else {
    const { map, number } = stability;
    const { color, marker: shape } = facts.algorithms[map.rule];
    const present = { lr: state.lr[map.rule], momentum: state.momentum, color, shape };
    cells.plot = stabilityAxes(size, map);
    if (!isNew(view, number, state.steps, present, cursor)) return;
    drawStability(canvas, size, { ...stability, steps: state.steps, present, cursor, look });
  }
}

/**
 * Which cell the pointer or the arrow keys point at; `take` on a click or Enter.
 * @param {HTMLElement} panel
 * @param {HTMLCanvasElement} canvas
 * @param {{ latest: Stability | null }} known
 * @param {(cursor: Cell | null) => void} look
 * @param {(cell: Cell, map: StabilityMap) => void} take
 */
function followCells(panel, canvas, known, look, take) {
  /** @type {Cells} */
  const cells = { plot: null, cursor: null };
  const point = (/** @type {Cell | null} */ cursor) => look((cells.cursor = cursor));
  const map = () => (panel.tabIndex === 0 && cells.plot && known.latest ? known.latest.map : null);
  const under = (/** @type {MouseEvent} */ event) => {
    const runs = map();
    return runs && cells.plot && cellAt(event, canvas, cells.plot, runs);
  };
  const takeIt = () => {
    const runs = map();
    if (runs && cells.cursor) take(cells.cursor, runs);
  };
  panel.addEventListener("pointermove", (event) => map() && point(under(event)));
  for (const leave of ["pointerleave", "blur"]) panel.addEventListener(leave, () => cells.cursor && point(null));
  panel.addEventListener("click", takeIt);
  panel.addEventListener("keydown", (event) => {
    const runs = map();
    if (!runs) return;
    if (event.key === "Enter") takeIt();
    if (event.key === "Escape") point(null);
    const moves = arrow(event, 8);
    if (!moves) return;
    event.preventDefault();
    const from = cells.cursor ?? bestCell(runs);
    point({ row: index(from.row + moves.up, runs.momentum), column: index(from.column + moves.across, runs.lr) });
  });
  return cells;
}

/** @type {(map: StabilityMap) => Cell} */
function bestCell({ best, lr: { length } }) {
  const cell = Math.max(best, 0);
  return { row: Math.floor(cell / length), column: cell % length };
}

/** @type {(place: number, values: number[]) => number} */
const index = (place, values) => within(place, 0, values.length - 1);

/** @type {(event: MouseEvent, canvas: HTMLElement, plot: Plot, map: StabilityMap) => Cell | null} */
function cellAt({ clientX, clientY }, canvas, plot, { lr, momentum }) {
  const { left, top } = canvas.getBoundingClientRect();
  const [x, y] = [(clientX - left - plot.left) / plot.width, (clientY - top - plot.top) / plot.height];
  if (x < 0 || x >= 1 || y < 0 || y >= 1) return null;
  return { row: index(Math.floor((1 - y) * momentum.length), momentum), column: Math.floor(x * lr.length) };
}

/**
 * The settings of a cell as those of the race, in which its optimizer takes part.
 * @type {(cell: Cell, map: StabilityMap, state: Settings, race: Race) => Partial<Settings>}
 */
function settingsOf({ row, column }, { lr, momentum, rule }, state, { facts }) {
  return {
    lr: { ...state.lr, [rule]: Number(lr[column].toPrecision(4)) },
    momentum: Number(momentum[row].toFixed(4)),
    optimizers: Object.keys(facts.algorithms).filter((name) => name === rule || state.optimizers.includes(name)),
  };
}
