// How do the losses of a race look? A line for each racer, on a logarithmic axis.
import { cross, edgeOf, joined, marker, sized, stroke } from "../../common/page/marks.js";
import { within } from "../../common/page/numbers.js";
import { axes, drawAxes, inside } from "../../common/page/plot.js";

/** @import { Look, Pair, Plot } from "../../common/page/types.js" */
/** @import { Track } from "./types.js" */

const LOWEST = 1e-12;

/**
 * Limits of the log axis: all losses on the map, and no less than 1e-12 of the largest.
 * @param {Track[]} tracks
 * @returns {Pair}
 */
export function lossLimits(tracks) {
  const losses = tracks.flatMap(({ path }) => path.losses.slice(0, path.leftForGoodAt ?? undefined));
  const top = losses.reduce((a, b) => Math.max(a, b), 0) || 1;
  const bottom = losses.reduce((a, b) => (b > 0 ? Math.min(a, b) : LOWEST * top), top);
  const low = Math.max(Math.min(bottom, top / 10), LOWEST * top);
  const room = (top / low) ** 0.05;
  return [low / room, top * room];
}

/**
 * Loss against step, a line for each racer up to `step`.
 * @param {HTMLCanvasElement} canvas
 * @param {Pair} size
 * @param {{ tracks: Track[], step: number, steps: number, look: Look }} scene
 */
export function drawLosses(canvas, [width, height], { tracks, step, steps, look }) {
  const context = sized(canvas, width, height);
  context.clearRect(0, 0, width, height);
  const box = inside(width, height, { left: 54, right: 16 });
  const plot = axes(box, [0, Math.max(steps, 1)], lossLimits(tracks), { logY: true });
  drawAxes(context, plot, look, { logY: true, xName: "step", yName: "loss", grid: true });
  const x = plot.X(step);
  if (step < steps)
    stroke(
      context,
      [
        [x, plot.top],
        [x, plot.top + plot.height],
      ],
      look.pale,
      1.5,
      [4, 4],
    );
  for (const [number, track] of tracks.entries()) drawLoss(context, plot, track, number, step, steps, look);
}

/** @type {(context: CanvasRenderingContext2D, plot: Plot, track: Track, number: number, step: number, steps: number, look: Look) => void} */
function drawLoss(context, plot, { path, color, shape }, number, step, steps, look) {
  const { losses, leftForGoodAt } = path;
  const gone = leftForGoodAt !== null && leftForGoodAt <= step;
  /** @type {Pair[]} */
  const places = losses
    .slice(0, gone ? leftForGoodAt : step + 1)
    .map((loss, k) => [plot.X(k), plot.Y(within(loss, ...plot.ylim))]);
  if (gone) places.push([plot.X(leftForGoodAt), plot.top + 2]);
  stroke(context, joined(places), color, 2.4);
  const every = Math.max(1, Math.round(steps / 6));
  for (let k = Math.round((every * (number + 1)) / 8); k < places.length - 2; k += every) {
    marker(context, shape, places[k], 4.5, color, edgeOf(look));
  }
  const end = places.at(-1);
  if (gone && end) cross(context, end, color, look);
  else if (end) marker(context, shape, end, 6, color, edgeOf(look));
}
