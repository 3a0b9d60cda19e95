// The network between the canvas and the bars: its shapes become a picture once, and each message of ui/draw/network_view.py
// lights it up on one <canvas>. Its nodes are buttons without a look of their own: for the mouse, fingers, keys and screen readers.
const WIDE = "(min-width: 1100px)"; // where the network is open from the start
const ZERO = 128, UNIT = 127; // as in network_view.py
const INK = [255, 255, 255], OFF = [30, 33, 46], ABOVE = [[255, 110, 48], [255, 226, 170]], BELOW = [[64, 140, 240], [190, 222, 255]];
const LARGEST = { image: 128, maps: 46, units: 22, scores: 20 }; // px, a node of each kind
const SHARES = { image: 1.5, maps: 1.25, units: 1.1, scores: 0.55 }; // of the width
const GAP = 2; // px between two nodes
const MAX_BARS = 10; // as in prediction.py: of more classes, the bars are those of the most likely
const KEEP_IN_VIEW = 5000, MAX_WAIT = 60_000; // ms
const KEYS = { ArrowUp: -1, ArrowDown: 1 };
const fill = (text, values) => text.replace(/\{(\w+)\}/g, (place, name) => values[name] ?? place); // as Python's format

export default function ({ data, parentElement, setTriggerValue }) {
  const root = parentElement.querySelector(".inkling-network");
  const view = (root.view ??= new View(root));
  view.pick = (block, node) => setTriggerValue("picked", [block, node]);
  view.update(data);
  return () => {
    view.stop();
    root.view = undefined;
  };
}

class View {
  data = { columns: [], values: "", texts: {} };
  columns = [];
  key = "";

  constructor(root) {
    this.root = root;
    this.stage = root.querySelector(".stage");
    this.canvas = root.querySelector("canvas");
    this.readout = root.querySelector(".readout");
    this.paper = document.createElement("canvas"); // of one tile, before it is enlarged
    const wide = matchMedia(WIDE);
    root.open = wide.matches;
    this.listening = new AbortController();
    const { signal } = this.listening;
    wide.addEventListener("change", () => (root.open = wide.matches), { signal });
    root.addEventListener("toggle", () => this.resize(), { signal });
    for (const kind of ["pointerover", "focusin"]) this.stage.addEventListener(kind, (event) => this.point(event), { signal });
    for (const kind of ["pointerleave", "focusout"]) this.stage.addEventListener(kind, () => this.say(), { signal });
    this.stage.addEventListener("click", (event) => this.press(event), { signal });
    this.stage.addEventListener("keydown", (event) => this.move(event), { signal });
    this.observer = new ResizeObserver(() => this.resize());
    this.observer.observe(this.stage);
  }

  stop() {
    this.listening.abort();
    this.observer.disconnect();
  }

  update(data) {
    this.data = data;
    this.bytes = Uint8Array.from(atob(data.values), (character) => character.charCodeAt(0));
    const key = JSON.stringify(data.columns);
    if (key !== this.key) {
      this.key = key;
      this.build();
    }
    cancelAnimationFrame(this.frame);
    this.frame = requestAnimationFrame(() => this.draw());
    this.say(this.pointed);
  }

  // The buttons and labels of other columns.
  build() {
    this.stage.querySelectorAll("button, .label, .more").forEach((element) => element.remove());
    this.pointed = undefined;
    let start = 0; // of the column's values
    this.columns = this.data.columns.map((shape, number) => {
      const column = { ...shape, number, start, nodes: [] };
      start += shape.count * shape.size[0] * shape.size[1];
      column.label = this.add("div", "label", shape.text.join("\n"));
      column.moreLabel = this.add("div", "more", "");
      column.skippedLabel = shape.skipped > 0 ? this.add("div", "more", "…") : undefined;
      for (let node = 0; node < shape.count; node++) {
        const button = this.add("button", "node", "");
        button.type = "button";
        button.tabIndex = number || node ? -1 : 0;
        button.ariaLabel = this.name(column, node);
        column.nodes.push(Object.assign(button, { column, node }));
      }
      return column;
    });
    this.resize();
  }

  add(tag, name, text) {
    const element = document.createElement(tag);
    element.className = name;
    element.textContent = text;
    this.stage.append(element);
    return element;
  }

  name({ kind, layers, names }, node) {
    const { texts } = this.data;
    if (kind === "image") return texts.image;
    if (kind === "scores") return fill(texts.score, { name: names[node] });
    return fill(kind === "maps" ? texts.map : texts.unit, { layers, number: node + 1 });
  }

  // A node with its numbers.
  describe({ column, node }) {
    const name = this.name(column, node);
    const numbers = this.data.numbers[column.number];
    const { texts } = this.data;
    if (column.kind === "image") return texts.pixels;
    if (!numbers) return name;
    const values = { node: name, value: numbers.values[node], place: numbers.places?.[node], limit: numbers.limit };
    return fill(column.kind === "maps" ? texts.places : texts.values, values);
  }

