// How does a race look? Terrain, paths, losses and the stability map, drawn on a canvas from plain numbers.
// @ts-nocheck
import { sized, written } from "../../common/page/frame.js";

/** Outlines of matplotlib's markers around (0, 0), about 1 in radius; for Path2D and for SVG alike. */
export const SHAPES = {
  o: "M1 0A1 1 0 1 1 -1 0A1 1 0 1 1 1 0Z",
  s: "M-.9 -.9H.9V.9H-.9Z",
  "^": "M0 -1.1L1.05 .85H-1.05Z",
  D: "M0 -1.2L1.2 0L0 1.2L-1.2 0Z",
  v: "M0 1.1L1.05 -.85H-1.05Z",
  P: "M-.42 -1.15H.42V-.42H1.15V.42H.42V1.15H-.42V.42H-1.15V-.42H-.42Z",
  X: "M-1.15 -.6L-.6 -1.15L0 -.55L.6 -1.15L1.15 -.6L.55 0L1.15 .6L.6 1.15L0 .55L-.6 1.15L-1.15 .6L-.55 0Z",
  "*": "M0 -1.3L.32 -.42L1.24 -.4L.5 .16L.76 1.05L0 .52L-.76 1.05L-.5 .16L-1.24 -.4L-.32 -.42Z",
};

/** The colour of an optimizer; black would be lost on a dark ground. */
export const colorOf = (name, facts, { dark }) => (dark && name === "AdamW" ? "#ffffff" : facts.colors[name]);

/** Axes in a box: where a value stands (X, Y), and which value stands there (atX, atY). */
export function axes(box, xlim, ylim, { logX = false, logY = false } = {}) {
  const scale = ([low, high], from, size, log) => {
    const [f, inverse] = log ? [Math.log, Math.exp] : [(v) => v, (v) => v];
    const [a, span] = [f(low), f(high) - f(low)];
    return [(value) => from + (size * (f(value) - a)) / span, (place) => inverse(a + (span * (place - from)) / size)];
  };
  const [X, atX] = scale(xlim, box.left, box.width, logX);
  const [Y, atY] = scale(ylim, box.top + box.height, -box.height, logY);
  return { ...box, xlim, ylim, X, Y, atX, atY };
}

const MARGIN = { left: 46, right: 12, top: 12, bottom: 32 };

/** A box within a canvas that leaves room for the labels of its axes. */
export function inside(width, height, margin = {}) {
  const { left, right, top, bottom } = { ...MARGIN, ...margin };
  return { left, top, width: Math.max(width - left - right, 20), height: Math.max(height - top - bottom, 20) };
}

function ticks([low, high], most) {
  const rough = (high - low) / most;
  const unit = 10 ** Math.floor(Math.log10(rough));
  const step = unit * [1, 2, 5, 10].find((factor) => factor * unit >= rough);
  const first = Math.ceil(low / step - 1e-9);
  return Array.from({ length: Math.floor(high / step + 1e-9) - first + 1 }, (_, i) => (first + i) * step);
}

/** Powers of ten, or every second, third ... of them if there are many. */
function decades([low, high], most) {
  const [first, last] = [Math.ceil(Math.log10(low) - 1e-9), Math.floor(Math.log10(high) + 1e-9)];
  const every = Math.max(1, Math.ceil((last - first + 1) / most));
  const length = Math.max(0, Math.floor((last - first) / every) + 1);
  return Array.from({ length }, (_, i) => 10 ** (first + i * every));
}

const SUPERSCRIPTS = { "-": "⁻", 0: "⁰", 1: "¹", 2: "²", 3: "³", 4: "⁴", 5: "⁵", 6: "⁶", 7: "⁷", 8: "⁸", 9: "⁹" };
const power = (value) => {
  const exponent = Math.round(Math.log10(value));
  if (Math.abs(exponent) <= 3) return String(Number((10 ** exponent).toPrecision(1)));
  return `10${[...String(exponent)].map((sign) => SUPERSCRIPTS[sign]).join("")}`;
};

