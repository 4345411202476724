// When is something done? Once a frame, at most so often, only if something is new, or when the hand has rested.

/** A question to ask before drawing: is anything that is to be drawn other than it was the last time? */
export function changes() {
  let last = "";
  /** @param {unknown[]} drawn */
  return (...drawn) => {
    const [now, before] = [JSON.stringify(drawn), last];
    last = now;
    return now !== before;
  };
}

/**
 * `draw` at most once per frame, however often it is asked for; the last state is always drawn.
 * @param {() => void} draw
 */
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

/**
 * `act` at once, and then at most every `restMs()`; the last wish is always done, by `now` at the latest.
 * @param {() => void} act
 * @param {() => number} restMs
 */
export function spaced(act, restMs) {
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let resting;
  let asked = false;
  const now = () => {
    clearTimeout(resting);
    resting = undefined;
    if (asked) ask();
  };
  const ask = () => {
    asked = resting !== undefined;
    if (asked) return;
    const rest = restMs();
    if (rest > 0) resting = setTimeout(now, rest);
    act();
  };
  return { ask, now };
}

/**
 * A line for screen readers that speaks when the hand has rested for a moment, not at every frame.
 * @param {Element} node
 */
export function calmLine(node, restMs = 1000) {
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let timer;
  let next = "";
  /** @param {string} text */
  const say = (text) => {
    if (text === next) return;
    next = text;
    clearTimeout(timer);
    timer = setTimeout(() => {
      node.textContent = next;
    }, restMs);
  };
  say.cancel = () => clearTimeout(timer);
  return say;
}
