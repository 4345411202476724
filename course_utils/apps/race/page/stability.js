// Where does momentum end, at every lr and momentum? The numbers of the kernel as a map in colours.
import { legible } from "../../common/page/colors.js";
import { clipped, joined, marker, pixels, sized, star, stroke, write } from "../../common/page/marks.js";
import { written } from "../../common/page/numbers.js";
import { axes, drawAxes, inside } from "../../common/page/plot.js";

/** @import { Shape } from "../../common/page/marks.js" */
/** @import { Look, Pair, Plot } from "../../common/page/types.js" */
/** @import { Cell, Stability, StabilityMap } from "./types.js" */

// The colours of matplotlib's viridis at equal steps; dark is high, as in the figures of the course.
const VIRIDIS = [
  [253, 231, 37],
  [160, 218, 57],
  [74, 193, 109],
  [31, 161, 135],
  [39, 127, 142],
  [54, 92, 141],
  [70, 50, 127],
  [68, 1, 84],
];

/** @param {number} share */
function viridis(share) {
  const place = Math.min(0.99999, Math.max(0, share)) * (VIRIDIS.length - 1);
  const [a, b, part] = [VIRIDIS[Math.floor(place)], VIRIDIS[Math.floor(place) + 1], place % 1];
  return a.map((value, c) => Math.round(value + part * (b[c] - value)));
}

/**
 * The numbers from the kernel: losses, lost cells, the range of losses, the best cell (or -1).
 * @param {Record<string, any>} message
 * @returns {StabilityMap}
 */
export function readStability({ lr, momentum, curvature, rule, losses: sent, lost: gone }) {
  const bytes = (/** @type {DataView} */ { buffer, byteOffset, byteLength }) =>
    buffer.slice(byteOffset, byteOffset + byteLength);
  const losses = new Float32Array(bytes(sent));
  const lost = new Uint8Array(bytes(gone));
  const kept = Array.from(losses.keys()).filter((cell) => !lost[cell]);
  kept.sort((a, b) => losses[a] - losses[b]);
  const range = colorRange(kept.map((cell) => losses[cell]));
  return { lr, momentum, curvature, rule, losses, lost, best: kept[0] ?? -1, ...range };
}

/**
 * Low and high end of the colours: without the outermost twentieths, so that one lucky run does not pale the rest.
 * @param {number[]} ascending
 */
function colorRange(ascending) {
  const at = (/** @type {number} */ share) => ascending[Math.round(share * (ascending.length - 1))] || 0;
  const high = at(0.95) || 1;
  return { low: Math.min(Math.max(at(0.05), high * 1e-12), high / 10), high };
}

/**
 * The 64 x 64 cells as a small picture; lost cells stay clear.
 * @param {StabilityMap} map
 */
export function paintCells({ losses, lost, low, high, lr, momentum }) {
  const [across, down] = [lr.length, momentum.length];
  return pixels(across, down, (data) => {
    for (let cell = 0; cell < losses.length; cell++) {
      if (lost[cell]) continue;
      const [row, column] = [down - 1 - Math.floor(cell / across), cell % across];
      const share = Math.log(Math.max(losses[cell], low) / low) / Math.log(high / low);
      data.set([...viridis(share), 255], 4 * (row * across + column));
    }
  });
}

/**
 * Axes around the cells: a cell's own lr and momentum stand at its middle.
 * @param {Pair} size
 * @param {StabilityMap} map
 */
export function stabilityAxes([width, height], { lr, momentum }) {
  const ratio = Math.sqrt(lr[1] / lr[0]);
  const half = (momentum[1] - momentum[0]) / 2;
  const box = inside(width, height, { left: 54, right: 16, top: 54 });
  const [fastest, heaviest] = [lr[lr.length - 1], momentum[momentum.length - 1]];
  return axes(box, [lr[0] / ratio, fastest * ratio], [momentum[0] - half, heaviest + half], { logX: true });
}

/** @typedef {{ lr: number, momentum: number, color: string, shape: Shape }} Present where the race stands now */

/**
 * The map of final losses with its key, the edge that theory knows, the best run, the present one and the cursor.
 * @param {HTMLCanvasElement} canvas
 * @param {Pair} size
 * @param {Stability & { steps: number, present: Present, cursor: Cell | null, look: Look }} scene
 */
