// What do all apps need of a page? Elements, sliders, sharp canvases, colours of the theme, a calm live region.
// @ts-nocheck

/** An element with attributes, event handlers ("oninput") and children (elements or text). */
export function element(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (typeof value === "boolean") node.toggleAttribute(name, value);
    else node.setAttribute(name, value);
  }
  node.append(...children);
  return node;
}

/** Text and attributes of an element, touched only if they change: else the browser lays the page out anew. */
export function update(node, text, attributes = {}) {
  if (text !== null && node.textContent !== text) node.textContent = text;
  for (const [name, value] of Object.entries(attributes)) {
    if (node.getAttribute(name) !== String(value)) node.setAttribute(name, value);
  }
}

/** Keep keys inside the app: JupyterLab would swallow arrows, and "dd" would delete the cell. */
export function keepKeys(root) {
  root.addEventListener("keydown", (event) => event.stopPropagation());
}

/** A question to ask before drawing: is anything that is to be drawn other than it was the last time? */
export function changes() {
  let last = "";
  return (...drawn) => {
    const [now, before] = [JSON.stringify(drawn), last];
    last = now;
    return now !== before;
  };
}

/** `draw` at most once per frame, however often it is asked for; the last state is always drawn. */
export function oncePerFrame(draw) {
  let waiting = 0;
  const ask = () => {
    waiting ||= requestAnimationFrame(() => {
      waiting = 0;
      draw();
    });
  };
  ask.cancel = () => cancelAnimationFrame(waiting);
  return ask;
}

/** `act` at once, and then at most every `restMs`; the last wish is always done, by `act.now()` at the latest. */
export function spaced(act, restMs) {
  let [resting, asked] = [0, false];
  const now = () => {
    clearTimeout(resting);
    resting = 0;
    if (asked) ask();
  };
  const ask = () => {
    asked = resting !== 0;
    if (asked) return;
    resting = setTimeout(now, restMs);
    act();
  };
  ask.now = now;
  return ask;
}

let slidersMade = 0;

/** A labelled range input. `onInput(value)` follows the hand; `show(value, text)` moves it without telling anyone. */
export function slider({ label, hint, min, max, step, toThumb = (v) => v, fromThumb = (v) => v, format, onInput }) {
  const id = `course-slider-${++slidersMade}`;
  const shown = element("output", { for: id, class: "value" });
  const about = { type: "range", id, min: toThumb(min), max: toThumb(max), step, "aria-label": hint ?? label };
  const thumb = element("input", about);
  const write = (text) => {
    update(shown, text);
    update(thumb, null, { "aria-valuetext": text });
  };
  thumb.addEventListener("input", () => {
    const value = Math.min(max, Math.max(min, fromThumb(Number(thumb.value))));
    write(format(value));
    onInput(value);
  });
  const show = (value, text = format(value)) => {
    if (fromThumb(Number(thumb.value)) !== value) thumb.value = toThumb(value);
    write(text);
  };
  return { id, thumb, shown, label: element("label", { for: id, title: hint ?? label }, label), show };
}

/** Thumb positions of a slider on a log scale: 40 to a decade, so one key is 6 %. */
export const LOG = {
  step: 0.025,
  toThumb: Math.log10,
  fromThumb: (exponent) => Number((10 ** exponent).toPrecision(3)),
};

/** Size a canvas to `width` x `height` CSS pixels, sharp on any screen; the context then counts CSS pixels. */
export function sized(canvas, width, height) {
  const ratio = Math.min(window.devicePixelRatio || 1, 3);
  const [across, down] = [Math.round(width * ratio), Math.round(height * ratio)];
  if (canvas.width !== across || canvas.height !== down) {
    [canvas.width, canvas.height] = [across, down];
    Object.assign(canvas.style, { width: `${width}px`, height: `${height}px` });
  }
  const context = canvas.getContext("2d");
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  return context;
}

/** Colours of the JupyterLab theme around `root`, or of a light page where there is none. */
export function theme(root) {
  const style = getComputedStyle(root);
  const color = (name, otherwise) => style.getPropertyValue(name).trim() || otherwise;
  const dark = document.body.dataset.jpThemeLight === "false";
  return {
    dark,
    ink: color("--jp-content-font-color1", dark ? "#f0f0f0" : "#222222"),
    pale: color("--jp-content-font-color2", dark ? "#c0c0c0" : "#555555"),
    grid: dark ? "#3c444d" : "#dde2e7",
    ground: color("--jp-layout-color0", dark ? "#111111" : "#ffffff"),
    font: "15px system-ui, -apple-system, 'Segoe UI', sans-serif",
  };
}

/** Call `changed` whenever JupyterLab changes its theme; returns how to stop. */
export function onTheme(changed) {
  const observer = new MutationObserver(changed);
  observer.observe(document.body, { attributes: true, attributeFilter: ["data-jp-theme-light", "data-jp-theme-name"] });
  return () => observer.disconnect();
}

/** A line for screen readers that speaks when the hand has rested for a moment, not at every frame. */
export function calmLine(node, restMs = 700) {
  let timer = 0;
  let next = "";
  const say = (text) => {
    if (text === next) return;
    next = text;
    clearTimeout(timer);
    timer = setTimeout(() => (node.textContent = next), restMs);
  };
  say.cancel = () => clearTimeout(timer);
  return say;
}

/** A number for readers: 4 digits, a real minus, and words for what is no finite number. */
export function written(value, digits = 4) {
  if (!Number.isFinite(value)) return "too large";
  const size = Math.abs(value);
  if (size < 1e-300) return "0";
  const text = size >= 1e5 || size < 1e-3 ? value.toExponential(digits - 1) : value.toPrecision(digits);
  const [mantissa, exponent] = text.split("e");
  const short = mantissa.includes(".") ? mantissa.replace(/\.?0+$/, "") : mantissa;
  return (exponent ? `${short}e${exponent.replace("+", "")}` : short).replaceAll("-", "−");
}