function write(context, text, x, y, { color, align = "center", baseline = "middle", font, halo }) {
  Object.assign(context, { fillStyle: color, textAlign: align, textBaseline: baseline, font });
  if (halo) {
    Object.assign(context, { strokeStyle: halo, lineWidth: 4, lineJoin: "round" });
    context.strokeText(text, x, y);
  }
  context.fillText(text, x, y);
}

/** The frame of a plot with the numbers on its axes. */
export function drawAxes(context, plot, look, { logX = false, logY = false, xName, yName, grid = false }) {
  const { left, top, width, height } = plot;
  const style = { color: look.pale, font: look.font };
  const down = logY ? decades(plot.ylim, height / 34) : ticks(plot.ylim, height / 44);
  const across = logX ? decades(plot.xlim, width / 60) : ticks(plot.xlim, width / 70);
  context.strokeStyle = look.grid;
  context.lineWidth = 1;
  for (const value of down) {
    if (grid) line(context, [left, plot.Y(value)], [left + width, plot.Y(value)]);
    if (plot.Y(value) < top + 18) continue;
    write(context, logY ? power(value) : written(value, 3), left - 7, plot.Y(value), { ...style, align: "right" });
  }
  for (const value of across) {
    if (plot.X(value) > left + width - 34) continue;
    write(context, logX ? power(value) : written(value, 3), plot.X(value), top + height + 17, style);
  }
  context.strokeRect(left, top, width, height);
  write(context, xName, left + width, top + height + 17, { ...style, color: look.ink, align: "right" });
  write(context, yName, left - 7, top + 8, { ...style, color: look.ink, align: "right" });
}

function line(context, from, to) {
  context.beginPath();
  context.moveTo(...from);
  context.lineTo(...to);
  context.stroke();
}

function marker(context, shape, x, y, radius, color, edge) {
  context.save();
  context.translate(x, y);
  context.scale(radius, radius);
  const outline = new Path2D(SHAPES[shape]);
  Object.assign(context, { fillStyle: color, strokeStyle: edge, lineWidth: 3 / radius, lineJoin: "round" });
  context.stroke(outline);
  context.fill(outline);
  context.restore();
}

const star = (context, x, y) => marker(context, "*", x, y, 9, "#FFD23F", "#222222");

// ---- The terrain ----------------------------------------------------------------------------------------------

const GROUND = {
  light: { low: [255, 255, 255], high: [178, 197, 214], line: "rgba(96, 120, 144, 0.6)" },
  dark: { low: [16, 22, 29], high: [66, 88, 110], line: "rgba(150, 176, 200, 0.45)" },
};

/** Draw the loss as shade, with a contour line at every level: the slow part of the map, made once and kept. */
export function drawTerrain(canvas, width, height, plot, loss, levels, look) {
  const context = sized(canvas, width, height);
  const { low, high, line: ink } = GROUND[look.dark ? "dark" : "light"];
  context.clearRect(0, 0, width, height);
  context.imageSmoothingQuality = "high";
  context.drawImage(shade(plot, loss, levels, low, high), plot.left, plot.top, plot.width, plot.height);
  Object.assign(context, { strokeStyle: ink, lineWidth: 1 });
  const heights = sampled(plot, loss, 3);
  for (const level of levels) drawContour(context, heights, level);
  drawAxes(context, plot, look, { xName: "x", yName: "y" });
}

function shade(plot, loss, levels, low, high) {
  const { across, down, values } = sampled(plot, loss, 2);
  const image = new ImageData(across, down);
  const [bottom, span] = [Math.log(levels[0]), Math.log(levels.at(-1) / levels[0])];
  for (let i = 0; i < values.length; i++) {
    const share = Math.min(1, Math.max(0, (Math.log(values[i] + 1e-300) - bottom) / span));
    for (let c = 0; c < 3; c++) image.data[4 * i + c] = low[c] + share * (high[c] - low[c]);
    image.data[4 * i + 3] = 255;
  }
  const canvas = Object.assign(document.createElement("canvas"), { width: across, height: down });
  canvas.getContext("2d").putImageData(image, 0, 0);
  return canvas;
}

