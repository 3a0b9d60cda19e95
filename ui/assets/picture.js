// A picture with an outline round each digit. Reports which one was pressed, and boxes that are dragged round others.
const MIN_DRAG = 6; // pixels of the page: a shorter way is a press
const STEP = 0.02; // of the picture's longer side: how far an arrow key moves a box
const MIN_SIDE = 4; // pixels of the picture, of a box
const MIN_LABEL_WIDTH = 18; // pixels of the page: above narrower outlines, the labels are smaller

export default function ({ data, parentElement, setTriggerValue }) {
  const section = parentElement.querySelector(".inkling-picture");
  section.view ??= createView(section);
  section.view.report = (...action) => setTriggerValue("action", action);
  section.view.update(data);
}

const median = (values) => values.sort((a, b) => a - b)[values.length >> 1];

function createView(section) {
  const [sheet, image, marks, text, status] = [".sheet", "img", ".marks", ".text", "[role=status]"].map((name) =>
    section.querySelector(name)
  );
  const band = document.createElement("i"); // the box that is being dragged
  band.className = "band";
  const view = { update };
  const byKeys = Object.assign(document.createElement("button"), { type: "button", className: "band" }); // a box moved by keys
  const [add, keys] = [section.querySelector("[data-add]"), section.querySelector(".keys")];
  const undo = section.querySelector("[data-action=undo]");
  let shown = {};
  let start, isDragged, keyBox;

  function update(data) {
    const isOther = shown.src !== data.src;
    if (isOther) {
      image.src = data.src;
      removeKeyBox();
    }
    if (shown.html !== data.html) text.innerHTML = data.html;
    if (status.textContent !== data.spoken && !byKeys.isConnected) status.textContent = data.spoken;
    section.style.setProperty("--ratio", data.width / data.height);
    section.classList.toggle("small", data.is_small);
    image.classList.toggle("coarse", Math.max(data.width, data.height) < 100);
    undo.hidden = !data.has_boxes;
    add.hidden = !data.has_network;
    const isNew = JSON.stringify(shown.marks) !== JSON.stringify(data.marks);
    shown = data;
    byKeys.setAttribute("aria-label", data.texts.read_box);
    if (isNew) {
      const focused = [...marks.children].indexOf(document.activeElement);
      marks.replaceChildren(...data.marks.map(makeMark));
      marks.children[focused]?.focus();
      const widths = data.marks.filter(({ symbol }) => symbol).map(({ box }) => (box[2] - box[0]) * (sheet.clientWidth / data.width));
      section.classList.toggle("crowded", widths.length > 1 && median(widths) < MIN_LABEL_WIDTH);
    }
    if (isOther) section.scrollIntoView({ block: "nearest" });
  }

  function makeMark({ box, kind, symbol, name, is_line, is_picked }) {
    const mark = document.createElement(is_line ? "i" : "button");
    mark.className = kind;
    place(mark, box);
    if (is_line) return mark;
    mark.type = "button";
    mark.title = name;
    mark.setAttribute("aria-label", name);
    if (symbol) {
      mark.setAttribute("aria-pressed", is_picked);
      mark.append(Object.assign(document.createElement("b"), { textContent: symbol }));
    }
    mark.addEventListener("click", () => (symbol ? view.report("press", ...box) : view.report("box", ...box)));
    return mark;
  }

  function place(element, [left, top, right, bottom]) {
    const { width, height } = shown;
    Object.assign(element.style, {
      left: `${(100 * left) / width}%`,
      top: `${(100 * top) / height}%`,
      width: `${(100 * (right - left)) / width}%`,
      height: `${(100 * (bottom - top)) / height}%`,
    });
  }

  function pointOf(event) {
    const box = image.getBoundingClientRect();
    const inside = (value) => Math.min(Math.max(value, 0), 1);
    return [
      inside((event.clientX - box.left) / box.width) * shown.width,
      inside((event.clientY - box.top) / box.height) * shown.height,
    ];
  }

  function boxTo(event) {
    const [a, b] = [start.point, pointOf(event)];
    return [Math.min(a[0], b[0]), Math.min(a[1], b[1]), Math.max(a[0], b[0]), Math.max(a[1], b[1])];
  }

  function end(event) {
    if (!event.isPrimary) return; // a second finger
    start = undefined;
    band.remove();
  }

  function addKeyBox() {
    const [x, y, half] = [shown.width / 2, shown.height / 2, Math.min(shown.width, shown.height) / 6];
    keyBox = [x - half, y - half, x + half, y + half];
    place(byKeys, keyBox);
    sheet.append(byKeys);
    keys.hidden = false;
    status.textContent = keys.textContent;
    byKeys.focus();
  }

  function removeKeyBox() {
    if (byKeys.matches(":focus")) add.focus();
    byKeys.remove();
    keys.hidden = true;
    status.textContent = ""; // so that an answer is said even if it is the last one again
  }

  function moveKeyBox(event) {
    const step = STEP * Math.max(shown.width, shown.height);
    const way = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
    if (event.key === "Escape") removeKeyBox();
    else if (!way) return;
    else {
      [shown.width, shown.height].forEach((limit, axis) => {
        const [near, far] = [keyBox[axis], keyBox[axis + 2]];
        const move = Math.min(Math.max(way[axis] * step, event.shiftKey ? near + Math.max(step, MIN_SIDE) - far : -near), limit - far);
        keyBox[axis + 2] = far + move;
        if (!event.shiftKey) keyBox[axis] = near + move;
      });
      place(byKeys, keyBox);
    }
    event.preventDefault();
    event.stopPropagation();
  }

  add.addEventListener("click", addKeyBox);
  byKeys.addEventListener("keydown", moveKeyBox);
  byKeys.addEventListener("click", () => {
    removeKeyBox();
    view.report("box", ...keyBox);
  });
  sheet.addEventListener("pointerdown", (event) => {
    if (!event.isPrimary) return;
    isDragged = false;
    if (!event.button) start = { point: pointOf(event), x: event.clientX, y: event.clientY };
  });
  sheet.addEventListener("pointermove", (event) => {
    if (!start || !event.isPrimary) return;
    if (!isDragged && Math.hypot(event.clientX - start.x, event.clientY - start.y) < MIN_DRAG) return;
    if (!isDragged) {
      isDragged = true;
      sheet.setPointerCapture(event.pointerId);
      sheet.append(band);
    }
    place(band, boxTo(event));
  });
  sheet.addEventListener("pointerup", (event) => {
    if (start && isDragged && event.isPrimary) view.report("box", ...boxTo(event));
    end(event);
  });
  sheet.addEventListener("pointercancel", end);
  sheet.addEventListener("click", (event) => isDragged && event.stopPropagation(), true); // the end of a drag is no press
  for (const tool of section.querySelectorAll("[data-action]")) {
    tool.addEventListener("click", () => view.report(tool.dataset.action));
  }
  return view;
}
