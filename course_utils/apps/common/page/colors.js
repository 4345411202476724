// Can this colour be seen on that ground? Contrast as WCAG 2.1 measures it, and the nearest colour that has enough.

/** @typedef {[number, number, number]} Rgb 0 to 255 */

/**
 * @param {string} color "#rrggbb"
 * @returns {Rgb}
 */
export const rgb = (color) => [
  Number.parseInt(color.slice(1, 3), 16),
  Number.parseInt(color.slice(3, 5), 16),
  Number.parseInt(color.slice(5, 7), 16),
];

/** @param {number[]} parts */
const hex = (parts) => `#${parts.map((part) => Math.round(part).toString(16).padStart(2, "0")).join("")}`;

/** @param {string} color */
export function luminance(color) {
  const [red, green, blue] = rgb(color).map((part) => {
    const share = part / 255;
    return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
}

/**
 * From 1 (the same) to 21 (black on white).
 * @param {string} color
 * @param {string} ground
 */
export function contrast(color, ground) {
  const [low, high] = [luminance(color), luminance(ground)].sort((a, b) => a - b);
  return (high + 0.05) / (low + 0.05);
}

/** What a line needs beside its ground (WCAG 2.1, 1.4.11), and a little more for what is rounded away. */
export const ENOUGH = 3.05;

/** @type {Map<string, string>} */
const known = new Map();

/**
 * The colour itself where it has contrast enough on the ground; else with so much white (on dark) or black as it takes.
 * Black on dark becomes white: a grey would be one colour among others.
 * @param {string} color
 * @param {string} ground
 */
export function legible(color, ground) {
  const key = color + ground;
  let found = known.get(key);
  if (found === undefined) {
    const end = luminance(ground) < 0.18 ? 255 : 0;
    const step = new Set(rgb(color)).size > 1 ? 0.02 : 1;
    found = color;
    for (let share = step; contrast(found, ground) < ENOUGH && share <= 1; share += step) {
      found = hex(rgb(color).map((part) => part + share * (end - part)));
    }
    known.set(key, found);
  }
  return found;
}

/**
 * The colour as a canvas takes it, only so much of it.
 * @param {string} color
 * @param {number} share
 */
export const veiled = (color, share) => `rgba(${rgb(color).join()},${share})`;