/** The loss at every `pixels`-th pixel, row by row from the top. */
function sampled(plot, loss, pixels) {
  const [across, down] = [Math.ceil(plot.width / pixels), Math.ceil(plot.height / pixels)];
  const [stepX, stepY] = [plot.width / (across - 1), plot.height / (down - 1)];
  const values = new Float64Array(across * down);
  for (let j = 0; j < down; j++) {
    const y = plot.atY(plot.top + j * stepY);
    for (let i = 0; i < across; i++) values[j * across + i] = loss(plot.atX(plot.left + i * stepX), y);
  }
  return { across, down, values, left: plot.left, top: plot.top, stepX, stepY };
}

/** Marching squares: in each cell, join the points where its edges cross the level. */
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

const NONE = [];

/** Where the level crosses the edges of a cell of side 1, given the values at its corners, clockwise. */
function crossings(a, b, c, d, level) {
  const above = a > level;
  if (above === b > level && above === c > level && above === d > level) return NONE;
  const found = [];
  const share = (from, to) => (level - from) / (to - from);
  if (a > level !== b > level) found.push([share(a, b), 0]);
  if (b > level !== c > level) found.push([1, share(b, c)]);
  if (c > level !== d > level) found.push([1 - share(c, d), 1]);
  if (d > level !== a > level) found.push([0, 1 - share(d, a)]);
  return found;
}

// ---- The paths ------------------------------------------------------------------------------------------------

/** The map: kept terrain, stars at the minima, every path up to `step`, and a run that is only looked at. */
export function drawMap(context, width, height, plot, { terrain, minima, tracks, step, preview, start, look }) {
  context.clearRect(0, 0, width, height);
  context.drawImage(terrain, 0, 0, width, height);
  for (const [x, y] of minima) star(context, plot.X(x), plot.Y(y));
  context.save();
  context.beginPath();
  context.rect(plot.left, plot.top, plot.width, plot.height);
  context.clip();
  for (const track of tracks) drawPath(context, plot, track, step, look);
  if (preview) drawPath(context, plot, { ...preview, dash: [7, 5] }, Infinity, look);
  context.restore();
  for (const track of preview ? [...tracks, preview] : tracks) drawEnd(context, plot, track, step, look);
  const [x, y] = [plot.X(start[0]), plot.Y(start[1])];
  Object.assign(context, { strokeStyle: look.ink, lineWidth: 2.5 });
  context.beginPath();
  context.arc(x, y, 9, 0, 7);
  context.stroke();
  const middle = Math.min(Math.max(x, plot.left + 22), plot.left + plot.width - 22);
  const below = y < plot.top + 30;
  write(context, "start", middle, y + (below ? 22 : -20), { color: look.ink, font: look.font, halo: look.ground });
}

/** The points to draw, with the last one cut at the edge of the map if the path leaves for good. */
export function shownPoints({ path }, step, plot) {
  const { points, leftForGoodAt } = path;
  if (leftForGoodAt === null || leftForGoodAt > step) return points.slice(0, step + 1);
  const shown = points.slice(0, leftForGoodAt);
  const inside = shown.at(-1);
  const outside = points[leftForGoodAt];
  return inside && outside ? [...shown, cutAtEdge(inside, outside, plot)] : shown;
}

function cutAtEdge(inside, outside, { xlim, ylim }) {
  const shares = [xlim, ylim].map((limits, axis) => {
    const move = outside[axis] - inside[axis];
    return move === 0 ? Infinity : (limits[move > 0 ? 1 : 0] - inside[axis]) / move;
  });
  const share = Math.max(0, Math.min(1, ...shares));
  return inside.map((value, axis) => value + share * (outside[axis] - value));
}