export function drawStability(canvas, size, { map, cells, steps, present, cursor, look }) {
  const context = sized(canvas, ...size);
  context.clearRect(0, 0, ...size);
  const plot = stabilityAxes(size, map);
  hatch(context, plot, look);
  context.imageSmoothingEnabled = false;
  context.drawImage(cells, plot.left, plot.top, plot.width, plot.height);
  drawEdge(context, plot, map, look);
  drawAxes(context, plot, look, { logX: true, xName: "lr", yName: "" });
  write(context, "momentum", 4, 40, { color: look.ink, font: look.font, align: "left" });
  drawKey(context, size[0], map, steps, look);
  const { length } = map.lr;
  if (map.best >= 0) {
    star(context, [plot.X(map.lr[map.best % length]), plot.Y(map.momentum[Math.floor(map.best / length)])]);
  }
  const [x, y] = [plot.X(present.lr), plot.Y(present.momentum)];
  if (x > plot.left && x < plot.left + plot.width) marker(context, present.shape, [x, y], 6, present.color, "#ffffff");
  if (cursor) drawCursor(context, plot, map, cursor);
}

/** @type {(context: CanvasRenderingContext2D, plot: Plot, look: Look) => void} */
function hatch(context, plot, look) {
  clipped(context, plot, () => {
    context.fillStyle = look.dark ? "#20262d" : "#f1f3f5";
    context.fillRect(plot.left, plot.top, plot.width, plot.height);
    const lines = new Path2D();
    for (let x = plot.left - plot.height; x < plot.left + plot.width; x += 9) {
      lines.moveTo(x, plot.top + plot.height);
      lines.lineTo(x + plot.height, plot.top);
    }
    stroke(context, lines, look.dark ? "#4a545e" : "#c3cad1", 1.2);
  });
}

/**
 * lr = 2 (1 + momentum) / curvature: beyond it heavy-ball momentum grows in the steepest direction.
 * @type {(context: CanvasRenderingContext2D, plot: Plot, map: StabilityMap, look: Look) => void}
 */
function drawEdge(context, plot, { curvature, momentum, rule }, look) {
  if (rule !== "Momentum") return;
  const trace = joined(momentum.map((share) => [plot.X((2 * (1 + share)) / curvature), plot.Y(share)]));
  stroke(context, trace, look.ground, 4.5);
  stroke(context, trace, look.ink, 2, [6, 4]);
}

/**
 * Above the map: what its colours mean.
 * @type {(context: CanvasRenderingContext2D, width: number, map: StabilityMap, steps: number, look: Look) => void}
 */
function drawKey(context, width, { low, high }, steps, look) {
  const style = { color: look.ink, font: look.font, align: /** @type {const} */ ("left") };
  let place = 4;
  const say = (/** @type {string} */ text) => {
    write(context, text, place, 15, style);
    place += context.measureText(text).width + 8;
  };
  say(width < 330 ? "loss:" : `loss after ${steps}:`);
  say(`≤ ${written(low, 2)}`);
  const long = width < 330 ? 30 : 60;
  for (let i = 0; i < long; i++) {
    context.fillStyle = `rgb(${viridis(i / long).join()})`;
    context.fillRect(place + i, 7, 1.5, 14);
  }
  place += long + 10;
  say(`≥ ${written(high, 2)}`);
}

/** @type {(context: CanvasRenderingContext2D, plot: Plot, map: StabilityMap, cell: Cell) => void} */
function drawCursor(context, plot, { lr, momentum }, { row, column }) {
  const [x, y] = [plot.X(lr[column]), plot.Y(momentum[row])];
  const [width, height] = [plot.width / lr.length + 6, plot.height / momentum.length + 6];
  const frame = new Path2D();
  frame.rect(x - width / 2, y - height / 2, width, height);
  stroke(context, frame, "#000000", 4);
  stroke(context, frame, "#ffffff", 2);
}

/**
 * The colour of a run that is only looked at.
 * @param {Look} look
 */
export const previewColor = (look) => legible(look.dark ? "#ffffff" : "#222222", look.ground);
