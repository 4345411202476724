// How does the network train? Steps of SGD with momentum, and every few of them the sharpness, warm from the last one.
import { blend, dot } from "./matrices.js";
import { makeNet } from "./network.js";

/** @import { Net } from "./network.js" */
/** @import { Data, Settings, Training } from "./types.js" */

// Products for a measurement: the first knows no direction, and over the next ones the steepest direction still turns.
const AT_FIRST = 80;
const SOON = 12;
const LATER = 3;
const SETTLED = 8; // measurements
const LOST = 1e6; // a loss above it comes back no more

/**
 * The direction in which a Hessian curves most: climbs the Rayleigh quotient, one product a move.
 *
 * v and the part of Hv beside it span a plane; the direction of the plane that curves most is found in closed form. So it
 * rises to the largest eigenvalue, and never to the most negative one, as power iteration may. `v` is changed in place.
 * @param {Net["product"]} product
 * @param {Float64Array} v of length 1
 * @param {number} products
 */
export function sharpest(product, v, products) {
  const [image, beside, imageBeside] = [v.slice(), v.slice(), v.slice()];
  product(v, image);
  let value = dot(v, image);
  for (let used = 1; used < products; used++) {
    beside.set(image);
    blend(beside, 1, v, -value);
    const length = Math.sqrt(dot(beside, beside));
    if (!(length > 1e-12 * Math.abs(value))) break;
    blend(beside, 1 / length, beside, 0);
    product(beside, imageBeside);
    const other = dot(beside, imageBeside);
    const half = (other - value) / 2;
    const top = (value + other) / 2 + Math.hypot(half, length);
    // The eigenvector of [[value, length], [length, other]] for its larger eigenvalue.
    const norm = Math.hypot(length, top - value);
    blend(v, length / norm, beside, (top - value) / norm);
    blend(image, length / norm, imageBeside, (top - value) / norm);
    value = top;
  }
  blend(v, 1 / Math.sqrt(dot(v, v)), v, 0); // what rounding has added
  return value;
}

/**
 * A row of length 1 in no direction that means anything, the same every time.
 * @param {number} size
 */
export function someDirection(size) {
  const v = Float64Array.from({ length: size }, (_, k) => Math.sin(12.9898 * (k + 1) * (k + 1)));
  blend(v, 1 / Math.sqrt(dot(v, v)), v, 0);
  return v;
}

/**
 * The networks for all images, and for each batch of each size.
 * @param {Data} data
 */
export function netsOf({ images, labels, widths }) {
  const cut = (/** @type {number} */ from, /** @type {number} */ to) =>
    makeNet(images.subarray(from * widths[0], to * widths[0]), labels.slice(from, to), widths);
  const all = cut(0, labels.length);
  /** @type {Map<number, Net[]>} */
  const made = new Map([[labels.length, [all]]]);
  /** @param {number} size */
  const batches = (size) => {
    const found =
      made.get(size) ?? Array.from({ length: labels.length / size }, (_, i) => cut(i * size, (i + 1) * size));
    made.set(size, found);
    return found;
  };
  return { all, batches };
}

/**
 * @param {Data} data
 * @param {ReturnType<typeof netsOf>} nets
 */
export function makeTraining(data, nets) {
  const weights = data.weights.slice();
  const [gradient, velocity] = [new Float64Array(weights.length), new Float64Array(weights.length)];
  const [direction, probe] = [someDirection(weights.length), new Float64Array(weights.length)];
  /** @type {Training} */
  const told = { step: 0, losses: [], sharpness: [], limits: [], lost: false };

  /**
   * The loss before the step, its sharpness where that is due, and the step.
   * @param {Settings} settings
   */
  const advance = ({ lr, momentum, batch_size }) => {
    if (told.lost) return;
    const loss = nets.all.differentiate(weights, gradient);
    told.losses.push(loss);
    if (!(loss < LOST)) {
      told.lost = true;
      return;
    }
    if (told.step % data.every === 0) {
      const products = told.sharpness.length ? (told.sharpness.length < SETTLED ? SOON : LATER) : AT_FIRST;
      told.sharpness.push(sharpest(nets.all.product, direction, products));
      told.limits.push((2 * (1 + momentum)) / lr);
    }
    const batches = nets.batches(batch_size);
    if (batches.length > 1) batches[told.step % batches.length].differentiate(weights, gradient);
    blend(velocity, momentum, gradient, 1);
    blend(weights, 1, velocity, -lr);
    told.step += 1;
  };

  /**
   * The loss at places along the steepest direction, and by how much the next step moves along it.
   * @param {number[]} places
   * @param {Settings} settings
   */
  const along = (places, { lr, momentum }) => {
    const here = nets.all.differentiate(weights, gradient);
    const slope = dot(direction, gradient);
    const move = -lr * (slope + momentum * dot(direction, velocity));
    const losses = places.map((place) => {
      probe.set(weights);
      blend(probe, 1, direction, place);
      return nets.all.loss(probe);
    });
    return { here, slope, move, losses };
  };
  return { told, advance, along, weights, direction };
}

/** @typedef {ReturnType<typeof makeTraining>} Trainer */
