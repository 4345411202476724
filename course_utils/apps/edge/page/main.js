// How is a network seen that trains beside its page? An engine makes the steps, and the parts show what it tells.
import { legible } from "../../common/page/colors.js";
import { element, update } from "../../common/page/elements.js";
import { mounted } from "../../common/page/mount.js";
import { startEngine } from "./beside.js";
import { makeCharts, makeSlice } from "./charts.js";
import { makeLegend, makeSettings, makeToolbar } from "./controls.js";
import { nameOf, sentence, spokenWords } from "./words.js";

/** @import { Look } from "../../common/page/types.js" */
/** @import { Data, Facts, Kept, News, Order, Scene, Settings, Slice, Training } from "./types.js" */

const REST_MS = 100; // a slider under the hand tells the kernel no more often
const STILL_MS = 1000; // where the reader asks for stillness, the pictures change no more often
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

/** @type {() => Training} */
const untrained = () => ({ step: 0, losses: [], sharpness: [], limits: [], lost: false });

const render = mounted({ name: "edge", label: "Edge of stability", manner }, ({ facts, talk, redraw }) => {
  let [training, run, running] = [untrained(), 0, false];
  /** @type {Kept[]} */
  let kept = [];
  /** @type {Slice | null} */
  let slice = null;
  let [drawn, still, ordered] = [0, false, ""];
  const read = () => /** @type {Settings} */ (talk.settings());

  const hear = (/** @type {News} */ news) => {
    if (news.run !== run) return;
    for (const row of /** @type {const} */ (["losses", "sharpness", "limits"])) training[row].push(...news[row]);
    Object.assign(training, { step: news.step, lost: news.lost });
    running = news.going;
    if (news.looked) slice = news.slice;
    if (!running || !still || performance.now() - drawn > STILL_MS) redraw();
  };
  const engine = startEngine(dataOf(facts), hear);
  const order = (/** @type {Omit<Order, "settings">} */ what = {}) => {
    ordered = JSON.stringify(read());
    engine.hear({ ...what, settings: read() });
  };
  const begin = () => {
    [training, running] = [untrained(), false];
    order({ restart: ++run });
  };
  const acts = {
    toggle: () => order({ go: !running }),
    step: () => order({ step: true }),
    restart: begin,
    keep: () => {
      const { step, losses, sharpness } = training;
      if (!step) return;
      kept = [{ name: nameOf(read(), facts.labels.length), losses, sharpness }, ...kept].slice(0, MOST_KEPT);
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
    if (JSON.stringify(read()) !== ordered) order();
    if (charts.node.clientWidth < 50) return null;
    drawn = performance.now();
    const colors = facts.colors.map((/** @type {string} */ color) => legible(color, now.ground));
    const shown = { settings: read(), refused: talk.refused(), kept, slice, colors, every: facts.every, look: now };
    /** @type {Scene} */
    const scene = { training, running, ...shown };
    for (const part of [toolbar, legend, charts, steepest, settings]) part.show(scene);
    update(words, sentence(training, scene.settings));
    return spokenWords(training, scene.settings, running, facts.every);
  };
  const views = element("div", { class: "views" }, charts.node, element("div", {}, steepest.node, legend.node));
  return { nodes: [toolbar.node, words, views, settings.node], draw, stop: engine.stop };
});

export default { render };
