// Which path does an optimizer take? The rules of torch.optim and the surfaces of the course, as pure arithmetic.
// @ts-nocheck
//
// A rule moves one number: rule(p, g, memory, options) -> the new memory, with the new p in it. Options have torch's
// names and meaning, and the arithmetic has torch's order, so that both agree to the last digits in float64.

const descent = (p, g, { weight_decay = 0, maximize = false }) => (maximize ? -g : g) + weight_decay * p;

/** Sutskever et al. 2013, in the form of torch.optim.SGD: buf = momentum buf + (1 - dampening) g. */
export function sgd(p, g, { buf = null }, options) {
  const { lr, momentum = 0, dampening = 0, nesterov = false } = options;
  const slope = descent(p, g, options);
  if (momentum === 0) return { p: p - lr * slope, buf: null };
  const moved = buf === null ? slope : momentum * buf + (1 - dampening) * slope;
  return { p: p - lr * (nesterov ? slope + momentum * moved : moved), buf: moved };
}

/** Hinton 2012, lecture 6e; momentum and centered: Graves 2013. */
export function rmsprop(p, g, { v = 0, average = 0, buf = 0 }, options) {
  const { lr, alpha = 0.99, eps = 1e-8, momentum = 0, centered = false } = options;
  const slope = descent(p, g, options);
  const square = alpha * v + (1 - alpha) * slope * slope;
  const mean = centered ? average + (1 - alpha) * (slope - average) : average;
  const direction = slope / (Math.sqrt(centered ? square - mean * mean : square) + eps);
  const moved = momentum > 0 ? momentum * buf + direction : direction;
  return { p: p - lr * moved, v: square, average: mean, buf: moved };
}

/** Duchi, Hazan & Singer 2011, diagonal form. */
export function adagrad(p, g, { t = 0, s = null }, options) {
  const { lr, lr_decay = 0, eps = 1e-10, initial_accumulator_value = 0 } = options;
  const slope = descent(p, g, options);
  const sum = (s ?? initial_accumulator_value) + slope * slope;
  return { p: p - (lr / (1 + t * lr_decay)) * (slope / (Math.sqrt(sum) + eps)), t: t + 1, s: sum };
}

/** Kingma & Ba 2015, Algorithm 1; amsgrad: Reddi, Kale & Kumar 2018. */
export function adam(p, g, { t = 0, m = 0, v = 0, largest = 0 }, options) {
  const { lr, betas = [0.9, 0.999], eps = 1e-8, amsgrad = false } = options;
  const slope = descent(p, g, options);
  const [mean, square] = [m + (1 - betas[0]) * (slope - m), betas[1] * v + (1 - betas[1]) * slope * slope];
  const top = amsgrad ? Math.max(largest, square) : largest;
  const [correction1, correction2] = [1 - betas[0] ** (t + 1), 1 - betas[1] ** (t + 1)];
  const root = Math.sqrt(amsgrad ? top : square) / Math.sqrt(correction2) + eps;
  return { p: p - (lr / correction1) * (mean / root), t: t + 1, m: mean, v: square, largest: top };
}

/** Loshchilov & Hutter 2019, Algorithm 2: the decay shrinks p itself and stays out of the averages. */
export function adamw(p, g, memory, options) {
  const { lr, weight_decay = 0.01 } = options;
  return adam(p * (1 - lr * weight_decay), g, memory, { ...options, weight_decay: 0 });
}

const beale = (x, y) => [1.5 - x + x * y, 2.25 - x + x * y * y, 2.625 - x + x * y * y * y];
const bowl = {
  loss: (x, y, k) => (x * x + k * y * y) / 2,
  gradient: (x, y, k) => [x, k * y],
};

/** loss(x, y, condition number) and gradient(x, y, condition number) of every surface. */
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

/** The rule of a racer and its options in the present state. */
export function racer(name, state) {
  const { momentum, dampening, alpha, weight_decay } = state;
  const options = { lr: state.lr[name], weight_decay };
  const betas = [state.beta1, state.beta2];
  return {
    SGD: [sgd, options],
    Momentum: [sgd, { ...options, momentum, dampening }],
    Nesterov: [sgd, { ...options, momentum, nesterov: true }],
    RMSprop: [rmsprop, { ...options, alpha }],
    Adagrad: [adagrad, options],
    Adam: [adam, { ...options, betas }],
    AdamW: [adamw, { ...options, betas }],
  }[name];
}

const isOn = ([x, y], { xlim, ylim }) => x >= xlim[0] && x <= xlim[1] && y >= ylim[0] && y <= ylim[1];

/** From `start`: points, losses, and the first step outside the map, the step after which it stays outside, or null. */
export function descend(rule, options, landscape, map, { start, steps, condition_number: k }) {
  let [x, y] = start;
  let [memoryX, memoryY] = [{}, {}];
  const points = [[x, y]];
  const losses = [landscape.loss(x, y, k)];
  let divergedAt = null;
  for (let step = 1; step <= steps; step++) {
    const [gx, gy] = landscape.gradient(x, y, k);
    [memoryX, memoryY] = [rule(x, gx, memoryX, options), rule(y, gy, memoryY, options)];
    [x, y] = [memoryX.p, memoryY.p];
    const loss = landscape.loss(x, y, k);
    if (!Number.isFinite(x) || !Number.isFinite(y) || !Number.isFinite(loss)) {
      divergedAt = step;
      break;
    }
    points.push([x, y]);
    losses.push(loss);
  }
  const outside = points.findIndex((point) => !isOn(point, map));
  const lastOn = points.findLastIndex((point) => isOn(point, map));
  const gone = lastOn < points.length - 1 || divergedAt !== null;
  const leftMapAt = outside < 0 ? divergedAt : outside;
  return { points, losses, leftMapAt, leftForGoodAt: gone ? lastOn + 1 : null, divergedAt };
}

/** One step of a racer in full: point and memory before it, gradient, and memory after it; null if there is none. */
export function stepInFull(name, state, path, step) {
  if (step < 1 || step >= path.points.length) return null;
  const [rule, options] = racer(name, state);
  const { gradient } = LANDSCAPES[state.surface];
  let [before, g, after] = [null, null, [{}, {}]];
  for (let k = 0; k < step; k++) {
    before = after;
    g = gradient(...path.points[k], state.condition_number);
    after = [0, 1].map((axis) => rule(path.points[k][axis], g[axis], before[axis], options));
  }
  return { options, point: path.points[step - 1], gradient: g, before, after };
}

/** Contour levels in equal ratios, as course_utils.surfaces.quadratic has them. */
export function bowlLevels(condition_number, count = 12) {
  const [low, high] = [0.5, 0.95 * (50 + 8 * condition_number)];
  return Array.from({ length: count }, (_, i) => low * (high / low) ** (i / (count - 1)));
}
