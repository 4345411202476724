// How is a race played? The controls, what they change, and one drawing per frame.
// @ts-nocheck
import {
  calmLine,
  changes,
  element,
  keepKeys,
  LOG,
  oncePerFrame,
  onTheme,
  sized,
  slider,
  spaced,
  theme,
  update,
  written,
} from "../../common/page/frame.js";
import {
  axes,
  colorOf,
  drawLosses,
  drawMap,
  drawStability,
  drawTerrain,
  inside,
  paintCells,
  readStability,
  SHAPES,
  stabilityAxes,
} from "./draw.js";
import { bowlLevels, descend, LANDSCAPES, racer, sgd, stepInFull } from "./rules.js";
import { arithmetic, fate } from "./words.js";

const SETTINGS = [
  "surface",
  "condition_number",
  "start",
  "optimizers",
  "lr",
  "momentum",
  "dampening",
  "beta1",
  "beta2",
  "alpha",
  "weight_decay",
  "steps",
  "step",
  "chosen",
  "view",
];

const share = (value) => String(Number(value.toFixed(4)));
const SLIDERS = [
  { name: "momentum", label: "momentum", hint: "Momentum, Nesterov", min: 0, max: 0.99, step: 0.01, format: share },
  { name: "dampening", label: "dampening", hint: "Momentum", min: 0, max: 1, step: 0.05, format: share },
  { name: "beta1", label: "β₁", hint: "Adam, AdamW", min: 0, max: 0.99, step: 0.01, format: share },
  { name: "beta2", label: "β₂", hint: "Adam, AdamW", min: 0.5, max: 0.999, step: 0.001, format: share },
  { name: "alpha", label: "alpha", hint: "RMSprop", min: 0.5, max: 0.999, step: 0.001, format: share },
  { name: "weight_decay", label: "weight decay", hint: "all", min: 0, max: 1, step: 0.01, format: share },
  { name: "steps", label: "steps", hint: "all", min: 1, max: 500, step: 1, format: String },
  {
    name: "condition_number",
    label: "condition number",
    hint: "of the bowl",
    min: 1,
    max: 100,
    step: 1,
    format: share,
  },
];

/**
 * The settings in the browser. A change is drawn at the next frame; the kernel hears of it 8 times a second, or at once
 * while the page waits for the kernel's stability map. Until then it is kept beside the model, where the kernel's echo
 * of the change before cannot undo it.
 */
function settingsOf(model, redraw) {
  let wanted = {};
  const read = () => ({ ...Object.fromEntries(SETTINGS.map((name) => [name, model.get(name)])), ...wanted });
  const send = () => {
    for (const [name, value] of Object.entries(wanted)) model.set(name, value);
    wanted = {};
    model.save_changes();
  };
  // Every message makes JupyterLab redraw its own signs of a busy kernel, which would cost a drag half its frames.
  const tell = spaced(send, 120);
  const set = (changes) => {
    Object.assign(wanted, changes);
    if (read().view === "stability") send();
    else tell();
    redraw();
  };
  return { read, set, tell, facts: model.get("_facts"), atFirst: read() };
}

