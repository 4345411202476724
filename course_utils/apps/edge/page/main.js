// How does a network train in a page? Some milliseconds of steps in every frame, and the parts that show them.
import { legible } from "../../common/page/colors.js";
import { element, update } from "../../common/page/elements.js";
import { mounted } from "../../common/page/mount.js";
import { makeCharts, makeSlice } from "./charts.js";
import { makeLegend, makeSettings, makeToolbar } from "./controls.js";
import { makeTraining, netsOf } from "./training.js";
import { nameOf, sentence, spokenWords } from "./words.js";

/** @import { Look } from "../../common/page/types.js" */
/** @import { Data, Facts, Kept, Scene, Settings, Slice } from "./types.js" */
/** @import { Trainer } from "./training.js" */

const REST_MS = 100; // a slider under the hand tells the kernel no more often
const STEPS_MS = 9; // of each frame, for steps; the rest is for drawing
const SLICE_MS = 500; // from one look along the steepest direction to the next
const STILL_MS = 1000; // where the reader asks for stillness, the pictures change no more often
const PLACES = 13;
const MOST_STEPS = 50_000;
const MOST_KEPT = 3;

const manner = () => ({ restMs: () => REST_MS });

/**
 * @param {Facts} facts
 * @returns {Data}
 */
function dataOf({ images, labels, weights, widths, every }) {
  const floats = (/** @type {DataView} */ { buffer, byteOffset, byteLength }) =>
    new Float64Array(buffer.slice(byteOffset, byteOffset + byteLength));
  return { images: floats(images), labels, weights: floats(weights), widths, every };
}

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

const render = mounted({ name: "edge", label: "Edge of stability", manner }, ({ facts, talk, redraw }) => {
  const data = dataOf(facts);
  const nets = netsOf(data);
  let trainer = makeTraining(data, nets);
  /** @type {Kept[]} */
  let kept = [];
  /** @type {Slice | null} */
  let slice = null;
  let [frame, sliced, drawn, still] = [0, 0, 0, false];
  const read = () => /** @type {Settings} */ (talk.settings());

  const look = () => {
    slice = trainer.told.step && !trainer.told.lost ? sliceOf(trainer, read()) : null;
    sliced = performance.now();
  };
  const pause = () => {
    cancelAnimationFrame(frame);
    frame = 0;
    look();
    redraw();
  };
  const advance = () => {
    const until = performance.now() + STEPS_MS;
    const settings = read();
    do trainer.advance(settings);
    while (!trainer.told.lost && performance.now() < until);
  };
  const next = () => {
    if (performance.now() - sliced > SLICE_MS) look();
    else advance();
    if (trainer.told.lost || trainer.told.step >= MOST_STEPS) return pause();
    if (!still || performance.now() - drawn > STILL_MS) redraw();
    frame = requestAnimationFrame(next);
  };
  const begin = () => {
    trainer = makeTraining(data, nets);
    look();
    redraw();
  };
  const acts = {
    toggle: () => {
      if (frame) return pause();
      if (trainer.told.lost) return;
      frame = requestAnimationFrame(next);
      redraw();
    },
    step: () => {
      if (frame) return;
      trainer.advance(read());
      look();
      redraw();
    },
    restart: begin,
    keep: () => {
      const { step, losses, sharpness } = trainer.told;
      if (!step) return;
      kept = [{ name: nameOf(read(), data.labels.length), losses, sharpness }, ...kept].slice(0, MOST_KEPT);
      begin();
    },
    forget: () => {
      kept = [];
      redraw();
    },
  };
  const [toolbar, charts, steepest, legend] = [makeToolbar(acts), makeCharts(), makeSlice(), makeLegend()];
  const settings = makeSettings(facts, talk);
  const words = element("p", { class: "words" });
  const draw = (/** @type {Look} */ now) => {
    still = now.still;
    if (charts.node.clientWidth < 50) return null;
    drawn = performance.now();
    const colors = facts.colors.map((/** @type {string} */ color) => legible(color, now.ground));
    const shown = { settings: read(), refused: talk.refused(), kept, slice, colors, every: data.every, look: now };
    /** @type {Scene} */
    const scene = { training: trainer.told, running: frame !== 0, ...shown };
    for (const part of [toolbar, legend, charts, steepest, settings]) part.show(scene);
    update(words, sentence(scene.training, scene.settings));
    return spokenWords(scene.training, scene.settings, scene.running, data.every);
  };
  const views = element("div", { class: "views" }, charts.node, element("div", {}, steepest.node, legend.node));
  const stop = () => cancelAnimationFrame(frame);
  return { nodes: [toolbar.node, words, views, settings.node], draw, stop };
});

export default { render };
