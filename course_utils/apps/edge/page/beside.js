// Where does the engine run? In a thread of its own, so that drawing and steps do not wait for each other; where a
// notebook's page allows no worker, in the page itself, between two frames.
import code from "worker:./worker.js";
import { makeEngine } from "./engine.js";

/** @import { Data, News, Order } from "./types.js" */

const REST_MS = 7; // within the page, for drawing

/**
 * @param {Data} data
 * @param {(news: News) => void} tell
 */
export function startEngine(data, tell) {
  /** @type {Order[]} */
  let unanswered = [];
  let engine = inWorker((news) => {
    unanswered = [];
    tell(news);
  });
  /** @param {(news: News) => void} answered */
  function inWorker(answered) {
    try {
      const address = URL.createObjectURL(new Blob([code], { type: "text/javascript" }));
      const worker = new Worker(address);
      worker.postMessage({ data });
      worker.onmessage = ({ data: news }) => answered(news);
      worker.onerror = () => {
        engine = inPage();
        for (const order of unanswered.splice(0)) engine.hear(order);
      };
      const stop = () => {
        worker.terminate();
        URL.revokeObjectURL(address);
      };
      return { hear: (/** @type {Order} */ order) => worker.postMessage({ order }), stop };
    } catch {
      return inPage();
    }
  }
  function inPage() {
    return makeEngine(data, tell, (turn) => setTimeout(turn, REST_MS));
  }
  const hear = (/** @type {Order} */ order) => {
    unanswered.push(order);
    engine.hear(order);
  };
  return { hear, stop: () => engine.stop() };
}
