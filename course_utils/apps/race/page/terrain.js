// How does the land look? The loss as shade, with a contour line at every level: the slow part of the map.
import { pixels, sized } from "../../common/page/marks.js";
import { drawAxes } from "../../common/page/plot.js";

/** @import { Look, Pair, Plot } from "../../common/page/types.js" */
/** @typedef {(x: number, y: number) => number} Loss */
/** @typedef {{ across: number, down: number, values: Float64Array, left: number, top: number, stepX: number, stepY: number }} Heights */

const GROUND = {
  light: { low: [255, 255, 255], high: [178, 197, 214], line: "rgba(96, 120, 144, 0.6)" },
  dark: { low: [16, 22, 29], high: [66, 88, 110], line: "rgba(150, 176, 200, 0.45)" },
};

/**
 * Draw the land on a canvas of its own, made once and kept.
 * @param {HTMLCanvasElement} canvas
 * @param {Pair} size
 * @param {Plot} plot
 * @param {Loss} loss
 * @param {number[]} levels
 * @param {Look} look
 */
export function drawTerrain(canvas, [width, height], plot, loss, levels, look) {
  const context = sized(canvas, width, height);
  const { low, high, line } = GROUND[look.dark ? "dark" : "light"];
  context.clearRect(0, 0, width, height);
  context.imageSmoothingQuality = "high";
  context.drawImage(shade(plot, loss, levels, low, high), plot.left, plot.top, plot.width, plot.height);
  Object.assign(context, { strokeStyle: line, lineWidth: 1 });
  const heights = sampled(plot, loss, 3);
  for (const level of levels) drawContour(context, heights, level);
  drawAxes(context, plot, look, { xName: "x", yName: "y" });
}

/** @type {(plot: Plot, loss: Loss, levels: number[], low: number[], high: number[]) => HTMLCanvasElement} */
function shade(plot, loss, levels, low, high) {
  const { across, down, values } = sampled(plot, loss, 2);
  const [bottom, span] = [Math.log(levels[0]), Math.log(levels[levels.length - 1] / levels[0])];
  return pixels(across, down, (data) => {
    for (let i = 0; i < values.length; i++) {
      const share = Math.min(1, Math.max(0, (Math.log(values[i] + 1e-300) - bottom) / span));
      for (let c = 0; c < 3; c++) data[4 * i + c] = low[c] + share * (high[c] - low[c]);
      data[4 * i + 3] = 255;
    }
  });
}

/**
 * The loss at every `apart`-th pixel, row by row from the top.
 * @param {Plot} plot
 * @param {Loss} loss
 * @param {number} apart
 * @returns {Heights}
 */
function sampled(plot, loss, apart) {
  const [across, down] = [Math.ceil(plot.width / apart), Math.ceil(plot.height / apart)];
  const [stepX, stepY] = [plot.width / (across - 1), plot.height / (down - 1)];
  const values = new Float64Array(across * down);
  for (let j = 0; j < down; j++) {
    const y = plot.atY(plot.top + j * stepY);
    for (let i = 0; i < across; i++) values[j * across + i] = loss(plot.atX(plot.left + i * stepX), y);
  }
  return { across, down, values, left: plot.left, top: plot.top, stepX, stepY };
}

/**
 * Marching squares: in each cell, join the points where its edges cross the level.
 * @param {CanvasRenderingContext2D} context
 * @param {Heights} heights
 * @param {number} level
 */
function drawContour(context, { across, down, values, left, top, stepX, stepY }, level) {
  context.beginPath();
  for (let j = 0; j < down - 1; j++) {
    for (let i = 0; i < across - 1; i++) {
      const at = j * across + i;
      const found = crossings(values[at], values[at + 1], values[at + across + 1], values[at + across], level);
      for (let k = 0; k + 1 < found.length; k += 2) {
        context.moveTo(left + (i + found[k][0]) * stepX, top + (j + found[k][1]) * stepY);
        context.lineTo(left + (i + found[k + 1][0]) * stepX, top + (j + found[k + 1][1]) * stepY);
      }
    }
  }
  context.stroke();
}

/** @type {Pair[]} */
const NONE = [];

/**
 * Where the level crosses the edges of a cell of side 1, given the values at its corners, clockwise.
 * @type {(a: number, b: number, c: number, d: number, level: number) => Pair[]}
 */
export function crossings(a, b, c, d, level) {
  const above = a > level;
  if (above === b > level && above === c > level && above === d > level) return NONE;
  /** @type {Pair[]} */
  const found = [];
  const share = (/** @type {number} */ from, /** @type {number} */ to) => (level - from) / (to - from);
  if (a > level !== b > level) found.push([share(a, b), 0]);
  if (b > level !== c > level) found.push([1, share(b, c)]);
  if (c > level !== d > level) found.push([1 - share(c, d), 1]);
  if (d > level !== a > level) found.push([0, 1 - share(d, a)]);
  return found;
}

/**
 * Put the kept land under a picture.
 * @param {HTMLCanvasElement} canvas
 * @param {HTMLCanvasElement} terrain
 * @param {Pair} size
 */
export function onTerrain(canvas, terrain, [width, height]) {
  const context = sized(canvas, width, height);
  context.clearRect(0, 0, width, height);
  context.drawImage(terrain, 0, 0, width, height);
  return context;
}
