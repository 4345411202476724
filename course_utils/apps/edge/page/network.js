// What does the network compute? Loss, gradient, and the Hessian times a vector, for a batch, in float64.
//
// Activations lie feature by feature, (features, images), so that every inner loop runs over images. The product with the
// Hessian is the derivative of the gradient along the vector (Pearlmutter 1994): each line of `product` is the derivative
// of the same line of `differentiate`.
import { addOuter, addTimes, addTimesTransposed, fillRows } from "./matrices.js";

/** @typedef {{ W: Float64Array, b: Float64Array }} Layer views of a flat row of weights */

/**
 * @typedef {object} Net
 * @property {number} size how many weights
 * @property {(weights: Float64Array) => number} loss mean over the batch
 * @property {(weights: Float64Array, gradient: Float64Array) => number} differentiate the loss; writes the gradient
 * @property {(vector: Float64Array, product: Float64Array) => void} product with the Hessian where `differentiate` was
 */

/**
 * Where layer l stands in a row of weights that torch's `parameters()` gives: W (out, in), then b (out).
 * @param {number[]} widths
 */
export const sizeOf = (widths) => widths.slice(1).reduce((sum, out, l) => sum + out * (widths[l] + 1), 0);

/**
 * @param {Float64Array} flat
 * @param {number[]} widths
 * @returns {Layer[]}
 */
export function layersOf(flat, widths) {
  let at = 0;
  const take = (/** @type {number} */ count) => flat.subarray(at, (at += count));
  return widths.slice(1).map((out, l) => ({ W: take(out * widths[l]), b: take(out) }));
}

/**
 * The network for one batch; `images` holds them one after the other.
 * @param {Float64Array} images
 * @param {ArrayLike<number>} labels
 * @param {number[]} widths
 * @returns {Net}
 */
export function makeNet(images, labels, widths) {
  const [n, depth] = [labels.length, widths.length - 1];
  const room = () => widths.map((width) => new Float64Array(width * n));
  const [A, G, U, RA, RG, RU] = [room(), room(), room(), room(), room(), room()];
  const P = new Float64Array(widths[depth] * n); // probabilities
  for (let k = 0; k < n; k++) for (let i = 0; i < widths[0]; i++) A[0][i * n + k] = images[k * widths[0] + i];
  /** @type {Layer[]} */
  let layers = [];

  const loss = (/** @type {Float64Array} */ weights) => {
    layers = layersOf(weights, widths);
    for (let l = 1; l <= depth; l++) {
      fillRows(A[l], layers[l - 1].b, n);
      addTimes(A[l], layers[l - 1].W, A[l - 1], n);
      if (l < depth) bend(A[l]);
    }
    return crossEntropy(A[depth], labels, P, n);
  };

  const differentiate = (/** @type {Float64Array} */ weights, /** @type {Float64Array} */ gradient) => {
    const mean = loss(weights);
    const grads = layersOf(gradient.fill(0), widths);
    for (let k = 0; k < P.length; k++) G[depth][k] = P[k] / n;
    for (let k = 0; k < n; k++) G[depth][labels[k] * n + k] -= 1 / n;
    for (let l = depth; l >= 1; l--) {
      addOuter(grads[l - 1], G[l], A[l - 1], n);
      if (l === 1) break;
      addTimesTransposed(U[l - 1].fill(0), layers[l - 1].W, G[l], n);
      throughTanh(G[l - 1], U[l - 1], A[l - 1]);
    }
    return mean;
  };

  /** How activations change along `V`. */
  const along = (/** @type {Layer[]} */ V) => {
    for (let l = 1; l <= depth; l++) {
      fillRows(RA[l], V[l - 1].b, n);
      addTimes(RA[l], V[l - 1].W, A[l - 1], n);
      if (l > 1) addTimes(RA[l], layers[l - 1].W, RA[l - 1], n);
      if (l < depth) throughTanh(RA[l], RA[l], A[l]);
    }
  };
  const product = (/** @type {Float64Array} */ vector, /** @type {Float64Array} */ out) => {
    const [V, sums] = [layersOf(vector, widths), layersOf(out.fill(0), widths)];
    along(V);
    softmaxAlong(RG[depth], P, RA[depth], n);
    for (let l = depth; l >= 1; l--) {
      addOuter(sums[l - 1], RG[l], A[l - 1], n);
      if (l === 1) break;
      addOuter({ W: sums[l - 1].W, b: null }, G[l], RA[l - 1], n);
      addTimesTransposed(RU[l - 1].fill(0), layers[l - 1].W, RG[l], n);
      addTimesTransposed(RU[l - 1], V[l - 1].W, G[l], n);
      const [a, ra, u] = [A[l - 1], RA[l - 1], U[l - 1]];
      for (let k = 0; k < a.length; k++) RG[l - 1][k] = RU[l - 1][k] * (1 - a[k] * a[k]) - 2 * u[k] * a[k] * ra[k];
    }
  };
  return { size: sizeOf(widths), loss, differentiate, product };
}

/**
 * The hyperbolic tangent, in place; by `exp`, which takes two thirds of the time of `Math.tanh`.
 * @param {Float64Array} z
 */
function bend(z) {
  for (let k = 0; k < z.length; k++) z[k] = 1 - 2 / (Math.exp(2 * z[k]) + 1);
}

/**
 * What of a change before a tanh comes out behind it, where the tanh is `a`.
 * @type {(out: Float64Array, before: Float64Array, a: Float64Array) => void}
 */
function throughTanh(out, before, a) {
  for (let k = 0; k < a.length; k++) out[k] = before[k] * (1 - a[k] * a[k]);
}

/**
 * The mean cross-entropy of scores (classes, n); writes the probabilities.
 * @type {(scores: Float64Array, labels: ArrayLike<number>, P: Float64Array, n: number) => number}
 */
function crossEntropy(scores, labels, P, n) {
  let sum = 0;
  for (let k = 0; k < n; k++) {
    let highest = Number.NEGATIVE_INFINITY;
    for (let at = k; at < scores.length; at += n) highest = Math.max(highest, scores[at]);
    let total = 0;
    for (let at = k; at < scores.length; at += n) total += P[at] = Math.exp(scores[at] - highest);
    for (let at = k; at < scores.length; at += n) P[at] /= total;
    sum += highest + Math.log(total) - scores[labels[k] * n + k];
  }
  return sum / n;
}

/**
 * By how much the gradient at the scores changes when the scores change by `R`: P (R - sum P R) / n.
 * @type {(out: Float64Array, P: Float64Array, R: Float64Array, n: number) => void}
 */
function softmaxAlong(out, P, R, n) {
  for (let k = 0; k < n; k++) {
    let mean = 0;
    for (let at = k; at < P.length; at += n) mean += P[at] * R[at];
    for (let at = k; at < P.length; at += n) out[at] = (P[at] * (R[at] - mean)) / n;
  }
}
