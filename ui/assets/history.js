// Undo, Redo and Clear. Two presses of a button of Streamlit that arrive while the script runs count as one. These are numbered,
// and sent again until Python has answered them.
const ICONS = {
  undo: "M9 14 4 9l5-5M4 9h10a6 6 0 0 1 0 12h-3",
  redo: "m15 14 5-5-5-5m5 5H10a6 6 0 0 0 0 12h3",
  clear: "M4 7h16M9 7V4h6v3M6 7l1 13h10l1-13M10 11v5M14 11v5",
};
const KEYS = { undo: "Ctrl + Z", redo: "Ctrl + Y", clear: "Delete" };
const DRAWING_SURFACE = "canvas.upper-canvas";

class History {
  presses = []; // [number, action]: those that Python has not answered

  constructor(group, { texts }) {
    this.buttons = Object.fromEntries(Object.keys(ICONS).map((action) => [action, this.makeButton(action, texts[action])]));
    group.replaceChildren(...Object.values(this.buttons));
    this.listening = new AbortController();
    const { signal } = this.listening;
    addEventListener("keydown", (event) => this.key(event), { signal });
    addEventListener("pointerup", (event) => event.composedPath()[0].matches?.(DRAWING_SURFACE) && this.drawn(), { capture: true, signal });
  }

  makeButton(action, text) {
    const button = document.createElement("button");
    button.type = "button";
    button.innerHTML = `<svg viewBox="0 0 24 24" aria-hidden="true"><path d="${ICONS[action]}"/></svg>`;
    const label = document.createElement("span");
    label.textContent = text;
    const key = document.createElement("kbd"); // shown on a wall only
    key.textContent = KEYS[action];
    key.setAttribute("aria-hidden", "true");
    button.append(label, key);
    button.setAttribute("aria-keyshortcuts", KEYS[action].replace("Ctrl", "Control").replaceAll(" ", ""));
    button.addEventListener("click", () => this.press(action));
    return button;
  }

  // Python's answer: how many presses it has done, and what can be pressed now.
  update({ drawing, pressed, possible }, setStateValue) {
    this.setStateValue = setStateValue;
    if (drawing !== this.drawing) {
      // Of a new session on the server, which must not do again what an earlier one has done.
      this.drawing = drawing;
      this.presses = [];
      this.count = pressed;
    }
    this.count = Math.max(this.count, pressed);
    this.presses = this.presses.filter(([number]) => number > pressed);
    if (!this.presses.length) for (const [action, button] of Object.entries(this.buttons)) button.disabled = !possible.includes(action);
  }

  // A stroke has ended: Python's answer follows later.
  drawn() {
    this.buttons.undo.disabled = this.buttons.clear.disabled = false;
    this.buttons.redo.disabled = true;
  }

  press(action) {
    if (this.buttons[action].disabled) return;
    this.presses.push([++this.count, action]);
    this.setStateValue("presses", { drawing: this.drawing, list: [...this.presses] });
  }

  key(event) {
    if (event.target.closest?.("input, textarea, select, [contenteditable], [role=dialog]")) return;
    const command = event.ctrlKey || event.metaKey;
    const action = command && !event.altKey ? { z: event.shiftKey ? "redo" : "undo", y: "redo" }[event.key.toLowerCase()] : event.key === "Delete" && "clear";
    if (!action || this.buttons[action].disabled) return;
    event.preventDefault();
    // As a pointer does: the companion sends what the canvas has not reported yet.
    this.buttons[action].dispatchEvent(new PointerEvent("pointerdown", { bubbles: true, button: -1 }));
    this.press(action);
  }
}

const histories = new WeakMap(); // by element: Streamlit calls the function below again with each answer

export default function ({ data, parentElement, setStateValue }) {
  const group = parentElement.querySelector(".inkling-history");
  if (!histories.has(parentElement)) histories.set(parentElement, new History(group, data));
  histories.get(parentElement).update(data, setStateValue);
  return () => {
    histories.get(parentElement)?.listening.abort();
    histories.delete(parentElement);
  };
}
