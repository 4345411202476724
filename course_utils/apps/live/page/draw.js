// How does a training look? Loss and accuracy on canvases, from numbers that the kernel has thinned out.
// @ts-nocheck
import { axes, colorOf, inside } from "../../race/page/draw.js";

const BOX = { left: 58, right: 14, top: 14, bottom: 32 };

/** The numbers of a message as arrays; steps are `every` apart. */
export function readTraining(progress) {
  const floats = (view) => new Float32Array(view.buffer.slice(view.byteOffset, view.byteOffset + view.byteLength));
  return { ...progress, losses: floats(progress.losses), smoothed: floats(progress.smoothed) };
}

/** Loss of every batch, pale, and smoothed, in the colour of the optimizer that made the steps. */
export function drawTraining(context, width, height, { training, facts, look }) {
  context.clearRect(0, 0, width, height);
  const guess = Math.log(facts.classes.length);
  const plot = axes(inside(width, height, BOX), [0, longEnough(training.steps)], [0, lossTop(training, guess)]);
  drawScale(context, plot, look, { yName: "loss", label: (value) => String(Number(value.toPrecision(3))) });
  drawLevel(context, plot, guess, `guessing: ${guess.toFixed(3)}`, look);
  context.save();
  context.beginPath();
  context.rect(plot.left, plot.top - 2, plot.width, plot.height + 2);
  context.clip();
  const at = (index) => plot.X(index * training.every);
  Object.assign(context, {
    strokeStyle: look.dark ? "rgba(200, 214, 230, 0.34)" : "rgba(70, 90, 115, 0.30)",
    lineWidth: 1.1,
  });
  context.stroke(trail(training.losses, at, plot.Y));
  for (const [from, to, name] of spells(training)) {
    Object.assign(context, { strokeStyle: nameColor(name, facts, look), lineWidth: 3, lineJoin: "round" });
    context.stroke(trail(training.smoothed.slice(from, to + 1), (index) => at(from + index), plot.Y));
  }
  context.restore();
  drawMarks(context, plot, training.marks, look);
}

/** Share of test images classified rightly, each time it was measured. */
export function drawAccuracy(context, width, height, { training, facts, look }) {
  context.clearRect(0, 0, width, height);
  const best = Math.max(...training.exams.map(([, share]) => share));
  const plot = axes(
    inside(width, height, BOX),
    [0, longEnough(training.steps)],
    [0, Math.min(1, Math.max(0.4, best * 1.2))],
  );
  const label = (value) => `${Math.round(100 * value)} %`;
  drawScale(context, plot, look, { xName: "step", yName: "test", label, most: 4 });
  drawLevel(context, plot, 1 / facts.classes.length, "guessing", look);
  const color = look.dark ? "#7fd3a0" : facts.colors.right;
  Object.assign(context, { strokeStyle: color, fillStyle: color, lineWidth: 2.4 });
  const shares = training.exams.map(([, share]) => share);
  context.stroke(trail(shares, (index) => plot.X(training.exams[index][0]), plot.Y));
  const every = Math.ceil(training.exams.length / 60);
  training.exams.forEach(([step, share], index) => {
    if (index % every && index < training.exams.length - 1) return;
    context.beginPath();
    context.arc(plot.X(step), plot.Y(share), 4, 0, 7);
    context.fill();
  });
}

/** Put image `number` on a canvas of 32 x 32 pixels. */
export function paintImage(canvas, images, number) {
  [canvas.width, canvas.height] = [32, 32];
  const image = new ImageData(32, 32);
  for (let i = 0; i < 1024; i++) {
    for (let c = 0; c < 3; c++) image.data[4 * i + c] = images.getUint8(3072 * number + 3 * i + c);
    image.data[4 * i + 3] = 255;
  }
  canvas.getContext("2d").putImageData(image, 0, 0);
}

/** A length for the step axis that grows in jumps, so that the curve does not shrink at every redraw. */
function longEnough(steps) {
  let length = 50;
  while (length < steps) length = Math.ceil(length * 1.3);
  return length;
}

