// Where does a number stand in a picture? Axes in a box, linear or logarithmic, and the frame with their numbers.
import { stroke, write } from "./marks.js";
import { power, written } from "./numbers.js";

/** @import { Box, Look, Pair, Plot } from "./types.js" */

/**
 * Axes in a box: where a value stands (X, Y), and which value stands there (atX, atY).
 * @param {Box} box
 * @param {Pair} xlim
 * @param {Pair} ylim
 * @returns {Plot}
 */
export function axes(box, xlim, ylim, { logX = false, logY = false } = {}) {
  const [X, atX] = scale(xlim, box.left, box.width, logX);
  const [Y, atY] = scale(ylim, box.top + box.height, -box.height, logY);
  return { ...box, xlim, ylim, X, Y, atX, atY };
}

/**
 * @param {Pair} limits
 * @param {number} from
 * @param {number} size
 * @param {boolean} log
 * @returns {[(value: number) => number, (place: number) => number]}
 */
function scale([low, high], from, size, log) {
  const f = log ? Math.log : (/** @type {number} */ value) => value;
  const inverse = log ? Math.exp : (/** @type {number} */ value) => value;
  const [a, span] = [f(low), f(high) - f(low)];
  return [(value) => from + (size * (f(value) - a)) / span, (place) => inverse(a + (span * (place - from)) / size)];
}

const MARGIN = { left: 46, right: 12, top: 12, bottom: 32 };

/**
 * A box within a canvas that leaves room for the labels of its axes.
 * @param {number} width
 * @param {number} height
 * @param {Partial<typeof MARGIN>} margin
 * @returns {Box}
 */
export function inside(width, height, margin = {}) {
  const { left, right, top, bottom } = { ...MARGIN, ...margin };
  return { left, top, width: Math.max(width - left - right, 20), height: Math.max(height - top - bottom, 20) };
}

/**
 * At most about so many round numbers in a range.
 * @param {Pair} range
 * @param {number} most
 */
export function ticks([low, high], most) {
  const rough = (high - low) / Math.max(most, 1);
  const unit = 10 ** Math.floor(Math.log10(rough));
  const step = unit * ([1, 2, 5].find((factor) => factor * unit >= rough) ?? 10);
  const first = Math.ceil(low / step - 1e-9);
  return Array.from({ length: Math.floor(high / step + 1e-9) - first + 1 }, (_, i) => (first + i) * step);
}

/**
 * Powers of ten, or every second, third ... of them if there are many.
 * @param {Pair} range
 * @param {number} most
 */
export function decades([low, high], most) {
  const [first, last] = [Math.ceil(Math.log10(low) - 1e-9), Math.floor(Math.log10(high) + 1e-9)];
  const every = Math.max(1, Math.ceil((last - first + 1) / Math.max(most, 1)));
  const length = Math.max(0, Math.floor((last - first) / every) + 1);
  return Array.from({ length }, (_, i) => 10 ** (first + i * every));
}

/** @param {number} value */
const short = (value) => written(value, 3);

/**
 * @typedef {object} Frame how the axes are labelled
 * @property {string} xName
 * @property {string} yName
 * @property {boolean} [logX]
 * @property {boolean} [logY]
 * @property {boolean} [grid] lines across at the numbers of y
 * @property {(value: number) => string} [sayX]
 * @property {(value: number) => string} [sayY]
 */

/**
 * The frame of a plot with the numbers on its axes.
 * @param {CanvasRenderingContext2D} context
 * @param {Plot} plot
 * @param {Look} look
 * @param {Frame} frame
 */
export function drawAxes(context, plot, look, frame) {
  const { left, top, width, height } = plot;
  const { logX = false, logY = false, grid = false, sayX = logX ? power : short, sayY = logY ? power : short } = frame;
  const style = { color: look.pale, font: look.font };
  for (const value of logY ? decades(plot.ylim, height / 34) : ticks(plot.ylim, height / 44)) {
    const y = plot.Y(value);
    if (grid)
      stroke(
        context,
        [
          [left, y],
          [left + width, y],
        ],
        look.grid,
        1,
      );
    if (y >= top + 22) write(context, sayY(value), left - 7, y, { ...style, align: "right" });
  }
  const beside = width - 22 - 9 * frame.xName.length; // what stands farther right would touch the name
  for (const value of logX ? decades(plot.xlim, width / 60) : ticks(plot.xlim, width / 70)) {
    if (plot.X(value) <= left + beside) write(context, sayX(value), plot.X(value), top + height + 17, style);
  }
  Object.assign(context, { strokeStyle: look.grid, lineWidth: 1 });
  context.strokeRect(left, top, width, height);
  const name = { ...style, color: look.ink, align: /** @type {const} */ ("right") };
  write(context, frame.xName, left + width, top + height + 17, name);
  write(context, frame.yName, left - 7, top + 8, name);
}

/**
 * A straight line across, at a value that means something, with its words.
 * @param {CanvasRenderingContext2D} context
 * @param {Plot} plot
 * @param {number} value
 * @param {string} text
 * @param {Look} look
 */
export function drawLevel(context, plot, value, text, look) {
  const [y, right] = [plot.Y(value), plot.left + plot.width];
  stroke(
    context,
    [
      [plot.left, y],
      [right, y],
    ],
    look.pale,
    1.4,
    [3, 4],
  );
  write(context, text, right - 6, y - 3, { color: look.pale, font: look.font, align: "right", baseline: "bottom" });
}
