// How is a schedule played? Controls that ask the kernel, one question at a time, and a page that shows its last answer.
// @ts-nocheck
import { calmLine, element, keepKeys, oncePerFrame, onTheme, sized, theme } from "../../common/page/frame.js";
import { makeControl, shortNumber } from "./controls.js";
import { cursorWords, curveColor, drawSchedules, readCurve, strokeOf } from "./draw.js";

const CHART_HEIGHT = 340;
const MEANT = {
  epoch: "Meant to be called per epoch.",
  step: "Meant to be called per batch.",
  either: "Per epoch or per batch.",
};

/** What the hand wants goes to the kernel; what is not answered yet is shown as wanted. */
function askerOf(model) {
  let number = model.get("_asked").number ?? 0;
  let pending = {};
  const send = (question) => {
    number += 1;
    model.set("_asked", { number, ...question });
    model.save_changes();
  };
  const ask = (settings) => {
    const base = "scheduler" in settings ? {} : pending.parameters;
    const parameters = { ...base, ...settings.parameters };
    pending = { ...pending, ...settings, parameters };
    if (!Object.keys(parameters).length) delete pending.parameters;
    send({ settings: pending });
  };
  const tell = (question) => {
    pending = {};
    send(question);
  };
  const shown = ({ settings, answer }) => {
    if (answer.number >= number) pending = {};
    return { ...settings, ...pending, parameters: { ...settings.parameters, ...pending.parameters } };
  };
  return { ask, tell, shown };
}

function render({ model, el }) {
  const facts = model.get("_facts");
  const asker = askerOf(model);
  const root = element("div", { class: "course-app schedule", role: "group", "aria-label": "Schedule lab" });
  const page = { cursor: null, look: (cursor) => redraw((page.cursor = cursor)) };
  const parts = {
    toolbar: makeScheduleBar(model, facts, asker),
    chart: makeChart(facts, page),
    code: makeCode(),
    legend: makeLegend(facts, asker),
    controls: makeControls(facts, asker),
  };
  const words = element("p", { class: "words" });
  const spoken = element("p", { class: "only-heard", role: "status", "aria-live": "polite" });
  const say = calmLine(spoken);
  const redraw = oncePerFrame(() => {
    const view = model.get("_view");
    const curves = [view.plan, ...view.pins].map(readCurve);
    const scene = {
      view,
      curves,
      settings: asker.shown(view),
      scale: model.get("scale"),
      look: theme(root),
      cursor: page.cursor,
    };
    for (const part of Object.values(parts)) part.show(scene);
    words.textContent = view.words;
    const refused = Object.values(view.answer.refused).join(" ");
    say(refused || (page.cursor === null ? `${view.plan.name}. ${view.words}` : parts.chart.words()));
  });
  const { toolbar, chart, code, legend, controls } = parts;
  root.append(
    toolbar.node,
    element(
      "div",
      { class: "views" },
      element("div", { class: "pictures" }, chart.node, legend.node, words),
      code.node,
    ),
    controls.node,
    spoken,
  );
  keepKeys(root);
  el.append(root);
  const watched = ["change:_view", "change:scale"];
  watched.forEach((event) => model.on(event, redraw));
  const resized = new ResizeObserver(redraw);
  resized.observe(root);
  const stopTheme = onTheme(redraw);
  return () => {
    watched.forEach((event) => model.off(event, redraw));
    resized.disconnect();
    stopTheme();
    redraw.cancel();
    say.cancel();
  };
}

export default { render };

// ---- The toolbar ----------------------------------------------------------------------------------------------

