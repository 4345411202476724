// How are layers multiplied fast? Four features at a time, the inner loop over images, and nothing allocated.

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
 * out (O, n) += W (O, I) input (I, n); I is a multiple of four.
 * @param {Float64Array} out
 * @param {Float64Array} W
 * @param {Float64Array} input
 * @param {number} n
 */
export function addTimes(out, W, input, n) {
  const [O, I] = [out.length / n, input.length / n];
  for (let o = 0; o < O; o++) {
    const row = o * n;
    for (let i = 0; i < I; i += 4) {
      const at = o * I + i;
      const [w0, w1, w2, w3] = [W[at], W[at + 1], W[at + 2], W[at + 3]];
      const a = i * n;
      const b = a + n;
      const c = b + n;
      const d = c + n;
      for (let k = 0; k < n; k++)
        out[row + k] += w0 * input[a + k] + w1 * input[b + k] + w2 * input[c + k] + w3 * input[d + k];
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
  for (let i = 0; i < I; i++) {
    const row = i * n;
    for (let o = 0; o < O; o += 2) {
      const [w0, w1] = [W[o * I + i], W[(o + 1) * I + i]];
      const a = o * n;
      const b = a + n;
      for (let k = 0; k < n; k++) out[row + k] += w0 * g[a + k] + w1 * g[b + k];
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
export function addOuter({ W, b }, g, input, n) {
  const [O, I] = [g.length / n, input.length / n];
  for (let o = 0; o < O; o++) {
    const row = o * n;
    for (let i = 0; i < I; i += 4) {
      let [s0, s1, s2, s3] = [0, 0, 0, 0];
      const a = i * n;
      const e = a + n;
      const c = e + n;
      const d = c + n;
      for (let k = 0; k < n; k++) {
        const value = g[row + k];
        s0 += value * input[a + k];
        s1 += value * input[e + k];
        s2 += value * input[c + k];
        s3 += value * input[d + k];
      }
      const at = o * I + i;
      W[at] += s0;
      W[at + 1] += s1;
      W[at + 2] += s2;
      W[at + 3] += s3;
    }
    if (b) for (let k = 0; k < n; k++) b[o] += g[row + k];
  }
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