function drawPath(context, plot, track, step, look) {
  const points = shownPoints(track, step, plot).map(([x, y]) => [clipped(plot.X(x)), clipped(plot.Y(y))]);
  const trace = new Path2D();
  points.forEach(([x, y], k) => (k ? trace.lineTo(x, y) : trace.moveTo(x, y)));
  Object.assign(context, { lineJoin: "round", lineCap: "round" });
  context.setLineDash([]);
  const halo = look.dark ? "rgba(10, 14, 18, 0.75)" : "rgba(255, 255, 255, 0.85)";
  Object.assign(context, { strokeStyle: halo, lineWidth: 5 });
  context.stroke(trace);
  context.setLineDash(track.dash ?? []);
  Object.assign(context, { strokeStyle: track.color, lineWidth: 2.2 });
  context.stroke(trace);
  context.setLineDash([]);
  if (points.length > 151) return;
  context.fillStyle = track.color;
  context.beginPath();
  for (const [x, y] of points) {
    context.moveTo(x + 2.8, y);
    context.arc(x, y, 2.8, 0, 7);
  }
  context.fill();
}

/** A canvas takes no numbers as large as a path can hold. */
const clipped = (place) => Math.min(1e6, Math.max(-1e6, place));

/** The marker of the optimizer at the last point shown, or a cross where it left the map. */
function drawEnd(context, plot, track, step, look) {
  const points = shownPoints(track, step, plot);
  if (points.length < 2) return;
  const [x, y] = points.at(-1);
  const gone = track.path.leftForGoodAt !== null && track.path.leftForGoodAt <= step;
  const place = [plot.X(x), plot.Y(y)];
  const [right, down] = [place[0] - plot.left, place[1] - plot.top];
  if (right < -1 || right > plot.width + 1 || down < -1 || down > plot.height + 1) return;
  if (gone) cross(context, ...place, track.color, look);
  else marker(context, track.shape, ...place, 7, track.color, edgeOf(look));
}

/** What sets a marker apart from whatever lies under it. */
const edgeOf = ({ dark }) => (dark ? "#0b0f14" : "#ffffff");

function cross(context, x, y, color, look) {
  for (const [ink, width] of [
    [look.ground, 7],
    [color, 3.5],
  ]) {
    Object.assign(context, { strokeStyle: ink, lineWidth: width, lineCap: "round" });
    line(context, [x - 6, y - 6], [x + 6, y + 6]);
    line(context, [x - 6, y + 6], [x + 6, y - 6]);
  }
}

// ---- The losses -----------------------------------------------------------------------------------------------

const LOWEST = 1e-12;

/** Limits of the log axis: all losses on the map, and no less than 1e-12 of the largest. */
export function lossLimits(tracks) {
  const losses = tracks.flatMap(({ path }) => path.losses.slice(0, path.leftForGoodAt ?? Infinity));
  const top = losses.reduce((a, b) => Math.max(a, b), 0) || 1;
  const bottom = losses.reduce((a, b) => (b > 0 ? Math.min(a, b) : LOWEST * top), top);
  const low = Math.max(Math.min(bottom, top / 10), LOWEST * top);
  const room = (top / low) ** 0.05;
  return [low / room, top * room];
}

/** Loss against step, a line for each racer up to `step`. */
export function drawLosses(context, width, height, { tracks, step, steps, look }) {
  context.clearRect(0, 0, width, height);
  const limits = lossLimits(tracks);
  const plot = axes(inside(width, height, { left: 54, right: 16 }), [0, Math.max(steps, 1)], limits, { logY: true });
  drawAxes(context, plot, look, { logY: true, xName: "step", yName: "loss", grid: true });
  if (step < steps) {
    Object.assign(context, { strokeStyle: look.pale, lineWidth: 1.5 });
    context.setLineDash([4, 4]);
    line(context, [plot.X(step), plot.top], [plot.X(step), plot.top + plot.height]);
    context.setLineDash([]);
  }
  tracks.forEach((track, number) => drawLoss(context, plot, track, number, step, steps, look));
}

