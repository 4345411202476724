// How is a number written for readers? With few digits, a real minus, and words for what is no finite number.

/** @param {number} value */
export function written(value, digits = 4) {
  if (!Number.isFinite(value)) return "too large";
  const size = Math.abs(value);
  if (size < 1e-300) return "0";
  const text = size >= 1e5 || size < 1e-3 ? value.toExponential(digits - 1) : value.toPrecision(digits);
  const [mantissa, exponent] = text.split("e");
  const short = mantissa.includes(".") ? mantissa.replace(/\.?0+$/, "") : mantissa;
  return (exponent ? `${short}e${exponent.replace("+", "")}` : short).replaceAll("-", "−");
}

/**
 * A number as one would type it.
 * @param {number} value
 */
export const typed = (value, digits = 4) => String(Number(value.toPrecision(digits)));

/** @param {number} value */
export const counted = (value) => value.toLocaleString("en-US");

/** @param {number} share */
export const percent = (share) => `${(100 * share).toFixed(0)}\u00a0%`;

/**
 * The value, or the end of the range that is nearest to it.
 * @param {number} value
 * @param {number} low
 * @param {number} high
 */
export const within = (value, low, high) => Math.min(high, Math.max(low, value));

const SUPERSCRIPTS = "⁰¹²³⁴⁵⁶⁷⁸⁹";

/**
 * A power of ten: 0.01, 1000, 10⁻⁷.
 * @param {number} value
 */
export function power(value) {
  const exponent = Math.round(Math.log10(value));
  if (Math.abs(exponent) <= 3) return String(Number((10 ** exponent).toPrecision(1)));
  const digits = [...String(Math.abs(exponent))].map((digit) => SUPERSCRIPTS[Number(digit)]).join("");
  return `10${exponent < 0 ? "⁻" : ""}${digits}`;
}
