// Runs beside the drawing canvas. The canvas reports a stroke only some time after it has ended; the companion sends it as points
// while it is being drawn. It also resizes the canvas and hides its toolbar, which is invisible on touch screens but catches
// touches. If the canvas cannot be reached, the page works without the companion.
//
// Both see the same strokes: the canvas hears of the buttons and fingers that the companion follows, and of no others. Where the
// canvas has a stroke otherwise than it was drawn, the companion asks Python to set the canvas to the stroke that it saw.

// How to reach inside the canvas component, which promises none of this: tests/browser/test_compat.py checks each.
const DRAWING_SURFACE = "canvas.upper-canvas"; // within a shadow root
const byKey = (key) => `.st-key-${key}`; // Streamlit's class for the element of this key
const APP = "[data-testid=stApp]"; // says in its attributes whether there is a connection
const CONNECTION = "data-test-connection-state";
const STYLE = `
  .dc-toolbar { display: none !important; }
  .dc-container, canvas { width: var(--side) !important; height: var(--side) !important; border-radius: 6px; }
  .dc-canvas { outline: 1px solid color-mix(in srgb, currentColor 25%, transparent); }
  .upper-canvas { touch-action: none !important; }`;

const MIN_INTERVAL = 50; // ms between two messages, if Python has answered the first
const MAX_INTERVAL = 500; // if it has not
const REPORT_DELAY = 180; // ms after a stroke's end in which the canvas does not report it yet
const REPORT_TIME = 2000; // ms after which the canvas has reported every stroke that it has
const END_TIME = 50; // ms after which the canvas has heard of a stroke's end, unless it misses it
const PINCH_LENGTH = 30; // pixels: a shorter stroke when a second finger comes was the beginning of a pinch
const ENDS = { mouse: "mouseup", touch: "touchend" }; // what the canvas listens to

class Companion {
  strokes = []; // those that the canvas has not reported yet; the last may still be growing
  begun = 0; // number of strokes since Python last set the canvas
  sentAt = -Infinity;
  reportAt = -Infinity;
  changed = false;
  wrong = []; // numbers of strokes that the canvas has otherwise than ``strokes``: disturbed, lost, or taken back
  held = undefined; // what the canvas is drawing with: its surface, and "mouse" or "touch"

  constructor(data) {
    this.sequence = data.sequence;
    this.style = new CSSStyleSheet();
    this.style.replaceSync(STYLE);
    this.observer = new MutationObserver(() => this.attach()); // the canvas may be mounted later, or again
    this.observer.observe(document.body, { childList: true, subtree: true });
    this.connection = new MutationObserver(() => this.reconnected());
    const app = document.querySelector(APP);
    if (app) this.connection.observe(app, { attributeFilter: [CONNECTION] });
    this.listening = new AbortController();
    const options = { capture: true, passive: true, signal: this.listening.signal };
    addEventListener("pointerdown", (event) => this.down(event), options);
    addEventListener("pointermove", (event) => this.move(event), options);
    addEventListener("pointerup", (event) => this.up(event), options);
    addEventListener("pointercancel", (event) => this.up(event) && this.endOnCanvas(), options);
    for (const kind of ["mousedown", "touchstart"]) addEventListener(kind, (event) => this.admit(event), options);
    for (const kind of ["mouseup", "touchend"]) addEventListener(kind, (event) => this.admitEnd(event), options);
    addEventListener("contextmenu", (event) => this.isDrawing && event.preventDefault(), { ...options, passive: false });
    // What is pressed now may remove the canvas before it has reported the last stroke.
    addEventListener("pointerdown", (event) => event.target.closest?.("a, button") && this.send(), options);
  }

  // Python's answer: the revision, how many strokes of it the canvas has reported, and the last message received.
  update(data, setMessage) {
    if (this.data && data.revision !== this.data.revision) {
      this.strokes = this.strokes.filter((stroke) => !stroke.ended).map((stroke) => ({ ...stroke, number: 1 }));
      this.begun = this.strokes.length;
      this.changed = this.begun > 0;
      this.wrong = [];
    }
    if (this.isDrawing && ["revision", "width", "colour"].some((name) => data[name] !== this.data[name])) {
      this.strokes.at(-1).disturbed = true; // the canvas begins it again, with another pen or on other paper
    }
    this.data = data;
    this.setMessage = setMessage;
    this.strokes = this.strokes.filter(({ number }) => number > data.reported || this.wrong.includes(number));
    this.attach();
    this.sendWhenDue();
  }

  attach() {
    for (const element of document.querySelectorAll(`${byKey(this.data.canvas)} *`)) {
      const root = element.shadowRoot;
      if (root?.adoptedStyleSheets && !root.adoptedStyleSheets.includes(this.style)) {
        root.adoptedStyleSheets = [...root.adoptedStyleSheets, this.style];
        element.setAttribute("role", "img");
        element.setAttribute("aria-label", this.data.label);
      }
    }
  }

  get isDrawing() {
    return this.pointer !== undefined;
  }

  isSurface(element) {
    return element.matches?.(DRAWING_SURFACE) && element.getRootNode().host?.closest(byKey(this.data.canvas));
  }

  down(event) {
    if (this.isDrawing && event.pointerType === "touch" && !event.isPrimary) this.takeBackPinch();
    const canvas = event.composedPath()[0];
    if (!event.isPrimary || event.button !== 0 || !this.isSurface(canvas)) return;
    clearTimeout(this.dropTimer);
    this.endOnCanvas();
    if (!this.strokes.length) this.begun = this.data.reported;
    const { width, colour } = this.data;
    this.pointer = event.pointerId;
    this.box = canvas.getBoundingClientRect();
    this.strokes.push({ number: ++this.begun, width, colour, points: [], ended: false });
    this.extend([event]);
  }

