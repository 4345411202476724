// How does a playground come onto the page? One root, one drawing a frame, one line that speaks, and a way to leave.
import { conversation } from "./conversation.js";
import { element, update } from "./elements.js";
import { lookOf, onLook } from "./look.js";
import { calmLine, oncePerFrame } from "./timing.js";

/** @import { Conversation, Manner } from "./conversation.js" */
/** @import { Look, Model } from "./types.js" */

/**
 * What a wing makes of its page.
 * @typedef {object} Page
 * @property {Node[]} nodes
 * @property {(look: Look) => string | null} draw draws everything, and returns what is worth hearing of it, or null
 *   while the page is hidden, where nothing has a size
 * @property {string[]} [watched] names of traits beside the answer whose change is to be drawn
 * @property {() => void} [stop]
 */

/**
 * @typedef {object} Wing
 * @property {string} name of its style
 * @property {string} label
 * @property {(model: Model) => Manner} [manner] of its conversation
 */

const LATE =
  "The kernel has not answered for a second: a cell may be running, or the kernel is gone. " +
  "What you set stays here, and is done when it answers.";

/**
 * The `render` of an anywidget module.
 * @param {Wing} wing
 * @param {(parts: { model: Model, facts: any, talk: Conversation, redraw: () => void }) => Page} make
 */
export function mounted({ name, label, manner }, make) {
  return (/** @type {{ model: Model, el: HTMLElement }} */ { model, el }) => {
    const root = element("div", { class: `course-app ${name}`, role: "group", "aria-label": label });
    const notice = element("p", { class: "notice", hidden: true });
    const spoken = element("p", { class: "only-heard", role: "status" });
    const say = calmLine(spoken);
    /** @type {Look | null} */
    let look = null;
    /** @type {ReturnType<typeof setTimeout> | undefined} */
    let later;
    const redraw = oncePerFrame(() => {
      clearTimeout(later);
      const words = page.draw((look ??= lookOf(root)));
      const said = talk.isLate() ? LATE : Object.values(talk.refused()).join(" ");
      update(notice, talk.isLate() ? LATE : "");
      notice.hidden = !talk.isLate();
      // JupyterLab hides the page while it changes its theme: what could not be drawn then is drawn a little later.
      if (words === null) later = setTimeout(redraw, 250);
      else say(said || words);
    });
    const talk = conversation(model, redraw, manner?.(model));
    const page = make({ model, facts: model.get("_facts"), talk, redraw });
    root.append(...page.nodes, notice, spoken);
    keepKeys(root);
    el.append(root);
    const watched = (page.watched ?? []).map((trait) => `change:${trait}`);
    for (const event of watched) model.on(event, redraw);
    const resized = new ResizeObserver(redraw);
    resized.observe(root);
    const forget = onLook(() => {
      look = null;
      redraw();
    });
    return () => {
      for (const event of watched) model.off(event, redraw);
      resized.disconnect();
      forget();
      redraw.cancel();
      clearTimeout(later);
      say.cancel();
      page.stop?.();
      talk.stop();
    };
  };
}

/**
 * Keep keys inside the app: JupyterLab would swallow arrows, and "dd" would delete the cell. Those with Ctrl or Meta,
 * such as saving, are JupyterLab's and the browser's.
 * @param {HTMLElement} root
 */
function keepKeys(root) {
  root.addEventListener("keydown", (event) => {
    if (!event.ctrlKey && !event.metaKey) event.stopPropagation();
  });
}
