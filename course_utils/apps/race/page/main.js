// How is a race played? The parts of the page, what they change, and one scene that they all draw.
import { legible } from "../../common/page/colors.js";
import { element } from "../../common/page/elements.js";
import { mounted } from "../../common/page/mount.js";
import { makeMap, mapHeight } from "./map.js";
import { makeOptions, makeRacers } from "./racers.js";
import { sgd } from "./rules.js";
import { descend, pathOf } from "./run.js";
import { makeSide } from "./side.js";
import { previewColor } from "./stability.js";
import { LANDSCAPES } from "./surfaces.js";
import { makeToolbar } from "./toolbar.js";
import { runInWords, summary } from "./words.js";
import { makeWork } from "./work.js";

/** @import { Conversation } from "../../common/page/conversation.js" */
/** @import { Look, Model, Pair } from "../../common/page/types.js" */
/** @import { Race } from "./toolbar.js" */
/** @import { Cell, Chart, Facts, Preview, Scene, Settings, StabilityMap } from "./types.js" */

const REST_MS = 120; // every message makes JupyterLab redraw its own signs of a busy kernel, which costs a drag frames

/** @param {Model} model */
const manner = (model) => ({
  restMs: () => (model.get("_answer").settings.view === "stability" ? 0 : REST_MS),
});

const render = mounted({ name: "race", label: "Optimizer race", manner }, ({ model, facts, talk, redraw }) => {
  /** @type {Cell | null} */
  let cursor = null;
  let still = false;
  const race = raceOf(facts, talk, () => still);
  const look = (/** @type {Cell | null} */ cell) => {
    cursor = cell;
    redraw();
  };
  const [toolbar, map, side] = [makeToolbar(race), makeMap(race), makeSide(race, look)];
  const [racers, options, work] = [makeRacers(race), makeOptions(race), makeWork(race)];
  const draw = (/** @type {Look} */ now) => {
    still = now.still;
    const state = race.read();
    const sizes = measured(map.node, side.panel, facts.surfaces[state.surface]);
    if (!sizes) return null;
    const stability = side.stability(model.get("_stability"));
    const runs = state.view === "stability" && stability ? stability.map : null;
    const scene = sceneOf(state, facts, now, runs, cursor, { stability, sizes });
    for (const part of [toolbar, map, side, racers, options, work]) part.show(scene);
    return scene.preview ? runInWords(scene.preview) : summary(state, scene.tracks, facts.surfaces[state.surface]);
  };
  return {
    nodes: [
      toolbar.node,
      element("div", { class: "views" }, map.node, side.node),
      element("div", { class: "controls" }, racers.node, options.node),
      work.node,
    ],
    draw,
    watched: ["_stability"],
    stop: toolbar.stop,
  };
});

export default { render };

/** @type {(facts: Facts, talk: Conversation, isStill: () => boolean) => Race} */
function raceOf(facts, talk, isStill) {
  const read = () => /** @type {Settings} */ (talk.settings());
  return { facts, read, set: talk.want, atFirst: read(), isStill };
}

/**
 * Width and height of both pictures, read before anything is written; null while the page is hidden.
 * @param {HTMLElement} map
 * @param {HTMLElement} panel
 * @param {Chart} chart
 * @returns {{ map: Pair, side: Pair } | null}
 */
function measured(map, panel, chart) {
  const [wide, narrow] = [map.clientWidth, panel.clientWidth];
  if (Math.min(wide, narrow) < 50) return null;
  const height = mapHeight(wide, chart);
  return { map: [wide, height], side: [narrow, Math.max(250, height - 78)] };
}

/**
 * All that is drawn, computed once.
 * @type {(state: Settings, facts: Facts, look: Look, runs: StabilityMap | null, cursor: Cell | null, rest: Pick<Scene, "stability" | "sizes">) => Scene}
 */
function sceneOf(state, facts, look, runs, cursor, rest) {
  const chart = facts.surfaces[state.surface];
  const everyone = Object.values(facts.algorithms);
  const colors = Object.fromEntries(everyone.map(({ name, color }) => [name, legible(color, look.ground)]));
  const tracks = state.optimizers.map((name) => {
    const { marker: shape } = facts.algorithms[name];
    return { name, shape, color: colors[name], path: pathOf(facts.algorithms[name], state, chart) };
  });
  const preview = runs && cursor ? lookedAt(state, facts, runs, cursor, look) : null;
  return { state, tracks, colors, look, preview, cursor, ...rest };
}

/**
 * The run of a cell of the stability map, as a track to draw.
 * @type {(state: Settings, facts: Facts, map: StabilityMap, cell: Cell, look: Look) => Preview}
 */
function lookedAt(state, facts, map, { row, column }, look) {
  const [lr, momentum] = [map.lr[column], map.momentum[row]];
  const options = { lr, momentum, nesterov: map.rule === "Nesterov" };
  const path = descend(sgd, options, LANDSCAPES[state.surface], facts.surfaces[state.surface], state);
  const { name, marker: shape } = facts.algorithms[map.rule];
  return { name, shape, path, lr, momentum, color: previewColor(look) };
}