function render({ model, el }) {
  const settings = settingsOf(model, () => redraw());
  const root = element("div", { class: "course-app race", role: "group", "aria-label": "Optimizer race" });
  const parts = {
    toolbar: makeToolbar(settings),
    map: makeMap(settings),
    side: makeSide(settings, (cursor) => page.look(cursor)),
    racers: makeRacers(settings),
    options: makeOptions(settings),
    work: makeWork(settings),
  };
  const spoken = element("p", { class: "only-heard", role: "status", "aria-live": "polite" });
  const say = calmLine(spoken);
  const page = { cursor: null, theme: null, look: (cursor) => redraw((page.cursor = cursor)) };
  // JupyterLab hides the page while it changes its theme: what could not be drawn then is drawn a little later.
  let later = 0;
  const redraw = oncePerFrame(() => {
    clearTimeout(later);
    if (!drawPage({ model, settings, parts, page, root, say })) later = setTimeout(redraw, 250);
  });
  const { toolbar, map, side, racers, options, work } = parts;
  root.append(
    toolbar.node,
    element("div", { class: "views" }, map.node, side.node),
    element("div", { class: "controls" }, racers.node, options.node),
    work.node,
    spoken,
  );
  keepKeys(root);
  el.append(root);
  const watched = [...SETTINGS, "_stability"].map((name) => `change:${name}`);
  watched.forEach((event) => model.on(event, redraw));
  const resized = new ResizeObserver(redraw);
  resized.observe(root);
  const stopTheme = onTheme(() => redraw((page.theme = null)));
  return () => {
    watched.forEach((event) => model.off(event, redraw));
    resized.disconnect();
    stopTheme();
    redraw.cancel();
    clearTimeout(later);
    say.cancel();
    toolbar.stop();
    settings.tell.now();
  };
}

export default { render };

// ---- One drawing ----------------------------------------------------------------------------------------------

/** Draw everything as it is now; false if the page is hidden, where nothing has a size. */
function drawPage({ model, settings, parts, page, root, say }) {
  const { facts } = settings;
  const state = settings.read();
  const look = (page.theme ??= theme(root));
  const sizes = measured(parts, facts.surfaces[state.surface]);
  if (!sizes) return false;
  const tracks = state.optimizers.map((name) => trackOf(name, run(state, name, facts), facts, look));
  const stability = parts.side.stability(model.get("_stability"));
  const looks = state.view === "stability" && page.cursor && stability;
  const preview = looks ? lookedAt(state, facts, stability.map, page.cursor, look) : null;
  const scene = { state, tracks, look, facts, preview, stability, cursor: page.cursor, sizes };
  for (const part of Object.values(parts)) part.show(scene);
  say(preview ? inWords(preview) : summary(scene));
  return true;
}

/** Width and height of both pictures, read before anything is written; null while the page is hidden. */
function measured({ map, side }, chart) {
  const [wide, narrow] = [map.node.clientWidth, side.panel.clientWidth];
  if (Math.min(wide, narrow) < 50) return null;
  const height = mapHeight(wide, chart);
  return { map: [wide, height], side: [narrow, Math.max(250, height - 78)] };
}

const trackOf = (name, path, facts, look) => ({
  name,
  path,
  color: colorOf(name, facts, look),
  shape: facts.markers[name],
});

function run(state, name, facts) {
  return descend(...racer(name, state), LANDSCAPES[state.surface], facts.surfaces[state.surface], state);
}

/** The run of a cell of the stability map, as a track to draw. */
function lookedAt(state, facts, map, { row, column }, look) {
  const [lr, momentum] = [map.lr[column], map.momentum[row]];
  const options = { lr, momentum, nesterov: map.rule === "Nesterov" };
  const path = descend(sgd, options, LANDSCAPES[state.surface], facts.surfaces[state.surface], state);
  return { ...trackOf(map.rule, path, facts, look), lr, momentum, color: look.dark ? "#ffffff" : "#222222" };
}

function inWords({ lr, momentum, path }) {
  return `lr ${written(lr, 3)}, momentum ${written(momentum, 3)}: ${fate(path, Infinity)}`;
}

function summary({ state, tracks, facts }) {
  const { title } = facts.surfaces[state.surface];
  const each = tracks.map(({ name, path }) => `${name} ${fate(path, state.step)}`).join("; ");
  return `${title}, step ${state.step} of ${state.steps}. ${each || "Nobody races."}`;
}

// ---- The toolbar ----------------------------------------------------------------------------------------------

