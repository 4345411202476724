// How is a schedule played? Controls that tell the kernel, and a page that shows its last answer.
import { legible } from "../../common/page/colors.js";
import { element, update } from "../../common/page/elements.js";
import { mounted } from "../../common/page/mount.js";
import { makeChart } from "./chart.js";
import { merged, readCurve, sameWords } from "./curves.js";
import { makeCode, makeControls, makeLegend, makeToolbar } from "./parts.js";

/** @import { Look } from "../../common/page/types.js" */
/** @import { Scene, Settings, View } from "./types.js" */

const manner = () => ({ merge: merged });

const render = mounted({ name: "schedule", label: "Schedule lab", manner }, ({ facts, talk, redraw }) => {
  /** @type {number | null} */
  let cursor = null;
  let copied = "";
  const page = {
    cursor: () => cursor,
    look: (/** @type {number | null} */ step) => {
      cursor = step;
      redraw();
    },
  };
  const say = (/** @type {string} */ text) => {
    copied = text;
    redraw();
  };
  const [toolbar, chart, code] = [makeToolbar(facts, talk), makeChart(facts, page), makeCode(say)];
  const [legend, controls] = [makeLegend(talk), makeControls(facts, talk)];
  const words = element("p", { class: "words" });
  const draw = (/** @type {Look} */ look) => {
    if (chart.panel.clientWidth < 50) return null;
    const view = /** @type {View} */ (/** @type {unknown} */ (talk.answer()));
    const curves = [view.plan, ...view.pins].map(readCurve);
    const settings = /** @type {Settings} */ (talk.settings());
    const colors = facts.colors.map((/** @type {string} */ color) => legible(color, look.ground));
    /** @type {Scene} */
    const scene = { view, curves, colors, settings, refused: talk.refused(), look, cursor };
    for (const part of [toolbar, chart, code, legend, controls]) part.show(scene);
    update(words, [view.words, sameWords(view.pins)].filter(Boolean).join(" "));
    if (copied) return copied;
    return cursor === null ? `${view.plan.name}. ${words.textContent}` : chart.words();
  };
  const pictures = element("div", { class: "pictures" }, chart.node, legend.node, words);
  return { nodes: [toolbar.node, element("div", { class: "views" }, pictures, code.node), controls.node], draw };
});

export default { render };
