// What is drawn on a canvas? Sharp canvases, text, lines, curves, and the markers of matplotlib.

/** @import { Look, Pair } from "./types.js" */

/** Outlines of matplotlib's markers around (0, 0), about 1 in radius; for Path2D and for SVG alike. */
export const SHAPES = /** @type {const} */ ({
  o: "M1 0A1 1 0 1 1 -1 0A1 1 0 1 1 1 0Z",
  s: "M-.9 -.9H.9V.9H-.9Z",
  "^": "M0 -1.1L1.05 .85H-1.05Z",
  D: "M0 -1.2L1.2 0L0 1.2L-1.2 0Z",
  v: "M0 1.1L1.05 -.85H-1.05Z",
  "<": "M-1.1 0L.85 -1.05V1.05Z",
  ">": "M1.1 0L-.85 -1.05V1.05Z",
  p: "M0 -1.1L1.05 -.34L.65 .9H-.65L-1.05 -.34Z",
  h: "M0 -1.1L.95 -.55V.55L0 1.1L-.95 .55V-.55Z",
  P: "M-.42 -1.15H.42V-.42H1.15V.42H.42V1.15H-.42V.42H-1.15V-.42H-.42Z",
  X: "M-1.15 -.6L-.6 -1.15L0 -.55L.6 -1.15L1.15 -.6L.55 0L1.15 .6L.6 1.15L0 .55L-.6 1.15L-1.15 .6L-.55 0Z",
  "*": "M0 -1.3L.32 -.42L1.24 -.4L.5 .16L.76 1.05L0 .52L-.76 1.05L-.5 .16L-1.24 -.4L-.32 -.42Z",
});

/** @typedef {keyof typeof SHAPES} Shape */

/**
 * Size a canvas to `width` x `height` CSS pixels, sharp on any screen; the context then counts CSS pixels.
 * @param {HTMLCanvasElement} canvas
 * @param {number} width
 * @param {number} height
 */
export function sized(canvas, width, height) {
  const ratio = Math.min(window.devicePixelRatio || 1, 3);
  const [across, down] = [Math.round(width * ratio), Math.round(height * ratio)];
  if (canvas.width !== across || canvas.height !== down) {
    [canvas.width, canvas.height] = [across, down];
    Object.assign(canvas.style, { width: `${width}px`, height: `${height}px` });
  }
  const context = contextOf(canvas);
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  return context;
}

/** @param {HTMLCanvasElement} canvas */
export function contextOf(canvas) {
  const context = canvas.getContext("2d");
  if (!context) throw new Error("this browser gives no canvas to draw on");
  return context;
}

/**
 * A small picture, pixel by pixel: `paint(data)` fills red, green, blue and alpha, row by row.
 * @param {number} width
 * @param {number} height
 * @param {(data: Uint8ClampedArray) => void} paint
 * @param {HTMLCanvasElement} canvas
 */
export function pixels(width, height, paint, canvas = document.createElement("canvas")) {
  Object.assign(canvas, { width, height });
  const image = new ImageData(width, height);
  paint(image.data);
  contextOf(canvas).putImageData(image, 0, 0);
  return canvas;
}

/**
 * @typedef {object} Writing
 * @property {string} color
 * @property {string} font
 * @property {CanvasTextAlign} [align]
 * @property {CanvasTextBaseline} [baseline]
 * @property {string} [halo] what sets the text apart from whatever lies under it
 */

/**
 * @param {CanvasRenderingContext2D} context
 * @param {string} text
 * @param {number} x
 * @param {number} y
 * @param {Writing} style
 */
export function write(context, text, x, y, { color, font, align = "center", baseline = "middle", halo }) {
  Object.assign(context, { fillStyle: color, textAlign: align, textBaseline: baseline, font });
  if (halo) {
    Object.assign(context, { strokeStyle: halo, lineWidth: 4, lineJoin: "round" });
    context.strokeText(text, x, y);
  }
  context.fillText(text, x, y);
}

/**
 * Stroke a path, or a straight line from one point to another.
 * @param {CanvasRenderingContext2D} context
 * @param {Path2D | [Pair, Pair]} path
 * @param {string} color
 * @param {number} width
 * @param {number[]} dash
 */
export function stroke(context, path, color, width, dash = []) {
  Object.assign(context, {
    strokeStyle: color,
    lineWidth: width,
    lineJoin: "round",
    lineCap: dash.length ? "butt" : "round",
  });
  context.setLineDash(dash);
  context.stroke(path instanceof Path2D ? path : joined(path));
  context.setLineDash([]);
}

/**
 * A line through points; what is no finite number is a gap.
 * @param {Iterable<readonly [number, number]>} points
 */
export function joined(points) {
  const trace = new Path2D();
  let drawing = false;
  for (const [x, y] of points) {
    const seen = Number.isFinite(x) && Number.isFinite(y);
    if (seen && drawing) trace.lineTo(x, y);
    else if (seen) trace.moveTo(x, y);
    drawing = seen;
  }
  return trace;
}

/**
 * Draw inside a box only.
 * @param {CanvasRenderingContext2D} context
 * @param {{ left: number, top: number, width: number, height: number }} box
 * @param {() => void} draw
 */
export function clipped(context, { left, top, width, height }, draw) {
  context.save();
  context.beginPath();
  context.rect(left, top, width, height);
  context.clip();
  draw();
  context.restore();
}

/**
 * @param {CanvasRenderingContext2D} context
 * @param {Shape} shape
 * @param {readonly [number, number]} place
 * @param {number} radius
 * @param {string} color
 * @param {string} edge
 */
export function marker(context, shape, [x, y], radius, color, edge) {
  context.save();
  context.translate(x, y);
  context.scale(radius, radius);
  const outline = new Path2D(SHAPES[shape] ?? SHAPES.o);
  Object.assign(context, { fillStyle: color, strokeStyle: edge, lineWidth: 3 / radius, lineJoin: "round" });
  context.stroke(outline);
  context.fill(outline);
  context.restore();
}

/**
 * @param {CanvasRenderingContext2D} context
 * @param {readonly [number, number]} place
 */
export const star = (context, place) => marker(context, "*", place, 9, "#ffd23f", "#222222");

/**
 * Where something left the picture.
 * @param {CanvasRenderingContext2D} context
 * @param {readonly [number, number]} place
 * @param {string} color
 * @param {Look} look
 */
export function cross(context, [x, y], color, look) {
  const arms = new Path2D(`M${x - 6} ${y - 6}l12 12M${x - 6} ${y + 6}l12 -12`);
  stroke(context, arms, look.ground, 7);
  stroke(context, arms, color, 3.5);
}

/** @param {Look} look */
export const edgeOf = ({ dark }) => (dark ? "#0b0f14" : "#ffffff");