function makeToolbar({ read, set, facts, atFirst }) {
  const surfaces = Object.entries(facts.surfaces);
  const enter = ({ target: { value: surface } }) => {
    const { start, lr } = facts.surfaces[surface];
    set({ surface, start, lr });
  };
  const choices = surfaces.map(([value, { title }]) => element("option", { value }, title));
  const select = element("select", { "aria-label": "surface", onchange: enter }, ...choices);
  const player = makePlayer(read, set);
  const go = (step) => () => {
    player.stop();
    set({ step: Math.min(Math.max(step(read()), 0), read().steps) });
  };
  const button = (text, title, onclick) => element("button", { type: "button", title, onclick }, text);
  const onInput = (step) => go(() => step)();
  const format = (step) => `${step} of ${read().steps}`;
  const position = slider({ label: "step", hint: "last step shown", min: 0, max: 500, step: 1, format, onInput });
  const again = () => {
    player.stop();
    set(atFirst);
  };
  const node = element(
    "div",
    { class: "toolbar" },
    select,
    player.button,
    button(
      "Step",
      "one step on",
      go(({ step, steps }) => (step >= steps ? 1 : step + 1)),
    ),
    button(
      "Start",
      "back to the start",
      go(() => 0),
    ),
    button(
      "End",
      "show all steps",
      go(({ steps }) => steps),
    ),
    element("span", { class: "position" }, position.label, position.thumb, position.shown),
    button("Reset", "all settings as they were at first", again),
  );
  const show = ({ state }) => {
    select.value = state.surface;
    update(position.thumb, null, { max: state.steps });
    position.show(state.step);
  };
  return { node, show, stop: player.stop };
}

/** Play: from the present step to the last, in about six seconds; the kernel is told where it ended. */
function makePlayer(read, set) {
  let frame = 0;
  const onclick = () => (frame ? stop() : play());
  const button = element("button", { type: "button", class: "main", title: "let them run", onclick }, "▶ Play");
  const stop = () => {
    cancelAnimationFrame(frame);
    frame = 0;
    button.textContent = "▶ Play";
  };
  const play = () => {
    const { step, steps } = read();
    const [from, began, perSecond] = [step >= steps ? 0 : step, performance.now(), Math.max(8, steps / 6)];
    button.textContent = "❚❚ Pause";
    const next = (now) => {
      const reached = Math.min(read().steps, from + Math.floor((Math.max(0, now - began) / 1000) * perSecond));
      if (reached !== read().step) set({ step: reached });
      if (reached < read().steps) frame = requestAnimationFrame(next);
      else stop();
    };
    frame = requestAnimationFrame(next);
  };
  return { button, stop };
}

// ---- The map --------------------------------------------------------------------------------------------------

const TALLEST = 400;

function makeMap({ read, set, facts }) {
  const canvas = element("canvas", { role: "img" });
  const terrain = document.createElement("canvas");
  const name = "start point; arrow keys move it, with Shift farther";
  const handle = element("div", { class: "start", role: "slider", tabindex: "0", "aria-label": name });
  const node = element("div", { class: "map" }, canvas, handle);
  const [newGround, newPicture] = [changes(), changes()];
  let plot = null;
  const moveTo = (x, y) => set({ start: onMap([x, y], facts.surfaces[read().surface]) });
  followPointer(node, (x, y) => plot && moveTo(plot.atX(x), plot.atY(y)), handle);
  handle.addEventListener("keydown", (event) => {
    const [dx, dy] = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] }[event.key] ?? [];
    if (dx === undefined) return;
    event.preventDefault();
    const { start, surface } = read();
    const { xlim, ylim } = facts.surfaces[surface];
    const far = event.shiftKey ? 0.1 : 0.01;
    moveTo(start[0] + dx * far * (xlim[1] - xlim[0]), start[1] + dy * far * (ylim[1] - ylim[0]));
  });
  const show = ({ state, tracks, look, preview, sizes }) => {
    const chart = facts.surfaces[state.surface];
    const [width, height] = sizes.map;
    plot = axes(equalBox(width, height, chart), chart.xlim, chart.ylim);
    const view = [sizes, look, window.devicePixelRatio];
    if (!newPicture(view, state, preview?.lr, preview?.momentum)) return;
    if (newGround(view, state.surface, state.condition_number)) {
      drawGround(terrain, width, height, plot, state, chart, look);
    }
    const scene = { ...state, minima: chart.minima, terrain, tracks, preview, look };
    drawMap(sized(canvas, width, height), width, height, plot, scene);
    placeHandle(handle, plot, state.start);
    const names = state.optimizers.join(", ") || "nobody";
    update(canvas, null, { "aria-label": `${chart.title} with the paths of ${names}` });
  };
  return { node, show };
}

