// Ten keys that say which digit a drawing is. Tab reaches one of them, and the arrow keys the others.
const DIGITS = [...Array(10).keys()];

export default function ({ data, parentElement, setTriggerValue }) {
  const board = parentElement.querySelector(".inkling-keys");
  const keys = (board.keys ??= createKeys(board));
  keys.report = (label) => setTriggerValue("label", label);
  keys.show(data);
}

function createKeys(board) {
  const [say, undo, status] = [".say", ".undo", "[role=status]"].map((selector) => board.querySelector(selector));
  const buttons = DIGITS.map((digit) => {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = digit;
    button.addEventListener("click", () => press(digit));
    board.querySelector("[role=toolbar]").append(button);
    return button;
  });
  const keys = { show };
  let shown = {};

  function show(data) {
    const isNew = data.kept !== shown.kept && board.isConnected && "kept" in shown;
    shown = data;
    const isKept = data.kept !== null;
    say.textContent = isKept ? data.texts.kept : data.texts.ask;
    undo.classList.toggle("away", !isKept);
    undo.disabled = !isKept;
    for (const [digit, button] of buttons.entries()) {
      button.disabled = !data.enabled;
      button.classList.toggle("read", digit === data.read && !isKept);
      button.setAttribute("aria-pressed", digit === data.kept);
      button.setAttribute("aria-label", data.texts.keys[digit]);
    }
    if (!buttons.includes(document.activeElement)) reach(data.kept ?? data.read ?? 0);
    if (isNew) status.textContent = isKept ? data.texts.kept : data.enabled ? data.texts.not_kept : "";
  }

  function press(label) {
    if (label === shown.kept) return;
    show({ ...shown, kept: label }); // at once: Python's answer follows
    keys.report(label);
  }

  function reach(digit) {
    for (const [other, button] of buttons.entries()) button.tabIndex = other === digit ? 0 : -1;
  }

  undo.addEventListener("click", () => {
    show({ ...shown, kept: null });
    keys.report("undo");
  });
  board.addEventListener("keydown", (event) => {
    const at = buttons.indexOf(document.activeElement);
    const to = { ArrowLeft: at - 1, ArrowRight: at + 1, Home: 0, End: 9 }[event.key];
    if (at < 0 || to === undefined) return;
    event.preventDefault();
    const digit = (to + 10) % 10;
    reach(digit);
    buttons[digit].focus();
  });
  return keys;
}
