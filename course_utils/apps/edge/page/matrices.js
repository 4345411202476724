// How are layers multiplied fast? Two features with four, the inner loop over images: what is read serves eight products.
// So the widths of layers are even, and all but the last are multiples of four.

/**
 * Fill each row (of n images) with its bias.
 * @param {Float64Array} out
 * @param {Float64Array} bias
 * @param {number} n
 */
export function fillRows(out, bias, n) {
  for (let o = 0; o < bias.length; o++) out.fill(bias[o], o * n, (o + 1) * n);
}

/**
 * out (O, n) += W (O, I) input (I, n).
 * @param {Float64Array} out
 * @param {Float64Array} W
 * @param {Float64Array} input
 * @param {number} n
 */
export function addTimes(out, W, input, n) {
  const [O, I] = [out.length / n, input.length / n];
  for (let o = 0; o < O; o += 2) {
    const [p, q] = [o * n, o * n + n];
    for (let i = 0; i < I; i += 4) {
      const [u0, u1, u2, u3, v0, v1, v2, v3] = block(W, o * I + i, I);
      const a = i * n;
      const b = a + n;
      const c = b + n;
      const d = c + n;
      for (let k = 0; k < n; k++) {
        const x0 = input[a + k];
        const x1 = input[b + k];
        const x2 = input[c + k];
        const x3 = input[d + k];
        out[p + k] += u0 * x0 + u1 * x1 + u2 * x2 + u3 * x3;
        out[q + k] += v0 * x0 + v1 * x1 + v2 * x2 + v3 * x3;
      }
    }
  }
}

/**
 * out (I, n) += W^T (I, O) g (O, n).
 * @param {Float64Array} out
 * @param {Float64Array} W
 * @param {Float64Array} g
 * @param {number} n
 */
export function addTimesTransposed(out, W, g, n) {
  const [I, O] = [out.length / n, g.length / n];
  for (let i = 0; i < I; i += 4) {
    const a = i * n;
    const b = a + n;
    const c = b + n;
    const d = c + n;
    for (let o = 0; o < O; o += 2) {
      const [u0, u1, u2, u3, v0, v1, v2, v3] = block(W, o * I + i, I);
      const [p, q] = [o * n, o * n + n];
      for (let k = 0; k < n; k++) {
        const x = g[p + k];
        const y = g[q + k];
        out[a + k] += u0 * x + v0 * y;
        out[b + k] += u1 * x + v1 * y;
        out[c + k] += u2 * x + v2 * y;
        out[d + k] += u3 * x + v3 * y;
      }
    }
  }
}

/**
 * W (O, I) += g (O, n) input^T (n, I), and b (O) += the sum of g over the images.
 * @param {{ W: Float64Array, b: Float64Array | null }} layer
 * @param {Float64Array} g
 * @param {Float64Array} input
 * @param {number} n
 */
export function addOuter({ W, b: bias }, g, input, n) {
  const [O, I] = [g.length / n, input.length / n];
  for (let o = 0; o < O; o += 2) {
    const [p, q] = [o * n, o * n + n];
    for (let i = 0; i < I; i += 4) {
      let [s0, s1, s2, s3, t0, t1, t2, t3] = [0, 0, 0, 0, 0, 0, 0, 0];
      const a = i * n;
      const b = a + n;
      const c = b + n;
      const d = c + n;
      for (let k = 0; k < n; k++) {
        const x = g[p + k];
        const y = g[q + k];
        s0 += x * input[a + k];
        s1 += x * input[b + k];
        s2 += x * input[c + k];
        s3 += x * input[d + k];
        t0 += y * input[a + k];
        t1 += y * input[b + k];
        t2 += y * input[c + k];
        t3 += y * input[d + k];
      }
      addBlock(W, o * I + i, I, [s0, s1, s2, s3, t0, t1, t2, t3]);
    }
  }
  if (bias) for (let o = 0; o < O; o++) for (let k = 0; k < n; k++) bias[o] += g[o * n + k];
}

/**
 * The weights of two features that they give to four others.
 * @type {(W: Float64Array, at: number, I: number) => number[]}
 */
const block = (W, at, I) =>
  [W[at], W[at + 1], W[at + 2], W[at + 3], W[at + I], W[at + I + 1], W[at + I + 2], W[at + I + 3]]; // biome-ignore format: one call

/** @type {(W: Float64Array, at: number, I: number, more: number[]) => void} */
function addBlock(W, at, I, more) {
  for (let k = 0; k < 8; k++) W[at + (k < 4 ? k : I + k - 4)] += more[k];
}

/**
 * @param {Float64Array} a
 * @param {Float64Array} b
 */
export function dot(a, b) {
  let sum = 0;
  for (let k = 0; k < a.length; k++) sum += a[k] * b[k];
  return sum;
}

/**
 * a = s a + t b, in place.
 * @param {Float64Array} a
 * @param {number} s
 * @param {Float64Array} b
 * @param {number} t
 */
export function blend(a, s, b, t) {
  for (let k = 0; k < a.length; k++) a[k] = s * a[k] + t * b[k];
}
