// Which land is descended? The surfaces of the course and their gradients, as pure arithmetic.

/**
 * Loss and gradient at (x, y); the condition number k shapes the quadratic bowl only.
 * @typedef {object} Landscape
 * @property {(x: number, y: number, k: number) => number} loss
 * @property {(x: number, y: number, k: number) => [number, number]} gradient
 */

/** @type {(x: number, y: number) => number[]} */
const beale = (x, y) => [1.5 - x + x * y, 2.25 - x + x * y * y, 2.625 - x + x * y * y * y];

/** @type {Landscape} */
const bowl = {
  loss: (x, y, k) => (x * x + k * y * y) / 2,
  gradient: (x, y, k) => [x, k * y],
};

/** @type {Record<string, Landscape>} */
export const LANDSCAPES = {
  Quadratic: bowl,
  Ravine: { loss: (x, y) => bowl.loss(x, y, 20), gradient: (x, y) => bowl.gradient(x, y, 20) },
  Saddle: {
    loss: (x, y) => (x * x - 1) ** 2 / 4 + (y * y) / 2,
    gradient: (x, y) => [(x * x - 1) * x, y],
  },
  Rosenbrock: {
    loss: (x, y) => (1 - x) ** 2 + 100 * (y - x * x) ** 2,
    gradient: (x, y) => [-2 * (1 - x) - 400 * x * (y - x * x), 200 * (y - x * x)],
  },
  Beale: {
    loss: (x, y) => beale(x, y).reduce((sum, part) => sum + part * part, 0),
    gradient: (x, y) => {
      const [a, b, c] = beale(x, y);
      return [2 * (a * (y - 1) + b * (y * y - 1) + c * (y ** 3 - 1)), 2 * x * (a + 2 * b * y + 3 * c * y * y)];
    },
  },
};

/**
 * Contour levels in equal ratios, as course_utils.surfaces.quadratic has them.
 * @param {number} conditionNumber
 */
export function bowlLevels(conditionNumber, count = 12) {
  const [low, high] = [0.5, 0.95 * (50 + 8 * conditionNumber)];
  return Array.from({ length: count }, (_, i) => low * (high / low) ** (i / (count - 1)));
}