function drawLoss(context, plot, track, number, step, steps, look) {
  const { losses, leftForGoodAt } = track.path;
  const gone = leftForGoodAt !== null && leftForGoodAt <= step;
  const shown = losses.slice(0, gone ? leftForGoodAt : step + 1);
  const places = shown.map((loss, k) => [plot.X(k), plot.Y(Math.min(Math.max(loss, plot.ylim[0]), plot.ylim[1]))]);
  if (gone) places.push([plot.X(leftForGoodAt), plot.top + 2]);
  const trace = new Path2D();
  places.forEach(([x, y], k) => (k ? trace.lineTo(x, y) : trace.moveTo(x, y)));
  Object.assign(context, { strokeStyle: track.color, lineWidth: 2.4, lineJoin: "round" });
  context.stroke(trace);
  const every = Math.max(1, Math.round(steps / 6));
  for (let k = Math.round((every * (number + 1)) / 8); k < places.length - 2; k += every) {
    marker(context, track.shape, ...places[k], 4.5, track.color, edgeOf(look));
  }
  const end = places.at(-1);
  if (gone) cross(context, ...end, track.color, look);
  else if (end) marker(context, track.shape, ...end, 6, track.color, edgeOf(look));
}

// ---- The stability map ----------------------------------------------------------------------------------------

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

function viridis(share) {
  const place = Math.min(0.99999, Math.max(0, share)) * (VIRIDIS.length - 1);
  const [a, b, part] = [VIRIDIS[Math.floor(place)], VIRIDIS[Math.floor(place) + 1], place % 1];
  return a.map((value, c) => Math.round(value + part * (b[c] - value)));
}

/** The numbers from the kernel: losses, lost cells, the range of losses, the best cell (or -1) and how it is drawn. */
export function readStability(message) {
  const bytes = ({ buffer, byteOffset, byteLength }) => buffer.slice(byteOffset, byteOffset + byteLength);
  const losses = new Float32Array(bytes(message.losses));
  const lost = new Uint8Array(bytes(message.lost));
  const kept = Array.from(losses.keys()).filter((cell) => !lost[cell]);
  kept.sort((a, b) => losses[a] - losses[b]);
  const { lr, momentum, curvature, rule } = message;
  const range = colorRange(kept.map((cell) => losses[cell]));
  return { lr, momentum, curvature, rule, losses, lost, best: kept[0] ?? -1, ...range };
}

/** Low and high end of the colours: without the outermost twentieths, so that one lucky run does not pale the rest. */
function colorRange(ascending) {
  const at = (share) => ascending[Math.round(share * (ascending.length - 1))] || 0;
  const high = at(0.95) || 1;
  return { low: Math.min(Math.max(at(0.05), high * 1e-12), high / 10), high };
}

/** The 64 x 64 cells as a small picture; lost cells stay clear. */
export function paintCells({ losses, lost, low, high, lr, momentum }) {
  const [across, down] = [lr.length, momentum.length];
  const image = new ImageData(across, down);
  for (let cell = 0; cell < losses.length; cell++) {
    if (lost[cell]) continue;
    const [row, column] = [down - 1 - Math.floor(cell / across), cell % across];
    const share = Math.log(Math.max(losses[cell], low) / low) / Math.log(high / low);
    image.data.set([...viridis(share), 255], 4 * (row * across + column));
  }
  const canvas = Object.assign(document.createElement("canvas"), { width: across, height: down });
  canvas.getContext("2d").putImageData(image, 0, 0);
  return canvas;
}

/** Axes around the cells: a cell's own lr and momentum stand at its middle. */
export function stabilityAxes(width, height, { lr, momentum }) {
  const ratio = Math.sqrt(lr[1] / lr[0]);
  const half = (momentum[1] - momentum[0]) / 2;
  const box = inside(width, height, { left: 54, right: 16, top: 54 });
  return axes(box, [lr[0] / ratio, lr.at(-1) * ratio], [momentum[0] - half, momentum.at(-1) + half], { logX: true });
}

