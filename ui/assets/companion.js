// Runs beside the drawing canvas. The canvas reports a stroke only some time after it has ended; the companion sends it as points
// while it is being drawn. It also resizes the canvas and hides its toolbar, which is invisible on touch screens but catches
// touches. If the canvas cannot be reached, the page works without the companion.

// How to reach inside the canvas component, which promises none of this: tests/browser/test_compat.py checks each.
const DRAWING_SURFACE = "canvas.upper-canvas"; // within a shadow root
const byKey = (key) => `.st-key-${key}`; // Streamlit's class for the element of this key
const STYLE = `
  .dc-toolbar { display: none !important; }
  .dc-container, canvas { width: var(--side) !important; height: var(--side) !important; border-radius: 6px; }
  .dc-canvas { outline: 1px solid color-mix(in srgb, currentColor 25%, transparent); }
  .upper-canvas { touch-action: none !important; }`;

const MIN_INTERVAL = 50; // ms between two messages, if Python has answered the first
const MAX_INTERVAL = 500; // if it has not
const REPORT_DELAY = 180; // ms after a stroke's end in which the canvas does not report it yet
const REPORT_TIME = 2000; // ms after which the canvas has reported every stroke that it has

class Companion {
  strokes = []; // those that the canvas has not reported yet; the last may still be growing
  begun = 0; // number of strokes since Python last set the canvas
  sentAt = -Infinity;
  reportAt = -Infinity;
  changed = false;

  constructor(data) {
    this.sequence = data.sequence;
    this.style = new CSSStyleSheet();
    this.style.replaceSync(STYLE);
    this.observer = new MutationObserver(() => this.attach()); // the canvas may be mounted later, or again
    this.observer.observe(document.body, { childList: true, subtree: true });
    this.listening = new AbortController();
    const options = { capture: true, passive: true, signal: this.listening.signal };
    addEventListener("pointerdown", (event) => this.down(event), options);
    addEventListener("pointermove", (event) => this.move(event), options);
    for (const end of ["pointerup", "pointercancel"]) addEventListener(end, (event) => this.up(event), options);
    // What is pressed now may remove the canvas before it has reported the last stroke.
    addEventListener("pointerdown", (event) => event.target.closest?.("a, button") && this.send(), options);
  }

  // Python's answer: the revision, how many strokes of it the canvas has reported, and the last message received.
  update(data, setMessage) {
    if (this.data && data.revision !== this.data.revision) {
      this.strokes = this.strokes.filter((stroke) => !stroke.ended).map((stroke) => ({ ...stroke, number: 1 }));
      this.begun = this.strokes.length;
      this.changed = this.begun > 0;
    }
    this.data = data;
    this.setMessage = setMessage;
    this.strokes = this.strokes.filter((stroke) => stroke.number > data.reported);
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

  down(event) {
    const canvas = event.composedPath()[0];
    if (!event.isPrimary || event.button !== 0 || !canvas.matches?.(DRAWING_SURFACE)) return;
    if (!canvas.getRootNode().host?.closest(byKey(this.data.canvas))) return;
    clearTimeout(this.dropTimer);
    if (!this.strokes.length) this.begun = this.data.reported;
    const { width, colour } = this.data;
    this.pointer = event.pointerId;
    this.box = canvas.getBoundingClientRect();
    this.strokes.push({ number: ++this.begun, width, colour, points: [], ended: false });
    this.extend([event]);
  }

  move(event) {
    if (event.pointerId !== this.pointer) return;
    const events = event.getCoalescedEvents?.() ?? [];
    this.extend(events.length ? events : [event]);
  }

  up(event) {
    if (event.pointerId !== this.pointer) return;
    this.pointer = undefined;
    const stroke = this.strokes.at(-1);
    if (stroke) stroke.ended = true;
    this.dropTimer = setTimeout(() => this.dropLost(), REPORT_TIME);
    this.reportAt = performance.now() + REPORT_DELAY;
    this.markChanged();
  }

  // Drop strokes that the canvas has lost, as when its brush was changed during the stroke.
  dropLost() {
    if (!this.strokes.length) return;
    this.strokes = [];
    this.markChanged();
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
    const { begun, strokes } = this;
    this.setMessage("message", { revision: this.data.revision, sequence: ++this.sequence, begun, strokes });
  }

  stop() {
    clearTimeout(this.sendTimer);
    clearTimeout(this.dropTimer);
    this.listening.abort();
    this.observer.disconnect();
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
