// What does one step of an optimizer do to a number? The rules of torch.optim, as pure arithmetic.
//
// rule(p, g, memory, options) -> the new memory, with the new p in it. Options have torch's names and meaning, and the
// arithmetic has torch's order, so that both agree to the last digits in float64.

/** @import { Rule, RuleOptions } from "./types.js" */

/** @type {(p: number, g: number, options: RuleOptions) => number} */
const descent = (p, g, { weight_decay = 0, maximize = false }) => (maximize ? -g : g) + weight_decay * p;

/**
 * Sutskever et al. 2013, in the form of torch.optim.SGD: buf = momentum buf + (1 - dampening) g.
 * @type {Rule}
 */
export function sgd(p, g, { buf = null }, options) {
  const { lr, momentum = 0, dampening = 0, nesterov = false } = options;
  const slope = descent(p, g, options);
  if (momentum === 0) return { p: p - lr * slope, buf: null };
  const moved = buf === null ? slope : momentum * buf + (1 - dampening) * slope;
  return { p: p - lr * (nesterov ? slope + momentum * moved : moved), buf: moved };
}

/**
 * Hinton 2012, lecture 6e; momentum and centered: Graves 2013.
 * @type {Rule}
 */
export function rmsprop(p, g, { v = 0, average = 0, buf = 0 }, options) {
  const { lr, alpha = 0.99, eps = 1e-8, momentum = 0, centered = false } = options;
  const slope = descent(p, g, options);
  const square = alpha * v + (1 - alpha) * slope * slope;
  const mean = centered ? average + (1 - alpha) * (slope - average) : average;
  const direction = slope / (Math.sqrt(centered ? square - mean * mean : square) + eps);
  const moved = momentum > 0 ? momentum * buf + direction : direction;
  return { p: p - lr * moved, v: square, average: mean, buf: moved };
}

/**
 * Duchi, Hazan & Singer 2011, diagonal form.
 * @type {Rule}
 */
export function adagrad(p, g, { t = 0, s = null }, options) {
  const { lr, lr_decay = 0, eps = 1e-10, initial_accumulator_value = 0 } = options;
  const slope = descent(p, g, options);
  const sum = (s ?? initial_accumulator_value) + slope * slope;
  return { p: p - (lr / (1 + t * lr_decay)) * (slope / (Math.sqrt(sum) + eps)), t: t + 1, s: sum };
}

/**
 * Kingma & Ba 2015, Algorithm 1; amsgrad: Reddi, Kale & Kumar 2018.
 * @type {Rule}
 */
export function adam(p, g, { t = 0, m = 0, v = 0, largest = 0 }, options) {
  const { lr, betas = [0.9, 0.999], eps = 1e-8, amsgrad = false } = options;
  const slope = descent(p, g, options);
  const [mean, square] = [m + (1 - betas[0]) * (slope - m), betas[1] * v + (1 - betas[1]) * slope * slope];
  const top = amsgrad ? Math.max(largest, square) : largest;
  const [correction1, correction2] = [1 - betas[0] ** (t + 1), 1 - betas[1] ** (t + 1)];
  const root = Math.sqrt(amsgrad ? top : square) / Math.sqrt(correction2) + eps;
  return { p: p - (lr / correction1) * (mean / root), t: t + 1, m: mean, v: square, largest: top };
}

/**
 * Loshchilov & Hutter 2019, Algorithm 2: the decay shrinks p itself and stays out of the averages.
 * @type {Rule}
 */
export function adamw(p, g, memory, options) {
  const { lr, weight_decay = 0.01 } = options;
  return adam(p * (1 - lr * weight_decay), g, memory, { ...options, weight_decay: 0 });
}

/**
 * Every rule under the name of its class in torch; a test compares them all with it.
 * @type {Record<string, Rule>}
 */
export const RULES = { SGD: sgd, RMSprop: rmsprop, Adagrad: adagrad, Adam: adam, AdamW: adamw };