/** The map of final losses with its key, the edge that theory knows, the best run, the present one and the cursor. */
export function drawStability(context, width, height, { map, cells, steps, present, cursor, look }) {
  context.clearRect(0, 0, width, height);
  const plot = stabilityAxes(width, height, map);
  hatch(context, plot, look);
  context.imageSmoothingEnabled = false;
  context.drawImage(cells, plot.left, plot.top, plot.width, plot.height);
  drawEdge(context, plot, map, look);
  drawAxes(context, plot, look, { logX: true, xName: "lr", yName: "" });
  write(context, "momentum", 4, 40, { color: look.ink, font: look.font, align: "left" });
  drawKey(context, map, steps, look);
  const { length } = map.lr;
  const [lr, momentum] = [map.lr[map.best % length], map.momentum[Math.floor(map.best / length)]];
  if (map.best >= 0) star(context, plot.X(lr), plot.Y(momentum));
  const [x, y] = [plot.X(present.lr), plot.Y(present.momentum)];
  if (x > plot.left && x < plot.left + plot.width) marker(context, present.shape, x, y, 6, present.color, "#ffffff");
  if (cursor) drawCursor(context, plot, map, cursor);
}

function hatch(context, plot, look) {
  context.save();
  context.beginPath();
  context.rect(plot.left, plot.top, plot.width, plot.height);
  context.clip();
  context.fillStyle = look.dark ? "#20262d" : "#f1f3f5";
  context.fillRect(plot.left, plot.top, plot.width, plot.height);
  Object.assign(context, { strokeStyle: look.dark ? "#4a545e" : "#c3cad1", lineWidth: 1.2 });
  for (let x = plot.left - plot.height; x < plot.left + plot.width; x += 9) {
    line(context, [x, plot.top + plot.height], [x + plot.height, plot.top]);
  }
  context.restore();
}

/** lr = 2 (1 + momentum) / curvature: beyond it heavy-ball momentum grows in the steepest direction. */
function drawEdge(context, plot, { curvature, momentum, rule }, look) {
  if (rule !== "Momentum") return;
  const trace = new Path2D();
  momentum.forEach((share) => trace.lineTo(plot.X((2 * (1 + share)) / curvature), plot.Y(share)));
  for (const [ink, width, dash] of [
    [look.ground, 4.5, []],
    [look.ink, 2, [6, 4]],
  ]) {
    Object.assign(context, { strokeStyle: ink, lineWidth: width });
    context.setLineDash(dash);
    context.stroke(trace);
  }
  context.setLineDash([]);
}

/** Above the map: what its colours mean. */
function drawKey(context, { low, high }, steps, look) {
  const style = { color: look.ink, font: look.font, align: "left" };
  let place = 4;
  const say = (text) => {
    write(context, text, place, 15, style);
    place += context.measureText(text).width + 8;
  };
  say(`loss after ${steps}:`);
  say(`≤ ${written(low, 2)}`);
  for (let i = 0; i < 60; i++) {
    context.fillStyle = `rgb(${viridis(i / 60).join()})`;
    context.fillRect(place + i, 7, 1.5, 14);
  }
  place += 70;
  say(`≥ ${written(high, 2)}`);
}

function drawCursor(context, plot, { lr, momentum }, { row, column }) {
  const [x, y] = [plot.X(lr[column]), plot.Y(momentum[row])];
  const [width, height] = [plot.width / lr.length + 6, plot.height / momentum.length + 6];
  for (const [ink, stroke] of [
    ["#000000", 4],
    ["#ffffff", 2],
  ]) {
    Object.assign(context, { strokeStyle: ink, lineWidth: stroke });
    context.strokeRect(x - width / 2, y - height / 2, width, height);
  }
}
