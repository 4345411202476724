// Which shapes of data do all pages know? Typedefs alone; nothing of it reaches the browser.
export {};

/** @typedef {[number, number]} Pair a point, or the low and the high end of a range */

/**
 * What an anywidget module gets of its widget.
 * @typedef {object} Model
 * @property {(name: string) => any} get
 * @property {(name: string, value: unknown) => void} set
 * @property {() => void} save_changes
 * @property {(event: string, act: () => void) => void} on
 * @property {(event: string, act: () => void) => void} off
 */

/**
 * How the page has to look now: the colours of the theme around it, as "#rrggbb", and what the reader asks for.
 * @typedef {object} Look
 * @property {boolean} dark
 * @property {boolean} still whether nothing may move by itself
 * @property {string} ink of text and frames
 * @property {string} pale of labels
 * @property {string} grid
 * @property {string} ground what lies under everything
 * @property {string} font
 */

/** @typedef {{ left: number, top: number, width: number, height: number }} Box in CSS pixels */

/**
 * @typedef {object} Scales
 * @property {Pair} xlim
 * @property {Pair} ylim
 * @property {(value: number) => number} X where a value stands
 * @property {(value: number) => number} Y
 * @property {(place: number) => number} atX which value stands there
 * @property {(place: number) => number} atY
 */
/** @typedef {Box & Scales} Plot axes in a box */

/**
 * What the kernel answers: the number of the last wish that it has heard, and how things stand since then.
 * @typedef {object} Answer
 * @property {number} number
 * @property {Record<string, any>} settings
 * @property {Record<string, string>} refused words beside the control that they are about
 */