  say(button) {
    this.pointed = button;
    this.readout.textContent = button ? this.describe(button) : this.data.texts.hint;
    if (button) button.ariaLabel = this.describe(button);
  }

  point({ target }) {
    if (target.column) this.say(target);
  }

  press({ target }) {
    if (!target.column) return;
    this.choose(target);
    this.pick(target.column.block, target.node);
    const { block } = target.column;
    showWhenDrawn(block < 0 ? ".inkling-stages" : `.inkling-picked[data-node="${block},${target.node}"]`);
  }

  // The arrow keys move from node to node; only one of all nodes is a stop of the Tab key.
  move(event) {
    const { column, node } = event.target;
    if (!column) return;
    const { across = 1 } = column;
    let next;
    if (event.key in KEYS) next = column.nodes[node + KEYS[event.key] * across];
    else if (event.key === "ArrowRight") next = (node + 1) % across && column.nodes[node + 1] || this.beside(column, event.target, 1);
    else if (event.key === "ArrowLeft") next = (node % across && column.nodes[node - 1]) || this.beside(column, event.target, -1);
    else return;
    event.preventDefault();
    if (!next) return;
    this.choose(next);
    next.focus();
  }

  beside(column, button, step) {
    const nodes = this.columns[column.number + step]?.nodes ?? [];
    return [...nodes].sort((a, b) => Math.abs(a.offsetTop - button.offsetTop) - Math.abs(b.offsetTop - button.offsetTop))[0];
  }

  choose(button) {
    for (const column of this.columns) for (const node of column.nodes) node.tabIndex = node === button ? 0 : -1;
  }

  resize() {
    if (!this.root.open || !this.columns.length) return;
    const { clientWidth: width, clientHeight: height } = this.stage;
    const ratio = devicePixelRatio;
    Object.assign(this.canvas, { width: width * ratio, height: height * ratio });
    this.ratio = ratio;
    this.place(width, height);
    this.draw();
  }

  // Where the nodes are: columns beside each other, their nodes as large as fits.
  place(width, height) {
    const em = parseFloat(getComputedStyle(this.stage).fontSize);
    const top = 3.2 * em, bottom = 1.8 * em, edge = 0.9 * em, between = Math.max(14, width * 0.025);
    const total = this.columns.reduce((sum, { kind }) => sum + SHARES[kind], 0);
    const share = (width - 2 * edge - between * (this.columns.length - 1)) / total;
    let left = edge;
    for (const column of this.columns) {
      const room = SHARES[column.kind] * share;
      const bars = column.kind === "scores" ? this.barMiddles(column.count) : undefined;
      const aspect = column.size[0] / column.size[1];
      const { across, side } = bars ? { across: 1, side: Math.min(LARGEST.scores, room) } : grid(column, room, height - top - bottom, aspect);
      const down = Math.ceil(column.count / across), high = side * aspect;
      const wide = across * side + (across - 1) * GAP, tall = down * high + (down - 1) * GAP;
      const x = left + (room - wide) / 2, y = top + (height - top - bottom - tall) / 2;
      Object.assign(column, { across, side, high, x, wide });
      column.nodes.forEach((button, node) => {
        const column_ = node % across, row = Math.floor(node / across);
        const at = { x: x + column_ * (side + GAP), y: bars ? bars[node] - high / 2 : y + row * (high + GAP) };
        button.at = at;
        button.style.cssText = `left:${at.x}px;top:${at.y}px;width:${side}px;height:${high}px`;
      });
      const middle = left + room / 2;
      const labelTop = Math.min(column.nodes[0].at.y, bars ? Infinity : y) - 2.7 * em;
      column.label.style.cssText = `left:${middle}px;top:${Math.max(4, labelTop)}px`;
      column.moreLabel.style.cssText = `left:${middle}px;top:${y + tall + 3}px`;
      const more = column.more.toLocaleString("en").replaceAll(",", this.data.texts.thousands);
      column.moreLabel.textContent = column.more > 0 ? fill(this.data.texts.more, { count: more }) : "";
      if (column.moreLabel.offsetWidth > room + between - 6) column.moreLabel.textContent = `+${more}`;
      if (column.skippedLabel) column.skippedLabel.style.cssText = `left:${left - between / 2}px;top:${height / 2}px`;
      left += room + between;
    }
  }

  // The heights of the bars, if they stand right beside the network and there is one for each class.
  barMiddles(count) {
    const bars = [...document.querySelectorAll(".inkling-bars li")];
    const stage = this.stage.getBoundingClientRect();
    const boxes = bars.map((bar) => bar.getBoundingClientRect());
    const isBeside = boxes.length === count && count <= MAX_BARS && boxes.every((box) => box.left >= stage.right - 1 && box.top > stage.top && box.bottom <= stage.bottom + 1);
    return isBeside ? boxes.map((box) => (box.top + box.bottom) / 2 - stage.top) : undefined;
  }

