// Where does the race begin? The map with its paths, and a start that follows mouse, finger and arrow keys.
import { arrow } from "../../common/page/controls.js";
import { element, update } from "../../common/page/elements.js";
import { within } from "../../common/page/numbers.js";
import { axes, inside } from "../../common/page/plot.js";
import { changes } from "../../common/page/timing.js";
import { drawPaths } from "./paths.js";
import { bowlLevels, LANDSCAPES } from "./surfaces.js";
import { drawTerrain, onTerrain } from "./terrain.js";

/** @import { Pair, Plot } from "../../common/page/types.js" */
/** @import { Race } from "./toolbar.js" */
/** @import { Limits, Scene } from "./types.js" */

const TALLEST = 400;

/** @param {Race} race */
export function makeMap({ read, set, facts }) {
  const canvas = element("canvas", { role: "img" });
  const terrain = document.createElement("canvas");
  const name = "start point; arrow keys move it, with Shift farther";
  const handle = element("div", { class: "start", role: "slider", tabindex: "0", "aria-label": name });
  const node = element("div", { class: "map" }, canvas, handle);
  const [newGround, newPicture] = [changes(), changes()];
  /** @type {Plot | null} */
  let plot = null;
  const moveTo = (/** @type {number} */ x, /** @type {number} */ y) =>
    set({ start: onMap([x, y], facts.surfaces[read().surface]) });
  followPointer(node, handle, (x, y) => plot && moveTo(plot.atX(x), plot.atY(y)));
  handle.addEventListener("keydown", (event) => {
    const moves = arrow(event, 10);
    if (!moves) return;
    event.preventDefault();
    const { start, surface } = read();
    const { xlim, ylim } = facts.surfaces[surface];
    const [width, height] = [xlim[1] - xlim[0], ylim[1] - ylim[0]];
    moveTo(start[0] + 0.01 * moves.across * width, start[1] + 0.01 * moves.up * height);
  });
  const show = (/** @type {Scene} */ { state, tracks, look, preview, sizes }) => {
    const chart = facts.surfaces[state.surface];
    plot = axes(equalBox(sizes.map, chart), chart.xlim, chart.ylim);
    const view = [sizes, look, window.devicePixelRatio];
    if (!newPicture(view, state, preview?.lr, preview?.momentum)) return;
    if (newGround(view, state.surface, state.condition_number)) {
      const { loss } = LANDSCAPES[state.surface];
      const levels = state.surface === "Quadratic" ? bowlLevels(state.condition_number) : chart.levels;
      drawTerrain(terrain, sizes.map, plot, (x, y) => loss(x, y, state.condition_number), levels, look);
    }
    const { step, start } = state;
    drawPaths(onTerrain(canvas, terrain, sizes.map), plot, {
      minima: chart.minima,
      tracks,
      step,
      preview,
      start,
      look,
    });
    placeHandle(handle, plot, start);
    const names = state.optimizers.join(", ") || "nobody";
    update(canvas, null, { "aria-label": `${chart.title} with the paths of ${names}` });
  };
  return { node, show };
}

/**
 * How tall a map of this width should be.
 * @param {number} width
 * @param {Limits} map
 */
export function mapHeight(width, { xlim, ylim }) {
  const { width: across } = inside(width, 300);
  return Math.round(within((across * (ylim[1] - ylim[0])) / (xlim[1] - xlim[0]) + 44, 250, TALLEST));
}

/**
 * The largest box in which x and y have the same scale, so that gradients cross contour lines at right angles.
 * @param {Pair} size
 * @param {Limits} map
 */
export function equalBox([width, height], { xlim, ylim }) {
  const room = inside(width, height);
  const scale = Math.min(room.width / (xlim[1] - xlim[0]), room.height / (ylim[1] - ylim[0]));
  const [across, down] = [scale * (xlim[1] - xlim[0]), scale * (ylim[1] - ylim[0])];
  const [left, top] = [room.left + (room.width - across) / 2, room.top + (room.height - down) / 2];
  return { left, top, width: across, height: down };
}

/**
 * The nearest point on the map, with as many digits as a hand can mean.
 * @param {Pair} point
 * @param {Limits} map
 */
export const onMap = (point, { xlim, ylim }) =>
  [xlim, ylim].map(([low, high], axis) => Number(within(point[axis], low, high).toFixed(4)));

/** @type {(handle: HTMLElement, plot: Plot, start: Pair) => void} */
function placeHandle(handle, plot, [x, y]) {
  handle.style.transform = `translate(${plot.X(x) - 16}px, ${plot.Y(y) - 16}px)`;
  const [low, high] = plot.xlim;
  const said = `x ${x}, y ${y}`;
  update(handle, null, { "aria-valuemin": low, "aria-valuemax": high, "aria-valuenow": x, "aria-valuetext": said });
}

/**
 * `move(x, y)` in pixels of `node` while a pointer is held down on it; then the keys belong to `handle`. A finger moves
 * the handle itself, or taps: anywhere else it scrolls the page.
 * @param {HTMLElement} node
 * @param {HTMLElement} handle
 * @param {(x: number, y: number) => void} move
 */
function followPointer(node, handle, move) {
  const follow = (/** @type {MouseEvent} */ event) => {
    const { left, top } = node.getBoundingClientRect();
    move(event.clientX - left, event.clientY - top);
  };
  node.addEventListener("pointerdown", (event) => {
    if (event.button !== 0) return;
    if (event.pointerType === "touch" && event.target !== handle) return;
    event.preventDefault();
    handle.focus({ preventScroll: true, focusVisible: false });
    node.setPointerCapture(event.pointerId);
    follow(event);
  });
  node.addEventListener("pointermove", (event) => node.hasPointerCapture(event.pointerId) && follow(event));
  node.addEventListener("click", (event) => event.pointerType === "touch" && follow(event));
}
