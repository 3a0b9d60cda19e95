// A grid of cells to draw on with the keyboard, the mouse or a finger. It shows what ui/draw/keyboard_grid.py makes of the cells:
// a pen's line through the middles of cells that touch.
const KEYS = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] };
const NEXT_NEIGHBOURS = [[0, 1], [1, -1], [1, 0], [1, 1]]; // the neighbours of a cell that come after it
const REPORT_INTERVAL = 100; // ms
const MAX_UNDO_STEPS = 200;
const SPEECH_DELAY = 400; // ms without a key before a screen reader reads out the position

export default function ({ data, parentElement, setStateValue }) {
  const board = parentElement.querySelector(".inkling-grid");
  const grid = (board.grid ??= createGrid(board, data));
  grid.report = (cells) => setStateValue("cells", cells);
  if (grid.revision !== data.revision) {
    grid.revision = data.revision;
    grid.show(data.cells);
  }
}

function createGrid(board, { side, size, pen, texts }) {
  const sheet = board.querySelector("canvas").getContext("2d");
  const status = board.parentElement.querySelector("[role=status]");
  const cell = size / side;
  let cells = new Set();
  let [row, column] = [Math.floor(side / 4), Math.floor(side / 3)];
  const past = []; // cells before each change, for Undo
  let brush, reportTimer, speechTimer;
  const grid = { show };

  const indexOf = (r, c) => r * side + c;
  const middle = (index) => (index + 0.5) * cell;

  function show(indices) {
    cells = new Set(indices);
    draw();
  }

  function draw() {
    sheet.setTransform(sheet.canvas.width / size, 0, 0, sheet.canvas.height / size, 0, 0);
    sheet.fillStyle = "#000";
    sheet.fillRect(0, 0, size, size);
    sheet.strokeStyle = "#fff";
    sheet.lineWidth = pen;
    sheet.lineCap = "round";
    sheet.beginPath();
    for (const index of cells) {
      const [r, c] = [Math.floor(index / side), index % side];
      line(r, c, r, c + 0.001); // a dot; a line of no length would show nothing
      for (const [down, right] of NEXT_NEIGHBOURS) {
        if (c + right >= 0 && c + right < side && cells.has(indexOf(r + down, c + right))) line(r, c, r + down, c + right);
      }
    }
    sheet.stroke();
    sheet.fillStyle = "rgba(140, 148, 180, 0.22)";
    for (let k = 1; k < side; k++) {
      sheet.fillRect(k * cell, 0, 0.5, size);
      sheet.fillRect(0, k * cell, size, 0.5);
    }
    sheet.strokeStyle = "#ff9d3d";
    sheet.lineWidth = 2;
    sheet.strokeRect(column * cell, row * cell, cell, cell);
  }

  function line(r, c, toRow, toColumn) {
    sheet.moveTo(middle(c), middle(r));
    sheet.lineTo(middle(toColumn), middle(toRow));
  }

  function set(ink) {
    const index = indexOf(row, column);
    if (cells.has(index) === ink) return;
    ink ? cells.add(index) : cells.delete(index);
    report();
  }

  function report() {
    reportTimer ??= setTimeout(() => {
      reportTimer = undefined;
      grid.report([...cells]);
    }, REPORT_INTERVAL);
  }

  function say(text, wait) {
    clearTimeout(speechTimer);
    speechTimer = setTimeout(() => (status.textContent = text), wait);
  }

  board.addEventListener("keydown", (event) => {
    const step = KEYS[event.key];
    if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "z") {
      undo();
    } else if (event.ctrlKey || event.metaKey || event.altKey) {
      return;
    } else if (step) {
      if (event.shiftKey) remember();
      if (event.shiftKey) set(true);
      row = Math.min(Math.max(row + step[0], 0), side - 1);
      column = Math.min(Math.max(column + step[1], 0), side - 1);
      if (event.shiftKey) set(true);
      const place = cells.has(indexOf(row, column)) ? texts.place_with_ink : texts.place;
      say(place.replace("{row}", row + 1).replace("{column}", column + 1), SPEECH_DELAY);
    } else if (event.key === " " || event.key === "Enter") {
      remember();
      set(!cells.has(indexOf(row, column)));
      say(cells.has(indexOf(row, column)) ? texts.ink : texts.no_ink, 0);
    } else if (event.key === "Delete") {
      clear();
    } else {
      return;
    }
    event.preventDefault(); // the page would scroll,
    event.stopPropagation(); // or run a shortcut of its own
    draw();
  });

  function remember() {
    past.push([...cells]);
    if (past.length > MAX_UNDO_STEPS) past.shift();
  }

  function undo() {
    if (!past.length) return;
    show(past.pop());
    report();
    say("undone", 0);
  }

  function clear() {
    remember();
    cells.clear();
    report();
    say("cleared", 0);
    draw();
  }

  board.parentElement.querySelector(".inkling-grid-clear").addEventListener("click", clear);
  board.parentElement.querySelector(".inkling-grid-undo").addEventListener("click", undo);

  board.addEventListener("pointerdown", (event) => {
    if (event.button) return;
    board.setPointerCapture(event.pointerId);
    [row, column] = cellUnder(event);
    remember();
    brush = !cells.has(indexOf(row, column)); // starting on ink erases
    set(brush);
    draw();
  });
  board.addEventListener("pointermove", (event) => {
    if (brush === undefined) return;
    const from = [row, column], to = cellUnder(event);
    const steps = Math.max(Math.abs(to[0] - from[0]), Math.abs(to[1] - from[1]));
    for (let k = 1; k <= steps; k++) {
      [row, column] = from.map((start, axis) => Math.round(start + ((to[axis] - start) * k) / steps));
      set(brush);
    }
    draw();
  });
  for (const end of ["pointerup", "pointercancel"]) board.addEventListener(end, () => (brush = undefined));

  function cellUnder(event) {
    const box = sheet.canvas.getBoundingClientRect();
    const fractions = [(event.clientY - box.top) / box.height, (event.clientX - box.left) / box.width];
    return fractions.map((fraction) => Math.min(Math.max(Math.floor(fraction * side), 0), side - 1));
  }

  return grid;
}