function makeScheduleBar(model, facts, { ask, tell }) {
  const choices = Object.keys(facts.schedulers).map((name) => element("option", { value: name }, name));
  const onchange = ({ target }) => ask({ scheduler: target.value });
  const select = element("select", { "aria-label": "scheduler", onchange }, ...choices);
  const cadence = makeRadios("scheduler.step()", { epoch: "per epoch", step: "per batch" }, (value) =>
    ask({ cadence: value }),
  );
  const scale = makeRadios("lr axis", { linear: "linear", log: "log" }, (value) => {
    model.set("scale", value);
    model.save_changes();
  });
  const button = (text, title, onclick) => element("button", { type: "button", title, onclick }, text);
  const node = element(
    "div",
    { class: "toolbar" },
    select,
    cadence.node,
    scale.node,
    button("Pin curve", "keep this curve to compare it with others", () => tell({ do: "pin" })),
    button("Reset", "all settings as they were at first", () => tell({ do: "reset" })),
  );
  const show = ({ settings, scale: chosen, view }) => {
    select.value = settings.scheduler;
    cadence.show(settings.cadence, view.answer.refused.cadence);
    scale.show(chosen);
  };
  return { node, show };
}

let radiosMade = 0;

function makeRadios(label, choices, onValue) {
  const name = `course-radios-${++radiosMade}`;
  const inputs = Object.entries(choices).map(([value, text]) => {
    const input = element("input", { type: "radio", name, value, onchange: () => onValue(value) });
    return [input, element("label", { class: "choice" }, input, text)];
  });
  const words = element("span", { class: "refused" });
  const node = element("div", { class: "radios", role: "radiogroup", "aria-label": label });
  node.append(element("span", { class: "of" }, label), ...inputs.map(([, text]) => text), words);
  const show = (value, refused = "") => {
    for (const [input] of inputs) input.checked = input.value === value;
    words.textContent = refused;
  };
  return { node, show };
}

// ---- The chart ------------------------------------------------------------------------------------------------

function makeChart(facts, page) {
  const canvas = element("canvas", { role: "img" });
  const hint = element("p", { class: "hint" });
  const about = { class: "panel", tabindex: "0", role: "group" };
  const panel = element("div", about, canvas);
  const node = element("div", { class: "chart" }, panel, hint);
  const seen = { plot: null, steps: 1, batches: 1, text: "" };
  const within = (step) => Math.min(seen.steps - 1, Math.max(0, Math.floor(step)));
  panel.addEventListener("pointermove", ({ clientX }) => {
    if (seen.plot) page.look(within(seen.plot.atX(clientX - canvas.getBoundingClientRect().left) * seen.batches));
  });
  for (const leave of ["pointerleave", "blur"]) panel.addEventListener(leave, () => page.look(null));
  panel.addEventListener("keydown", (event) => {
    if (event.key === "Escape") page.look(null);
    const by = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (!by) return;
    event.preventDefault();
    page.look(within((page.cursor ?? -by) + by * (event.shiftKey ? 1 : seen.batches)));
  });
  const show = ({ view, curves, scale, look, cursor }) => {
    const width = panel.clientWidth;
    if (width < 50) return;
    Object.assign(seen, { steps: Math.max(...curves.map(({ steps }) => steps)), batches: view.plan.steps_per_epoch });
    const at = cursor === null ? null : within(cursor);
    const context = sized(canvas, width, CHART_HEIGHT);
    seen.plot = drawSchedules(context, width, CHART_HEIGHT, {
      curves,
      scale,
      cursor: at,
      look,
      ...facts,
      batches: seen.batches,
    });
    seen.text = at === null ? "" : cursorWords(curves, at, view.plan);
    hint.textContent = seen.text || "Point at the curve, or use the arrow keys on it, to read the lr.";
    panel.setAttribute("aria-label", `lr of every update of ${view.plan.name}. ${seen.text || "Arrow keys read it."}`);
  };
  return { node, show, words: () => seen.text };
}

// ---- The code -------------------------------------------------------------------------------------------------