  move(event) {
    if (event.pointerId !== this.pointer) return;
    if (!(event.buttons & 1)) {
      this.up(event); // another button is still down, or the end was outside of the window
      return;
    }
    const events = event.getCoalescedEvents?.() ?? [];
    this.extend(events.length ? events : [event]);
  }

  up(event) {
    if (event.pointerId !== this.pointer) return false;
    this.pointer = undefined;
    const stroke = this.strokes.at(-1);
    if (stroke) stroke.ended = true;
    setTimeout(() => this.endOnCanvas(), END_TIME);
    this.dropTimer = setTimeout(() => this.putRight(this.strokes), REPORT_TIME);
    this.reportAt = performance.now() + REPORT_DELAY;
    if (stroke?.disturbed) this.putRight([stroke]);
    else this.markChanged();
    return true;
  }

  takeBackPinch() {
    const { points } = this.strokes.at(-1);
    const length = points.reduce((sum, [x, y], i) => sum + (i && Math.hypot(x - points[i - 1][0], y - points[i - 1][1])), 0);
    if (length > PINCH_LENGTH) return;
    this.pointer = undefined;
    this.endOnCanvas();
    this.putRight([this.strokes.pop()]);
  }

  // Let the canvas hear of a press only if the companion has begun a stroke with it.
  admit(event) {
    const surface = event.composedPath()[0];
    if (!this.isSurface(surface)) return;
    if (this.isDrawing && !event.button && !(event.touches?.length > 1)) this.held = { surface, kind: event.type.slice(0, 5) };
    else event.stopImmediatePropagation();
  }

  admitEnd(event) {
    if (!this.held) return;
    if (event.button) event.stopImmediatePropagation();
    else if (!event.touches?.length) this.held = undefined;
  }

  // The canvas misses the end of a stroke that is cancelled, or that ends while another finger is down.
  endOnCanvas() {
    if (!this.held) return;
    const { surface, kind } = this.held;
    const { left, top } = surface.getBoundingClientRect();
    const end = Object.assign(new Event(ENDS[kind]), { isPrimary: true, button: 0, touches: [], clientX: left, clientY: top });
    document.dispatchEvent(end);
  }

  // Have the canvas set to these strokes as the companion saw them: it shows them otherwise, or not at all.
  putRight(strokes) {
    if (!strokes.length) return;
    this.wrong.push(...strokes.map(({ number }) => number));
    this.changed = true;
    this.send();
  }

  // What was sent without a connection is lost.
  reconnected() {
    if (document.querySelector(APP).getAttribute(CONNECTION) !== "CONNECTED") return;
    if (!this.strokes.length && !this.wrong.length) return;
    this.changed = true;
    this.send();
  }

  extend(events) {
    const points = this.strokes.at(-1)?.points;
    if (!points) return;
    const scale = this.data.size / this.box.width;
    for (const { clientX, clientY } of events) {
      const point = [(clientX - this.box.left) * scale, (clientY - this.box.top) * scale].map((x) => Math.round(10 * x) / 10);
      const last = points.at(-1);
      if (!last || Math.hypot(point[0] - last[0], point[1] - last[1]) >= 1) points.push(point);
    }
    this.markChanged();
  }

  markChanged() {
    this.changed = true;
    this.sendWhenDue();
  }

  // Never faster than Python answers: a message interrupts the script while it still works on the one before. And not together
  // with the canvas's report: Streamlit would send both as one, and run only the part of the page that messages are for.
  sendWhenDue() {
    clearTimeout(this.sendTimer);
    if (!this.changed || !this.data.live) return;
    const answered = this.data.sequence >= this.sequence;
    const now = performance.now();
    let at = Math.max(now, this.sentAt + (answered ? MIN_INTERVAL : MAX_INTERVAL));
    if (at > this.reportAt && this.strokes.some(({ ended }) => ended)) at = Math.max(at, this.reportAt + MAX_INTERVAL);
    if (at > now) {
      this.sendTimer = setTimeout(() => this.sendWhenDue(), at - now);
      return;
    }
    this.send();
  }

  send() {
    clearTimeout(this.sendTimer);
    if (!this.changed) return;
    this.changed = false;
    this.sentAt = performance.now();
    const { begun, wrong } = this;
    const strokes = wrong.length ? this.strokes.filter(({ ended }) => ended) : this.strokes; // one that grows goes on afterwards
    this.setMessage("message", { revision: this.data.revision, sequence: ++this.sequence, begun, strokes, wrong });
  }

  stop() {
    clearTimeout(this.sendTimer);
    clearTimeout(this.dropTimer);
    this.listening.abort();
    this.observer.disconnect();
    this.connection.disconnect();
  }
}

const companions = new WeakMap(); // by element: Streamlit calls the function below again with each answer

export default function ({ data, parentElement, setStateValue }) {
  try {
    if (!companions.has(parentElement)) companions.set(parentElement, new Companion(data));
    companions.get(parentElement).update(data, setStateValue);
  } catch (error) {
    console.warn("The companion failed: strokes are read only when they have ended.", error);
  }
  return () => {
    companions.get(parentElement)?.stop();
    companions.delete(parentElement);
  };
}
