// Who makes the steps? An engine that hears orders and tells news; it knows no page, and turns in short turns.
import { makeTraining, netsOf } from "./training.js";

/** @import { News, Order, Settings, Slice } from "./types.js" */
/** @import { Trainer } from "./training.js" */

const TURN_MS = 10; // of steps; then orders are heard
const SLICE_MS = 500; // from one look along the steepest direction to the next
const PLACES = 13;
const MOST_STEPS = 50_000;

/**
 * The loss along the steepest direction, as far as the parabola of the sharpness rises by half.
 * @type {(trainer: Trainer, settings: Settings) => Slice}
 */
function sliceOf(trainer, settings) {
  const sharpness = trainer.told.sharpness.at(-1) ?? 1;
  const reach = 1 / Math.sqrt(Math.max(sharpness, 0.1));
  const places = Array.from({ length: PLACES }, (_, i) => reach * ((2 * i) / (PLACES - 1) - 1));
  return { reach, sharpness, ...trainer.along(places, settings) };
}

/**
 * An engine for one set of images.
 * @param {import("./types.js").Data} data
 * @param {(news: News) => void} tell
 * @param {(turn: () => void) => void} rest calls the next turn, after whoever shares the thread had theirs
 */
export function makeEngine(data, tell, rest) {
  const nets = netsOf(data);
  let [trainer, run, going, sliced] = [makeTraining(data, nets), 0, false, 0];
  let told = { losses: 0, sharpness: 0 };
  let settings = /** @type {Settings} */ ({});
  let waiting = false;
  const news = (/** @type {boolean} */ looks) => {
    const { step, lost, losses, sharpness, limits } = trainer.told;
    const slice = looks && step && !lost ? sliceOf(trainer, settings) : null;
    const since = told;
    told = { losses: losses.length, sharpness: sharpness.length };
    const more = { losses: losses.slice(since.losses), sharpness: sharpness.slice(since.sharpness) };
    tell({ run, step, lost, going, looked: looks, slice, ...more, limits: limits.slice(since.sharpness) });
  };
  const wait = () => {
    if (!waiting) rest(turn);
    waiting = true;
  };
  const turn = () => {
    waiting = false;
    if (!going) return;
    const until = performance.now() + TURN_MS;
    do trainer.advance(settings);
    while (!trainer.told.lost && performance.now() < until);
    going = !trainer.told.lost && trainer.told.step < MOST_STEPS;
    const looks = !going || performance.now() - sliced > SLICE_MS;
    if (looks) sliced = performance.now();
    news(looks);
    if (going) wait();
  };
  const hear = (/** @type {Order} */ order) => {
    settings = order.settings;
    if (order.restart !== undefined) {
      [trainer, run, going, told] = [makeTraining(data, nets), order.restart, false, { losses: 0, sharpness: 0 }];
    }
    if (order.step && !going) trainer.advance(settings);
    going = (order.go ?? going) && !trainer.told.lost;
    if (going) wait();
    else news(true);
  };
  const stop = () => {
    going = false;
  };
  return { hear, stop };
}