function drawGround(terrain, width, height, plot, { surface, condition_number }, { levels }, look) {
  const loss = (x, y) => LANDSCAPES[surface].loss(x, y, condition_number);
  const lines = surface === "Quadratic" ? bowlLevels(condition_number) : levels;
  drawTerrain(terrain, width, height, plot, loss, lines, look);
}

const mapHeight = (width, { xlim, ylim }) => {
  const { width: across } = inside(width, 300);
  return Math.round(Math.max(250, Math.min(TALLEST, (across * (ylim[1] - ylim[0])) / (xlim[1] - xlim[0]) + 44)));
};

/** The largest box in which x and y have the same scale, so that gradients cross contour lines at right angles. */
function equalBox(width, height, { xlim, ylim }) {
  const room = inside(width, height);
  const scale = Math.min(room.width / (xlim[1] - xlim[0]), room.height / (ylim[1] - ylim[0]));
  const [across, down] = [scale * (xlim[1] - xlim[0]), scale * (ylim[1] - ylim[0])];
  const [left, top] = [room.left + (room.width - across) / 2, room.top + (room.height - down) / 2];
  return { left, top, width: across, height: down };
}

/** The nearest point on the map, with as many digits as a hand can mean. */
function onMap(point, { xlim, ylim }) {
  return [xlim, ylim].map(([low, high], axis) => Number(Math.min(high, Math.max(low, point[axis])).toFixed(4)));
}

function placeHandle(handle, plot, [x, y]) {
  handle.style.transform = `translate(${plot.X(x) - 16}px, ${plot.Y(y) - 16}px)`;
  const [low, high] = plot.xlim;
  const said = `x ${x}, y ${y}`;
  update(handle, null, { "aria-valuemin": low, "aria-valuemax": high, "aria-valuenow": x, "aria-valuetext": said });
}

/** `move(x, y)` in pixels of `node` while a pointer is held down on it; then the keys belong to `handle`. */
function followPointer(node, move, handle) {
  const follow = (event) => {
    const { left, top } = node.getBoundingClientRect();
    move(event.clientX - left, event.clientY - top);
  };
  node.addEventListener("pointerdown", (event) => {
    if (event.button !== 0) return;
    event.preventDefault();
    handle.focus({ preventScroll: true, focusVisible: false });
    node.setPointerCapture(event.pointerId);
    follow(event);
  });
  node.addEventListener("pointermove", (event) => node.hasPointerCapture(event.pointerId) && follow(event));
}

// ---- Beside the map: losses or stability ------------------------------------------------------------------------

function makeSide({ read, set, facts }, look) {
  const views = { loss: "Loss", stability: "Stability map" };
  const tabs = Object.entries(views).map(([view, text]) => makeTab(view, text, set));
  const canvas = element("canvas", {});
  const panel = element("div", { class: "panel", role: "tabpanel" }, canvas);
  const hint = element("p", { class: "hint" });
  const row = element("div", { class: "tabs", role: "tablist" }, ...tabs);
  const node = element("div", { class: "side" }, row, panel, hint);
  const [known, isNew] = [keepStability(), changes()];
  const cells = followCells(panel, canvas, known, look, (cell) => take(cell, known.latest.map, read, set, facts));
  const show = (scene) => {
    const { state } = scene;
    tabs.forEach((tab) => select(tab, tab.dataset.view === state.view));
    const isMap = state.view === "stability";
    const name = isMap ? "Stability map: arrow keys choose a run, Enter takes its settings" : "Loss at every step";
    update(panel, null, { tabindex: isMap ? 0 : -1, "aria-label": name });
    update(hint, isMap ? hintOf(scene) : "Every marker is one optimizer; ✕ is where it left the map.");
    drawSide(canvas, scene, cells, isNew);
  };
  return { node, panel, show, stability: known.read };
}

