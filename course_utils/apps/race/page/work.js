// What happens in one step? Its arithmetic in a table, with the numbers of this very step.
import { element, options, update } from "../../common/page/elements.js";
import { written } from "../../common/page/numbers.js";
import { changes } from "../../common/page/timing.js";
import { pathOf, stepInFull } from "./run.js";
import { arithmetic, whyNone } from "./words.js";

/** @import { Race } from "./toolbar.js" */
/** @import { Row, Scene } from "./types.js" */

/** @param {Race} race */
export function makeWork({ set, facts }) {
  const onchange = () => set({ chosen: chooser.value });
  const about = { "aria-label": "optimizer whose step is written out", onchange };
  const chooser = element("select", about, ...options(Object.keys(facts.algorithms)));
  const title = element("span");
  const body = element("tbody");
  const symbol = element("span", { class: "only-heard" }, "symbol");
  const columns = [symbol, "rule", "x", "y"].map((name) => element("th", { scope: "col" }, name));
  const head = element("thead", {}, element("tr", {}, ...columns));
  const table = element("table", { "aria-label": "the step in numbers" }, head, body);
  const note = element("p", { class: "hint" });
  const line = element("div", { class: "title" }, title, chooser);
  const node = element("section", { class: "work", "aria-label": "one step in numbers" }, line, table, note);
  const newRows = changes();
  const show = (/** @type {Scene} */ { state }) => {
    const algorithm = facts.algorithms[state.chosen];
    chooser.value = state.chosen;
    const path = pathOf(algorithm, state, facts.surfaces[state.surface]);
    const full = stepInFull(algorithm, state, path, state.step);
    update(title, state.step === 0 ? "Before the first step of" : `${full ? "Step" : "No step"} ${state.step} of`);
    update(note, full ? "" : whyNone(state, path));
    table.hidden = !full;
    const rows = full ? arithmetic(algorithm.rule, full) : [];
    if (newRows(rows)) writeRows(body, rows);
  };
  return { node, show };
}

/**
 * The rows of the table; where their number stays, only the texts change.
 * @param {HTMLElement} body
 * @param {Row[]} rows
 */
function writeRows(body, rows) {
  if (body.children.length !== rows.length) body.replaceChildren(...rows.map(emptyRow));
  for (const [number, { symbol, rule, texts, values }] of rows.entries()) {
    const [head, meaning, ...cells] = body.children[number].children;
    update(head, symbol);
    update(meaning, rule);
    for (const [axis, { children }] of cells.entries()) {
      update(children[0], texts[axis] ? `${texts[axis]} = ` : "");
      update(children[1], written(values[axis]));
    }
  }
}

function emptyRow() {
  const cells = [0, 1].map(() => element("td", {}, element("span"), element("b")));
  return element("tr", {}, element("th", { scope: "row" }), element("td", { class: "rule" }), ...cells);
}