function lossTop({ smoothed }, guess) {
  const highest = smoothed.reduce((top, value) => Math.max(top, value), 0);
  return Math.min(Math.max(1.25 * guess, 1.2 * highest), 4 * guess);
}

/** Stretches of one optimizer as [first, last, name], in places of the thinned curve. */
function spells({ marks, optimizer, smoothed, every }) {
  const swaps = marks.filter(({ what }) => what === "optimizer");
  const starts = [0, ...swaps.map(({ step }) => Math.floor(step / every))];
  const names = [swaps[0]?.before ?? optimizer, ...swaps.map(({ after }) => after)];
  return starts.map((from, i) => [from, Math.min(starts[i + 1] ?? Infinity, smoothed.length - 1), names[i]]);
}

const nameColor = (name, facts, look) => (name in facts.colors ? colorOf(name, facts, look) : look.ink);

/** A line through values; what is no finite number is a gap. */
function trail(values, X, Y) {
  const trace = new Path2D();
  let drawing = false;
  values.forEach((value, index) => {
    if (Number.isFinite(value)) trace[drawing ? "lineTo" : "moveTo"](X(index), Y(value));
    drawing = Number.isFinite(value);
  });
  return trace;
}

function roundSteps(high, most) {
  const unit = 10 ** Math.floor(Math.log10(high / most));
  const step = unit * [1, 2, 5, 10].find((factor) => factor * unit >= high / most);
  return Array.from({ length: Math.floor(high / step + 1e-9) + 1 }, (_, i) => i * step);
}

function drawScale(context, plot, look, { xName = "", yName, label, most = 5 }) {
  const { left, top, width, height } = plot;
  Object.assign(context, {
    font: look.font,
    strokeStyle: look.grid,
    lineWidth: 1,
    textBaseline: "middle",
    textAlign: "right",
  });
  for (const value of roundSteps(plot.ylim[1], most)) {
    context.stroke(new Path2D(`M${left} ${plot.Y(value)}h${width}`));
    context.fillStyle = look.pale;
    if (plot.Y(value) > top + 24) context.fillText(label(value), left - 7, plot.Y(value));
  }
  context.textAlign = "center";
  for (const value of roundSteps(plot.xlim[1], width / 90)) {
    if (plot.X(value) < left + width - 44)
      context.fillText(value.toLocaleString("en-US"), plot.X(value), top + height + 17);
  }
  context.strokeRect(left, top, width, height);
  Object.assign(context, { fillStyle: look.ink, textAlign: "right" });
  context.fillText(xName || "step", left + width, top + height + 17);
  context.fillText(yName, left - 7, top + 8);
}

function drawLevel(context, plot, level, text, look) {
  Object.assign(context, { strokeStyle: look.pale, fillStyle: look.pale, lineWidth: 1.3, font: look.font });
  context.setLineDash([2, 4]);
  context.stroke(new Path2D(`M${plot.left} ${plot.Y(level)}h${plot.width}`));
  context.setLineDash([]);
  Object.assign(context, { textAlign: "right", textBaseline: "bottom" });
  context.fillText(text, plot.left + plot.width - 6, plot.Y(level) - 2);
}

/** An upright line at each change; its words in the first of three rows that has room, or none. */
function drawMarks(context, plot, marks, look) {
  const ends = [-Infinity, -Infinity, -Infinity];
  for (const { step, text } of marks) {
    const x = plot.X(step);
    Object.assign(context, { strokeStyle: look.ink, lineWidth: 1.3, font: look.font, textBaseline: "middle" });
    context.setLineDash([5, 3]);
    context.stroke(new Path2D(`M${x} ${plot.top}v${plot.height}`));
    context.setLineDash([]);
    const width = context.measureText(text).width;
    const left = Math.min(x + 6, plot.left + plot.width - width - 4);
    const row = ends.findIndex((end) => end < left - 8);
    if (row < 0) continue;
    ends[row] = left + width;
    Object.assign(context, {
      textAlign: "left",
      fillStyle: look.ink,
      strokeStyle: look.ground,
      lineWidth: 4,
      lineJoin: "round",
    });
    const y = plot.top + plot.height - 14 - 20 * row;
    context.strokeText(text, left, y);
    context.fillText(text, left, y);
  }
}