function makeTab(view, text, set) {
  const other = { ArrowLeft: "previousElementSibling", ArrowRight: "nextElementSibling" };
  const onkeydown = ({ key, currentTarget }) => currentTarget[other[key]]?.click();
  const onclick = ({ currentTarget }) => {
    currentTarget.focus();
    set({ view });
  };
  return element("button", { type: "button", role: "tab", "data-view": view, onclick, onkeydown }, text);
}

const select = (tab, selected) => update(tab, null, { "aria-selected": selected, tabindex: selected ? 0 : -1 });

/** The last message from the kernel, read and painted once. */
function keepStability() {
  const kept = { message: null, latest: null };
  kept.read = (message) => {
    if (message?.losses && message !== kept.message) {
      const map = readStability(message);
      const number = (kept.latest?.number ?? 0) + 1;
      Object.assign(kept, { message, latest: { map, cells: paintCells(map), number } });
    }
    return kept.latest;
  };
  return kept;
}

function hintOf({ state, preview, stability }) {
  if (!stability) return "The kernel computes 64 × 64 runs …";
  if (preview) return `${preview.name}, ${inWords(preview)}`;
  const plain = state.weight_decay > 0 || state.dampening > 0 ? " (without weight decay and dampening)" : "";
  return `4,096 runs of ${stability.map.rule}${plain}, ★ the best: point at one to see its path, click to take it.`;
}

/** Draw it if it is new: neither a message nor a key should cost two pictures. */
function drawSide(canvas, { state, tracks, look, facts, stability, cursor, sizes }, cells, isNew) {
  const view = [state.view, look, sizes.side, window.devicePixelRatio];
  if (state.view === "loss") {
    if (!isNew(view, state)) return;
    drawLosses(sized(canvas, ...sizes.side), ...sizes.side, { tracks, ...state, look });
  } else if (!stability) {
    if (isNew(view)) sized(canvas, ...sizes.side).clearRect(0, 0, ...sizes.side);
  } else {
    const { map, number } = stability;
    const [color, shape] = [facts.colors[map.rule], facts.markers[map.rule]];
    const present = { lr: state.lr[map.rule], momentum: state.momentum, color, shape };
    cells.plot = stabilityAxes(...sizes.side, map);
    if (!isNew(view, number, state.steps, present, cursor)) return;
    drawStability(sized(canvas, ...sizes.side), ...sizes.side, {
      ...stability,
      steps: state.steps,
      present,
      cursor,
      look,
    });
  }
}

/** Which cell the pointer or the arrow keys point at; `take(cell)` on a click or Enter. */
function followCells(panel, canvas, known, look, take) {
  const cells = { plot: null, cursor: null };
  const point = (cursor) => look((cells.cursor = cursor));
  const active = () => panel.tabIndex === 0 && cells.plot && known.latest;
  const under = (event) => cellAt(event, canvas, cells.plot, known.latest.map);
  panel.addEventListener("pointermove", (event) => active() && point(under(event)));
  panel.addEventListener("pointerleave", () => cells.cursor && point(null));
  panel.addEventListener("blur", () => cells.cursor && point(null));
  panel.addEventListener("click", () => active() && cells.cursor && take(cells.cursor));
  panel.addEventListener("keydown", (event) => {
    if (!active()) return;
    const moves = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [1, 0], ArrowDown: [-1, 0] };
    const { map } = known.latest;
    if (event.key === "Enter" && cells.cursor) take(cells.cursor);
    if (event.key === "Escape") point(null);
    if (!moves[event.key]) return;
    event.preventDefault();
    const from = cells.cursor ?? bestCell(map);
    const [up, right] = moves[event.key].map((by) => by * (event.shiftKey ? 8 : 1));
    point({ row: within(from.row + up, map.momentum), column: within(from.column + right, map.lr) });
  });
  return cells;
}

