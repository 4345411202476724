// What runs in the worker? An engine for the images that its first message brings.
import { makeEngine } from "./engine.js";

/** @type {ReturnType<typeof makeEngine> | undefined} */
let engine;

// A message to itself waits behind the page's, and is there sooner than a timer.
const { port1, port2 } = new MessageChannel();
const rest = (/** @type {() => void} */ turn) => {
  port1.onmessage = turn;
  port2.postMessage(0);
};

addEventListener("message", ({ data: { data, order } }) => {
  if (data)
    engine = makeEngine(data, (news) => postMessage(news), rest); // biome-ignore format: one call
  else engine?.hear(order);
});