  draw() {
    if (!this.root.open || !this.columns.length) return;
    const sheet = this.canvas.getContext("2d");
    sheet.setTransform(this.ratio, 0, 0, this.ratio, 0, 0);
    sheet.clearRect(0, 0, this.canvas.width, this.canvas.height);
    sheet.imageSmoothingEnabled = false;
    this.drawLines(sheet);
    for (const column of this.columns) this.drawNodes(sheet, column);
  }

  drawNodes(sheet, column) {
    const [rows, across] = column.size, length = rows * across;
    Object.assign(this.paper, { width: across, height: rows });
    const paper = this.paper.getContext("2d");
    const pixels = paper.createImageData(across, rows);
    const dots = new Uint32Array(pixels.data.buffer), palette = PALETTES[column.kind] ?? PALETTES.maps;
    for (const { at, node } of column.nodes) {
      for (let i = 0; i < length; i++) dots[i] = palette[this.bytes[column.start + node * length + i] ?? ZERO];
      paper.putImageData(pixels, 0, 0);
      sheet.drawImage(this.paper, at.x, at.y, column.side, column.high);
    }
  }

  drawLines(sheet) {
    const scores = this.columns.at(-1), right = this.stage.clientWidth;
    sheet.lineWidth = 1;
    for (const { at, node } of scores.across === 1 ? scores.nodes : []) {
      const byte = this.bytes[scores.start + node] ?? ZERO;
      line(sheet, at.x + scores.side, at.y + scores.high / 2, right, at.y + scores.high / 2, css(colour((byte - ZERO) / UNIT), 0.7));
    }
    for (const [number, lines] of this.data.lines.entries()) {
      const [before, column] = [this.columns[number - 1], this.columns[number]];
      for (const [source, target, strength] of lines) {
        const from = before.nodes[source].at, to = column.nodes[target].at;
        sheet.lineWidth = 0.5 + Math.abs(strength) / 60;
        const start = [before.x + before.wide, from.y + before.high / 2];
        line(sheet, ...start, column.x, to.y + column.high / 2, css(colour(strength / 100), 0.2 + Math.abs(strength) / 200));
      }
    }
  }
}

// In how many columns nodes fill a space with the largest side.
function grid({ count, kind }, width, height, aspect) {
  let best = { across: 1, side: 0 };
  for (let across = 1; across <= count; across++) {
    const down = Math.ceil(count / across);
    const side = Math.min((width - (across - 1) * GAP) / across, (height - (down - 1) * GAP) / down / aspect, LARGEST[kind]);
    if (side > best.side) best = { across, side };
  }
  return best;
}

function colour(share, kind) {
  if (kind === "image") return mix([0, 0, 0], INK, Math.max(share, 0));
  const [middle, end] = share < 0 ? BELOW : ABOVE, size = Math.min(Math.abs(share), 1);
  return size < 0.6 ? mix(OFF, middle, size / 0.6) : mix(middle, end, (size - 0.6) / 0.4);
}

// The colour of each byte as a pixel: alpha, blue, green and red, as processors of today order bytes.
const palette = (kind) =>
  Uint32Array.from({ length: 256 }, (_, byte) => {
    const [red, green, blue] = colour((byte - ZERO) / UNIT, kind);
    return ((255 << 24) | (blue << 16) | (green << 8) | red) >>> 0;
  });

const mix = (from, to, share) => from.map((value, i) => Math.round(value + (to[i] - value) * share));
const css = (rgb, alpha) => `rgb(${rgb.join(" ")} / ${alpha})`;
const PALETTES = { image: palette("image"), maps: palette("maps") };

function line(sheet, x, y, toX, toY, style) {
  sheet.strokeStyle = style;
  sheet.beginPath();
  sheet.moveTo(x, y);
  sheet.bezierCurveTo((x + toX) / 2, y, (x + toX) / 2, toY, toX, toY);
  sheet.stroke();
}

// Scroll to what Python shows of a node, once it is there, and keep it in view while the page is drawn around it: until the
// visitor does something else.
function showWhenDrawn(selector) {
  const stopped = new AbortController();
  const stop = () => stopped.abort();
  for (const kind of ["pointerdown", "keydown", "wheel"]) addEventListener(kind, stop, { capture: true, signal: stopped.signal });
  setTimeout(stop, MAX_WAIT);
  let shown;
  const look = () => {
    if (stopped.signal.aborted) return;
    const element = document.querySelector(selector);
    if (element?.checkVisibility() && (element !== shown || !isInView(element))) {
      if (!shown) setTimeout(stop, KEEP_IN_VIEW);
      shown = element;
      element.scrollIntoView({ block: "center" });
      element.focus({ preventScroll: true });
    }
    setTimeout(look, 50);
  };
  look();
}

function isInView(element) {
  const { top, bottom } = element.getBoundingClientRect();
  return bottom > 0 && top < innerHeight;
}