function bestCell({ best, lr: { length } }) {
  const cell = Math.max(best, 0);
  return { row: Math.floor(cell / length), column: cell % length };
}

const within = (index, values) => Math.min(values.length - 1, Math.max(0, index));

function cellAt({ clientX, clientY }, canvas, plot, { lr, momentum }) {
  const { left, top } = canvas.getBoundingClientRect();
  const [x, y] = [(clientX - left - plot.left) / plot.width, (clientY - top - plot.top) / plot.height];
  if (x < 0 || x >= 1 || y < 0 || y >= 1) return null;
  return { row: within(Math.floor((1 - y) * momentum.length), momentum), column: Math.floor(x * lr.length) };
}

/** The settings of a cell become those of the race, and its optimizer takes part. */
function take({ row, column }, { lr, momentum, rule }, read, set, facts) {
  const state = read();
  set({
    lr: { ...state.lr, [rule]: Number(lr[column].toPrecision(4)) },
    momentum: Number(momentum[row].toFixed(4)),
    optimizers: facts.optimizers.filter((name) => name === rule || state.optimizers.includes(name)),
  });
}

// ---- The racers and the sliders ---------------------------------------------------------------------------------

function makeRacers({ read, set, facts }) {
  const [min, max] = facts.range.lr;
  const rate = { min, max, ...LOG, format: (value) => written(value, 3) };
  const onInput = (lr) => set({ lr: Object.fromEntries(facts.optimizers.map((name) => [name, lr])) });
  const all = slider({ ...rate, label: "lr of all", hint: "learning rate of all optimizers", onInput });
  const rows = facts.optimizers.map((name) => makeRacer(name, rate, read, set, facts));
  const result = element("span", { class: "fate" }, "at the step shown");
  const head = element("div", { class: "racer head" }, all.label, all.thumb, all.shown, result);
  const about = { class: "racers", role: "group", "aria-label": "optimizers and their learning rates" };
  const node = element("div", about, head, ...rows.map((row) => row.node));
  const show = (scene) => {
    const rates = scene.state.optimizers.map((name) => scene.state.lr[name]);
    const same = rates.length > 0 && rates.every((lr) => lr === rates[0]);
    if (same) all.show(rates[0]);
    else if (rates.length) all.show(rates[0], "differs");
    rows.forEach((row) => row.show(scene));
  };
  return { node, show };
}

function makeRacer(name, rate, read, set, facts) {
  const onchange = ({ target: { checked } }) => {
    const others = read().optimizers;
    set({ optimizers: facts.optimizers.filter((other) => (other === name ? checked : others.includes(other))) });
  };
  const onInput = (lr) => set({ lr: { ...read().lr, [name]: lr } });
  const [sign, tint] = makeSign(facts.markers[name]);
  const box = element("input", { type: "checkbox", onchange });
  const label = element("label", { class: "name" }, box, sign, name);
  const own = slider({ ...rate, label: name, hint: `learning rate of ${name}`, onInput });
  const result = element("span", { class: "fate" });
  const node = element("div", { class: "racer" }, label, own.thumb, own.shown, result);
  const show = ({ state, tracks, look }) => {
    const track = tracks.find((other) => other.name === name);
    box.checked = Boolean(track);
    node.classList.toggle("absent", !track);
    tint(colorOf(name, facts, look));
    own.show(state.lr[name]);
    update(result, track ? fate(track.path, state.step) : "");
    result.classList.toggle("lost", result.textContent.startsWith("left"));
  };
  return { node, show };
}