function makeCode() {
  const text = element("code");
  const frame = element("pre", { tabindex: "0", "aria-label": "torch code of this curve" }, text);
  const copied = element("span", { class: "hint", role: "status" });
  const onclick = async () => {
    try {
      await navigator.clipboard.writeText(text.textContent);
      copied.textContent = "Copied.";
    } catch {
      // Without https a page may not write to the clipboard; the reader's own key may.
      getSelection().selectAllChildren(text);
      copied.textContent = "Selected: press Ctrl-C.";
    }
  };
  const button = element("button", { type: "button", title: "copy the code", onclick }, "Copy");
  const title = element("div", { class: "title" }, element("span", {}, "The same in PyTorch"), button, copied);
  const node = element("section", { class: "code", "aria-label": "torch code" }, title, frame);
  const show = ({ view }) => {
    if (text.textContent === view.code) return;
    text.textContent = view.code;
    copied.textContent = "";
  };
  return { node, show };
}

// ---- The legend -----------------------------------------------------------------------------------------------

function makeLegend(facts, { tell }) {
  const node = element("ul", { class: "legend", "aria-label": "curves" });
  let drawn = "";
  const show = ({ view, look }) => {
    const all = [view.plan, ...view.pins];
    const key = JSON.stringify([all.map(({ name, lr }) => [name, lr]), look.dark]);
    if (key === drawn) return;
    drawn = key;
    node.replaceChildren(
      ...all.map((plan, number) => makeEntry(plan, number, curveColor(facts.colors, number, look), tell)),
    );
  };
  return { node, show };
}

function makeEntry({ name, lr }, number, color, tell) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  const stroke = document.createElementNS("http://www.w3.org/2000/svg", "path");
  const about = {
    d: "M1 6H37",
    stroke: color,
    "stroke-width": 3,
    "stroke-dasharray": strokeOf(number).join(" ") || "none",
  };
  for (const [key, value] of Object.entries(about)) stroke.setAttribute(key, value);
  svg.setAttribute("viewBox", "0 0 38 12");
  svg.setAttribute("aria-hidden", "true");
  svg.append(stroke);
  const unpin = () => tell({ unpin: number - 1 });
  const button = element(
    "button",
    { type: "button", title: `let go of ${name}`, "aria-label": `unpin ${name}`, onclick: unpin },
    "Unpin",
  );
  return element("li", {}, svg, element("span", {}, `${name}, lr ${shortNumber(lr)}`), ...(number ? [button] : []));
}

// ---- The controls ---------------------------------------------------------------------------------------------

const RUN = [
  { name: "lr", kind: "number", values: [0.01, 0.1, 1], slide: [1e-4, 1], summary: "lr of the optimizer at the start" },
  { name: "epochs", kind: "whole number", values: [20, 50, 100], slide: [1, 100], summary: "passes over the data" },
  {
    name: "steps_per_epoch",
    kind: "whole number",
    values: [16, 156, 782],
    slide: [1, 800],
    summary: "updates in each: len(loader)",
  },
];

function makeControls(facts, { ask }) {
  const run = RUN.map((spec) => makeControl(spec, (value) => ask({ [spec.name]: value })));
  const title = element("h4");
  const about = element("p", { class: "hint" });
  const own = element("div", { class: "fields" });
  const node = element(
    "div",
    { class: "controls" },
    element(
      "section",
      { class: "box", "aria-label": "the run" },
      element("h4", {}, "The run"),
      element("div", { class: "fields" }, ...run.map((c) => c.node)),
    ),
    element("section", { class: "box", "aria-label": "the scheduler" }, title, about, own),
  );
  let [scheduler, fields] = ["", []];
  const show = ({ settings, view }) => {
    if (settings.scheduler !== scheduler) {
      scheduler = settings.scheduler;
      const { controls, does, cadence, reason } = facts.schedulers[scheduler];
      fields = controls.map((spec) => makeControl(spec, (value) => ask({ parameters: { [spec.name]: value } })));
      own.replaceChildren(...fields.map((field) => field.node));
      title.textContent = scheduler;
      about.textContent = `${does} ${MEANT[cadence]} ${reason}${controls.length ? "" : " It is played as a sample: change it in the code."}`;
    }
    const { refused } = view.answer;
    run.forEach((field) => field.show(settings[field.name], refused[field.name]));
    fields.forEach((field) => field.show(settings.parameters[field.name], refused[field.name]));
  };
  return { node, show };
}
