// The window of a convolution, which slides over one of its inputs: ui/draw/panels/unit.py sends inputs, weights and sums. The
// arrow keys move it, a mouse or a finger on either picture, and a button that plays.
const RED = [224, 72, 43], BLUE = [43, 124, 230]; // as in unit.py: above and below zero; zero is clear
const CELL = 8; // px of a pixel on the canvases, which the page scales
const PLAY_TIME = 20_000, MIN_STEP = 40, MAX_STEP = 250; // ms: of a whole map, and from window to window
const NUM_TERMS = 3;
const KEYS = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] };

export default function ({ data, parentElement }) {
  const root = parentElement.querySelector(".inkling-window");
  const view = (root.view ??= new View(root));
  view.update(data);
  return () => {
    view.pause();
    root.view = undefined;
  };
}

class View {
  constructor(root) {
    this.root = root;
    [this.board, this.map] = root.querySelectorAll(".board");
    this.button = root.querySelector("button");
    this.ledger = root.querySelector("dl");
    this.spoken = root.querySelector(".spoken");
    this.calm = matchMedia("(prefers-reduced-motion: reduce)");
    for (const board of [this.board, this.map]) {
      for (const kind of ["pointerdown", "pointermove"]) board.addEventListener(kind, (event) => this.drag(event, board));
    }
    this.board.addEventListener("keydown", (event) => this.press(event));
    this.button.addEventListener("click", () => this.play());
    this.calm.addEventListener("change", () => this.pause());
  }

  update(data) {
    const isNew = data.key !== this.data?.key;
    const { text } = (this.data = data);
    this.inputs = data.inputs.map(({ values, weights, added, ...rest }) => ({
      ...rest,
      values: floats(values),
      weights: floats(weights),
      added: floats(added),
    }));
    this.sums = floats(data.sums);
    this.rest = floats(data.rest);
    if (isNew) {
      this.at = [...data.at];
      this.pause();
    }
    this.board.setAttribute("aria-label", text.board);
    this.root.querySelector(".input figcaption").textContent = this.inputs[0].name;
    this.root.querySelector(".map figcaption").textContent = text.map;
    this.root.querySelectorAll(".inkling-scale span").forEach((span, i) => (span.textContent = text.scale[i]));
    this.label();
    const [height, width] = data.size;
    paint(this.board.firstChild, this.inputs[0].values, width, height, data.padding);
    paint(this.map.firstChild, this.sums, data.out[1], data.out[0]);
    this.show();
  }

  label() {
    const { play, pause, next } = this.data.text;
    this.button.textContent = this.calm.matches ? next : this.timer ? pause : play;
  }

  // Of a pixel on either picture, the window whose middle or whose sum it is.
  drag(event, board) {
    if (event.type === "pointermove" && !event.buttons) return;
    const { kernel, stride, padding, size, out } = this.data;
    const box = board.getBoundingClientRect();
    const shares = [(event.clientY - box.top) / box.height, (event.clientX - box.left) / box.width];
    const at = shares.map((share, axis) =>
      board === this.map ? share * out[axis] : (share * (size[axis] + 2 * padding) - (kernel - 1) / 2) / stride,
    );
    if (event.type === "pointerdown") board.setPointerCapture(event.pointerId);
    this.pause();
    this.moveTo(at.map(Math.floor));
  }

  press(event) {
    const step = KEYS[event.key];
    if (!step) return;
    event.preventDefault();
    this.pause();
    this.moveTo(this.at.map((place, axis) => place + step[axis]));
    this.spoken.textContent = `${this.where()}: ${this.ledger.lastChild.textContent}`;
  }

  moveTo(at) {
    this.at = at.map((place, axis) => Math.max(0, Math.min(place, this.data.out[axis] - 1)));
    this.show();
  }

  play() {
    if (this.timer) return this.pause();
    this.step();
    if (this.calm.matches) return;
    const count = this.data.out[0] * this.data.out[1];
    this.timer = setInterval(() => this.step(), Math.max(MIN_STEP, Math.min(PLAY_TIME / count, MAX_STEP)));
    this.label();
  }

  pause() {
    clearInterval(this.timer);
    this.timer = undefined;
    this.label();
  }

  // The next window, row by row.
  step() {
    if (!this.root.isConnected) return this.pause();
    const [height, width] = this.data.out;
    const next = (this.at[0] * width + this.at[1] + 1) % (height * width);
    this.moveTo([Math.floor(next / width), next % width]);
  }

  where() {
    const [row, column] = this.at;
    return this.data.text.where.replace("{row}", row + 1).replace("{column}", column + 1);
  }