/** The marker of an optimizer, as on the map. */
function makeSign(shape) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  const outline = document.createElementNS("http://www.w3.org/2000/svg", "path");
  svg.setAttribute("viewBox", "-1.6 -1.6 3.2 3.2");
  svg.setAttribute("aria-hidden", "true");
  outline.setAttribute("d", SHAPES[shape]);
  svg.append(outline);
  return [svg, (fill) => update(outline, null, { fill })];
}

/** The step to show when the number of steps changes: whoever saw the end sees the new end. */
const stepOf = ({ step, steps }, now) => (step >= steps ? now : Math.min(step, now));

function makeOptions({ read, set }) {
  const rows = SLIDERS.map(({ name, ...range }) => {
    const onInput = (value) =>
      set(name === "steps" ? { steps: value, step: stepOf(read(), value) } : { [name]: value });
    const one = slider({ ...range, hint: `${range.label} (${range.hint})`, onInput });
    one.label.append(element("small", {}, range.hint));
    const node = element("div", { class: "option" }, one.label, one.thumb, one.shown);
    return { name, node, one };
  });
  const about = { class: "options", role: "group", "aria-label": "settings" };
  const node = element("div", about, ...rows.map((row) => row.node));
  const show = ({ state }) => {
    for (const { name, node: row, one } of rows) {
      one.show(state[name]);
      if (name === "condition_number") row.hidden = state.surface !== "Quadratic";
    }
  };
  return { node, show };
}

// ---- The arithmetic of a step -----------------------------------------------------------------------------------

function makeWork({ set, facts }) {
  const choices = facts.optimizers.map((name) => element("option", { value: name }, name));
  const onchange = ({ target }) => set({ chosen: target.value });
  const chooser = element("select", { "aria-label": "optimizer whose step is written out", onchange }, ...choices);
  const title = element("span");
  const body = element("tbody");
  const columns = ["", "rule", "x", "y"].map((text) => element("th", { scope: "col" }, text));
  const head = element("thead", {}, element("tr", {}, ...columns));
  const table = element("table", { "aria-label": "the step in numbers" }, head, body);
  const note = element("p", { class: "hint" });
  const line = element("div", { class: "title" }, title, chooser);
  const node = element("section", { class: "work", "aria-label": "one step in numbers" }, line, table, note);
  const newRows = changes();
  const show = ({ state }) => {
    chooser.value = state.chosen;
    const path = run(state, state.chosen, facts);
    const full = stepInFull(state.chosen, state, path, state.step);
    update(title, state.step === 0 ? "Before the first step of" : `${full ? "Step" : "No step"} ${state.step} of`);
    update(note, full ? "" : whyNone(state, path));
    table.hidden = !full;
    const rows = full ? arithmetic(state.chosen, full) : [];
    if (newRows(rows)) writeRows(body, rows);
  };
  return { node, show };
}

const whyNone = ({ step, chosen }, { divergedAt }) =>
  step === 0
    ? "Press Step: then the first step stands here in numbers."
    : `At step ${divergedAt} the numbers of ${chosen} became too large to go on.`;

/** The rows of the table; where their number stays, only the texts change. */
function writeRows(body, rows) {
  if (body.children.length !== rows.length) body.replaceChildren(...rows.map(emptyRow));
  rows.forEach(({ symbol, rule, texts, values }, number) => {
    const [head, meaning, ...cells] = body.children[number].children;
    update(head, symbol);
    update(meaning, rule);
    cells.forEach(({ firstChild, lastChild }, axis) => {
      update(firstChild, texts[axis] ? `${texts[axis]} = ` : "");
      update(lastChild, written(values[axis]));
    });
  });
}

function emptyRow() {
  const cells = [0, 1].map(() => element("td", {}, element("span"), element("b")));
  return element("tr", {}, element("th", { scope: "row" }), element("td", { class: "rule" }), ...cells);
}
