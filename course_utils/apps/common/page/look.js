// How does the page around look? Its colours, and what the reader asks of every page: contrast, stillness.
import { luminance } from "./colors.js";

/** @import { Look } from "./types.js" */

const FORCED = "(forced-colors: active)";
const STILL = "(prefers-reduced-motion: reduce)";

/** @type {CanvasRenderingContext2D | null} */
let paint = null;

/**
 * Any CSS colour as "#rrggbb"; what is none, or is not opaque, is the other one.
 * @param {string} color
 * @param {string} otherwise
 */
function opaque(color, otherwise) {
  paint ??= document.createElement("canvas").getContext("2d");
  if (!paint) return otherwise;
  paint.fillStyle = otherwise;
  paint.fillStyle = color;
  return /^#[0-9a-f]{6}$/.test(paint.fillStyle) ? paint.fillStyle : otherwise;
}

/**
 * Colours of the theme around `root`, of a light page where there is none, or of the system where it forces its own.
 * @param {Element} root
 * @returns {Look}
 */
export function lookOf(root) {
  const forced = matchMedia(FORCED).matches;
  const style = getComputedStyle(root);
  /** @type {(variable: string, system: string, otherwise: string) => string} */
  const color = (variable, system, otherwise) =>
    opaque(forced ? system : style.getPropertyValue(variable).trim(), otherwise);
  const night = document.body.dataset.jpThemeLight === "false";
  const ground = color("--jp-layout-color0", "Canvas", night ? "#111111" : "#ffffff");
  const dark = luminance(ground) < 0.18;
  return {
    dark,
    still: matchMedia(STILL).matches,
    ink: color("--jp-content-font-color1", "CanvasText", dark ? "#f0f0f0" : "#222222"),
    pale: color("--jp-content-font-color2", "CanvasText", dark ? "#c0c0c0" : "#555555"),
    grid: opaque(forced ? "GrayText" : "", dark ? "#3c444d" : "#dde2e7"),
    ground,
    font: "15px system-ui, -apple-system, 'Segoe UI', sans-serif",
  };
}

/**
 * Call `changed` whenever JupyterLab or the system looks otherwise; returns how to stop.
 * @param {() => void} changed
 */
export function onLook(changed) {
  const observer = new MutationObserver(changed);
  observer.observe(document.body, { attributes: true, attributeFilter: ["data-jp-theme-light", "data-jp-theme-name"] });
  const queries = [FORCED, STILL].map((query) => matchMedia(query));
  for (const query of queries) query.addEventListener("change", changed);
  return () => {
    observer.disconnect();
    for (const query of queries) query.removeEventListener("change", changed);
  };
}
