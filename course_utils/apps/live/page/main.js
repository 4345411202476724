// How is a training seen? Buttons and sliders tell the kernel what to do, and the page shows its last message.
import { element, update } from "../../common/page/elements.js";
import { mounted } from "../../common/page/mount.js";
import { makeSettings, makeToolbar } from "./controls.js";
import { makeCurves, makeGallery } from "./curves.js";
import { readTraining, spokenWords } from "./training.js";

/** @import { Look } from "../../common/page/types.js" */
/** @import { Scene, Sent, Settings } from "./types.js" */

const REST_MS = 100; // a slider under the hand tells the kernel no more often
const STILL_MS = 1000; // and where the reader asks for stillness, a curve grows no more often

const manner = () => ({ restMs: () => REST_MS });

const render = mounted({ name: "live", label: "Live training", manner }, ({ facts, talk, redraw }) => {
  const [toolbar, curves, gallery] = [makeToolbar(talk), makeCurves(facts), makeGallery(facts)];
  const settings = makeSettings(facts, talk);
  const words = element("p", { class: "words" });
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let later;
  let drawn = 0;
  /** Whether this drawing can wait: nothing but the next few steps of a training that runs would be new. */
  const canWait = (/** @type {Look} */ look, /** @type {Scene["training"]} */ { stage }) => {
    const rest = drawn + STILL_MS - performance.now();
    clearTimeout(later);
    if (!look.still || stage !== "running" || rest <= 0) return false;
    later = setTimeout(redraw, rest);
    return true;
  };
  const draw = (/** @type {Look} */ look) => {
    if (curves.node.clientWidth < 50) return null;
    const training = readTraining(/** @type {Sent} */ (/** @type {unknown} */ (talk.answer())));
    const wanted = /** @type {Settings} */ (talk.settings());
    const scene = { training, settings: wanted, refused: talk.refused(), look };
    for (const part of [toolbar, settings]) part.show(scene);
    if (canWait(look, training)) return spokenWords(training);
    drawn = performance.now();
    for (const part of [curves, gallery]) part.show(scene);
    update(words, training.words);
    words.classList.toggle("failed", training.stage === "failed" || training.lost);
    return spokenWords(training);
  };
  const views = element("div", { class: "views" }, curves.node, gallery.node);
  return { nodes: [toolbar.node, words, views, settings.node], draw, stop: () => clearTimeout(later) };
});

export default { render };
