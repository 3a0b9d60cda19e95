// Runs beside the drawing canvas and reaches it through its open shadow root. The canvas itself speaks only some time after a
// stroke has ended; this tells of the strokes while they are drawn, as points. It also takes away the canvas's own toolbar: on
// touch it is invisible, but still takes the hits. Where the canvas cannot be reached, the page does without.

const SOONEST = 50; // ms from one message to the next, once that is answered
const LATEST = 500; // where no answer comes
const REPORTED = 2000; // after so long the canvas has reported each stroke that it kept

const STYLE = `
  .dc-toolbar { display: none !important; }
  .dc-container, canvas { width: var(--side) !important; height: var(--side) !important; border-radius: 6px; }
  .dc-canvas { outline: 1px solid color-mix(in srgb, currentColor 25%, transparent); }
  .upper-canvas { touch-action: none !important; }`;

class Companion {
  strokes = []; // those that the canvas has not reported yet, the last one under way unless it is ended
  begun = 0; // strokes since the canvas was told what to show
  sentAt = -Infinity;
  news = false;

  constructor(data) {
    this.sequence = data.sequence;
    this.style = new CSSStyleSheet();
    this.style.replaceSync(STYLE);
    this.observer = new MutationObserver(() => this.attach()); // the canvas may be mounted later, or anew
    this.observer.observe(document.body, { childList: true, subtree: true });
    this.listening = new AbortController();
    const options = { capture: true, passive: true, signal: this.listening.signal };
    addEventListener("pointerdown", (event) => this.down(event), options);
    addEventListener("pointermove", (event) => this.move(event), options);
    for (const end of ["pointerup", "pointercancel"]) addEventListener(end, (event) => this.up(event), options);
  }

  // What Python says: the revision shown, how many strokes since are settled, and up to which message it has listened.
  hear(data, send) {
    if (this.data && data.revision !== this.data.revision) {
      this.strokes = this.strokes.filter((stroke) => !stroke.ended).map((stroke) => ({ ...stroke, number: 1 }));
      this.begun = this.strokes.length;
      this.news = this.begun > 0;
    }
    this.data = data;
    this.send = send;
    this.strokes = this.strokes.filter((stroke) => stroke.number > data.settled);
    this.attach();
    this.pump();
  }

  attach() {
    for (const element of document.querySelectorAll(`.st-key-${this.data.canvas} *`)) {
      const root = element.shadowRoot;
      if (root?.adoptedStyleSheets && !root.adoptedStyleSheets.includes(this.style)) {
        root.adoptedStyleSheets = [...root.adoptedStyleSheets, this.style];
        element.setAttribute("role", "img");
        element.setAttribute("aria-label", "Canvas to draw on with mouse, finger or pen");
      }
    }
  }

  down(event) {
    const canvas = event.composedPath()[0];
    if (!event.isPrimary || event.button !== 0 || !canvas.matches?.("canvas.upper-canvas")) return;
    if (!canvas.getRootNode().host?.closest(`.st-key-${this.data.canvas}`)) return;
    clearTimeout(this.forgetting);
    if (!this.strokes.length) this.begun = this.data.settled;
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
    this.forgetting = setTimeout(() => this.forget(), REPORTED);
    this.tell();
  }

  // What is left by now the canvas has lost, as when its brush was changed in the middle of a stroke.
  forget() {
    if (!this.strokes.length) return;
    this.strokes = [];
    this.tell();
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
    this.tell();
  }

  tell() {
    this.news = true;
    this.pump();
  }

  // Sends what is new, but never faster than Python answers: a message while it still works on another stops that.
  pump() {
    clearTimeout(this.timer);
    if (!this.news) return;
    const answered = this.data.sequence >= this.sequence;
    const wait = this.sentAt + (answered ? SOONEST : LATEST) - performance.now();
    if (wait > 0) {
      this.timer = setTimeout(() => this.pump(), wait);
      return;
    }
    this.news = false;
    this.sentAt = performance.now();
    const { begun, strokes } = this;
    this.send("message", { revision: this.data.revision, sequence: ++this.sequence, begun, strokes });
  }

  leave() {
    clearTimeout(this.timer);
    clearTimeout(this.forgetting);
    this.listening.abort();
    this.observer.disconnect();
  }
}

const companions = new WeakMap(); // by element: Streamlit calls again with each answer

export default function ({ data, parentElement, setStateValue }) {
  try {
    if (!companions.has(parentElement)) companions.set(parentElement, new Companion(data));
    companions.get(parentElement).hear(data, setStateValue);
  } catch (error) {
    console.warn("Without its companion, the canvas tells of a stroke only when it has ended.", error);
  }
  return () => {
    companions.get(parentElement)?.leave();
    companions.delete(parentElement);
  };
}