  show() {
    const { kernel, stride, padding, size, out, text, bias } = this.data;
    const [row, column] = this.at, place = row * out[1] + column;
    const tall = size[0] + 2 * padding, wide = size[1] + 2 * padding;
    frame(this.board.lastChild, (row * stride) / tall, (column * stride) / wide, kernel / tall, kernel / wide);
    frame(this.map.lastChild, row / out[0], column / out[1], 1 / out[0], 1 / out[1]);
    const windows = this.inputs.map(({ values }) => cut(values, size, row * stride - padding, column * stride - padding, kernel));
    const products = windows.map((window, i) => window.map((value, j) => value * this.inputs[i].weights[j]));
    this.showParts(windows, products);
    const rows = this.inputs.length > 1 ? this.inputs.map(({ name, added }) => [name, added[place]]) : terms(windows[0], this.inputs[0].weights, products[0], text.others);
    if (this.rest.length) rows.push([text.rest, this.rest[place]]);
    rows.push([text.bias, bias], [text.sum, this.sums[place], "total"]);
    this.ledger.replaceChildren(...rows.map(line));
  }

  showParts(windows, products) {
    const { kernel, text } = this.data;
    const parts = this.root.querySelector(".parts");
    const weightLimit = largest(this.inputs.flatMap(({ weights }) => [...weights]));
    const valueLimit = largest(this.inputs.flatMap(({ values }) => [...values]));
    const productLimit = weightLimit * valueLimit;
    if (parts.children.length !== windows.length) {
      parts.replaceChildren(...windows.map(() => makeRow(text.parts, this.inputs.length > 1)));
    }
    windows.forEach((window, i) => {
      const [weights, values, product] = parts.children[i].querySelectorAll("canvas");
      paint(weights, this.inputs[i].weights, kernel, kernel, 0, weightLimit);
      paint(values, window, kernel, kernel, 0, valueLimit);
      paint(product, products[i], kernel, kernel, 0, productLimit);
      const name = parts.children[i].querySelector(".name");
      if (name) name.textContent = this.inputs[i].name;
    });
  }
}

// A row of three pictures: weights x window = products.
function makeRow(names, isNamed) {
  const row = make("div", "inkling-product");
  if (isNamed) row.append(make("b", "name"));
  names.forEach((name, i) => {
    if (i) row.append(make("span", "", "×="[i - 1]));
    const figure = make("figure");
    figure.append(make("canvas"), make("figcaption", "", name));
    row.append(figure);
  });
  return row;
}

// The largest products of a window in numbers, and the others in one.
function terms(window, weights, products, others) {
  const order = [...products.keys()].filter((i) => products[i]).sort((a, b) => Math.abs(products[b]) - Math.abs(products[a]));
  const shown = order.slice(0, NUM_TERMS);
  const rest = order.slice(NUM_TERMS).reduce((sum, i) => sum + products[i], 0);
  const rows = shown.map((i) => [`${window[i].toFixed(3)} × ${weights[i].toFixed(3)}`, products[i]]);
  return [...rows, [others.replace("{count}", products.length - shown.length), rest]];
}

function line([text, value, kind = ""]) {
  const row = make("div", kind);
  row.append(make("dt", "", text), make("dd", "", value.toFixed(3)));
  return row;
}

function make(tag, name = "", text = "") {
  const element = document.createElement(tag);
  if (name) element.className = name;
  element.textContent = text;
  return element;
}

function frame(element, top, left, height, width) {
  element.style.cssText = `top:${100 * top}%;left:${100 * left}%;height:${100 * height}%;width:${100 * width}%`;
}

// A window of an image; zeros outside of it.
function cut(values, [height, width], top, left, kernel) {
  return Float32Array.from({ length: kernel * kernel }, (_, i) => {
    const row = top + Math.floor(i / kernel), column = left + (i % kernel);
    return row >= 0 && row < height && column >= 0 && column < width ? values[row * width + column] : 0;
  });
}

// Values as colours, with a border of zeros.
function paint(canvas, values, width, height, border = 0, limit = largest(values)) {
  Object.assign(canvas, { width: (width + 2 * border) * CELL, height: (height + 2 * border) * CELL });
  const sheet = canvas.getContext("2d");
  values.forEach((value, i) => {
    const share = Math.min(Math.abs(value) / (limit || 1), 1);
    sheet.fillStyle = `rgb(${(value > 0 ? RED : BLUE).join(" ")} / ${share})`;
    sheet.fillRect(((i % width) + border) * CELL, (Math.floor(i / width) + border) * CELL, CELL, CELL);
  });
}

const largest = (values) => values.reduce((most, value) => Math.max(most, Math.abs(value)), 0);

function floats(text) {
  const bytes = Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
  return new Float32Array(bytes.buffer);
}
