// How does a race look on its map? Stars at the minima, a path and an end for every racer, a ring around the start.
import { veiled } from "../../common/page/colors.js";
import { clipped, cross, edgeOf, joined, marker, star, stroke, write } from "../../common/page/marks.js";
import { within } from "../../common/page/numbers.js";

/** @import { Look, Pair, Plot } from "../../common/page/types.js" */
/** @import { Limits, Preview, Track } from "./types.js" */

const MOST_DOTS = 151; // more of them would hide the line

/**
 * @typedef {object} MapScene
 * @property {Pair[]} minima
 * @property {Track[]} tracks
 * @property {number} step
 * @property {Preview | null} preview a run that is only looked at
 * @property {Pair} start
 * @property {Look} look
 */

/**
 * Everything on the land: every path up to `step`.
 * @param {CanvasRenderingContext2D} context
 * @param {Plot} plot
 * @param {MapScene} scene
 */
export function drawPaths(context, plot, { minima, tracks, step, preview, start, look }) {
  for (const [x, y] of minima) star(context, [plot.X(x), plot.Y(y)]);
  clipped(context, plot, () => {
    for (const track of tracks) drawPath(context, plot, track, step, look, []);
    if (preview) drawPath(context, plot, preview, Number.POSITIVE_INFINITY, look, [7, 5]);
  });
  for (const track of tracks) drawEnd(context, plot, track, step, look);
  if (preview) drawEnd(context, plot, preview, Number.POSITIVE_INFINITY, look);
  drawStart(context, plot, start, look);
}

/** @type {(context: CanvasRenderingContext2D, plot: Plot, start: Pair, look: Look) => void} */
function drawStart(context, plot, start, look) {
  const [x, y] = [plot.X(start[0]), plot.Y(start[1])];
  const ring = new Path2D();
  ring.arc(x, y, 9, 0, 7);
  stroke(context, ring, look.ink, 2.5);
  const middle = within(x, plot.left + 22, plot.left + plot.width - 22);
  const below = y < plot.top + 30;
  write(context, "start", middle, y + (below ? 22 : -20), { color: look.ink, font: look.font, halo: look.ground });
}

/**
 * The points to draw, with the last one cut at the edge of the map if the path leaves for good.
 * @param {Track} track
 * @param {number} step
 * @param {Limits} map
 */
export function shownPoints({ path: { points, leftForGoodAt } }, step, map) {
  if (leftForGoodAt === null || leftForGoodAt > step) return points.slice(0, step + 1);
  const shown = points.slice(0, leftForGoodAt);
  const [inside, outside] = [shown.at(-1), points[leftForGoodAt]];
  return inside && outside ? [...shown, cutAtEdge(inside, outside, map)] : shown;
}

/**
 * Where the way from one point to the other meets the edge.
 * @param {Pair} inside
 * @param {Pair} outside
 * @param {Limits} map
 * @returns {Pair}
 */
function cutAtEdge(inside, outside, { xlim, ylim }) {
  const shares = [xlim, ylim].map((limits, axis) => {
    const move = outside[axis] - inside[axis];
    return move === 0 ? 1 : (limits[move > 0 ? 1 : 0] - inside[axis]) / move;
  });
  const share = Math.max(0, Math.min(1, ...shares));
  return [inside[0] + share * (outside[0] - inside[0]), inside[1] + share * (outside[1] - inside[1])];
}

/** A canvas takes no numbers as large as a path can hold. */
const FAR = 1e6;

/** @type {(context: CanvasRenderingContext2D, plot: Plot, track: Track, step: number, look: Look, dash: number[]) => void} */
function drawPath(context, plot, track, step, look, dash) {
  const points = shownPoints(track, step, plot).map(
    ([x, y]) => /** @type {Pair} */ ([within(plot.X(x), -FAR, FAR), within(plot.Y(y), -FAR, FAR)]),
  );
  const trace = joined(points);
  stroke(context, trace, veiled(look.ground, 0.85), 5);
  stroke(context, trace, track.color, 2.2, dash);
  if (points.length > MOST_DOTS) return;
  context.fillStyle = track.color;
  context.beginPath();
  for (const [x, y] of points) {
    context.moveTo(x + 2.8, y);
    context.arc(x, y, 2.8, 0, 7);
  }
  context.fill();
}

/**
 * The marker of the optimizer at the last point shown, or a cross where it left the map.
 * @type {(context: CanvasRenderingContext2D, plot: Plot, track: Track, step: number, look: Look) => void}
 */
function drawEnd(context, plot, track, step, look) {
  const points = shownPoints(track, step, plot);
  const last = points.at(-1);
  if (points.length < 2 || !last) return;
  /** @type {Pair} */
  const place = [plot.X(last[0]), plot.Y(last[1])];
  const [right, down] = [place[0] - plot.left, place[1] - plot.top];
  if (right < -1 || right > plot.width + 1 || down < -1 || down > plot.height + 1) return;
  const gone = track.path.leftForGoodAt !== null && track.path.leftForGoodAt <= step;
  if (gone) cross(context, place, track.color, look);
  else marker(context, track.shape, place, 7, track.color, edgeOf(look));
}
