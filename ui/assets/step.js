// The small network of ui/how_it_works/view.py as a diagram: every pixel, weight, unit and arrow says what it is, with its formula
// in symbols and with the step's numbers. All numbers come from Python; here they are only placed and written.
const SIDE = 7, HIDDEN = 8, CLASSES = 10, PIXELS = SIDE * SIDE;
const PLACES = { w1: 0, w2: PIXELS * HIDDEN, b1: (PIXELS + CLASSES) * HIDDEN, b2: (PIXELS + CLASSES + 1) * HIDDEN }; // in the flat vector
const FORWARD = 1, LOSS = 2, BACKWARD = 3, UPDATE = 4; // stages
const INK = [255, 255, 255], OFF = [30, 33, 46], ABOVE = [[255, 110, 48], [255, 226, 170]], BELOW = [[64, 140, 240], [190, 222, 255]];
const NARROW = 620; // px
const SHOWN_TERMS = 2; // of a long sum
const FIRST_NUDGE = 0.1;
const FOCUS_TIME = 3000; // ms
const ARROWS = { // from and to which column, and an example of what happens there
  "to sums": ["pixels", "units", "unit"], "to outputs": ["units", "units", "unit"], "to scores": ["units", "scores", "score"],
  "to probabilities": ["scores", "probabilities", "probability"], "to loss": ["probabilities", "loss", "loss"],
  "from loss": ["loss", "scores", "score"], "from scores": ["scores", "units", "unit"], "from outputs": ["units", "units", "unit"],
  "from sums": ["units", "weights", "w1"],
};
const SVG = "http://www.w3.org/2000/svg";

export default function ({ data, parentElement, setStateValue }) {
  const root = parentElement.querySelector(".inkling-step");
  const view = (root.view ??= new View(root));
  view.send = (nudge) => setStateValue("nudge", nudge);
  view.update(data);
  return () => {
    view.observer.disconnect();
    clearInterval(view.passing);
    view.listening?.abort();
    view.svg.replaceChildren(); // the same elements may be mounted again
    root.view = undefined;
  };
}

const range = (count) => Array.from({ length: count }, (_, i) => i);

class View {
  image = 0;
  mode = "values";

  constructor(root) {
    this.root = root;
    this.svg = root.querySelector("svg");
    this.choices = root.querySelector(".choices");
    this.details = root.querySelector(".details");
    this.title = root.querySelector("h2");
    this.content = root.querySelector(".content");
    this.nudging = root.querySelector(".nudge");
    this.observer = new ResizeObserver(() => this.data && this.place());
    this.observer.observe(root.querySelector(".diagram"));
  }

  update(data) {
    const { data: before } = this;
    this.data = data;
    this.number = new Intl.NumberFormat(data.language, { maximumFractionDigits: 4 });
    if (!before) this.build();
    if (this.image >= data.labels.length) this.image = 0;
    if (before?.stage !== data.stage) this.mode = data.stage === UPDATE ? "changes" : data.stage === BACKWARD ? "gradients" : "values";
    if (`${before?.of}` !== `${data.of}`) this.by = FIRST_NUDGE;
    this.showChoices();
    if (before) this.paint();
    else this.place();
    this.show(this.pointed ?? this.chosen);
    if (before && before.stage !== data.stage) this.passFocusOn();
  }

  // A pressed button cannot be pressed again and loses the focus: whoever uses the keys goes on with the next one. Streamlit
  // draws the buttons a little earlier or later than this.
  passFocusOn() {
    clearInterval(this.passing);
    const end = Date.now() + FOCUS_TIME;
    this.passing = setInterval(() => {
      const focused = document.activeElement, isButton = focused.closest(".st-key-step-parts, .st-key-step-ways");
      if (Date.now() > end || (focused !== document.body && !isButton)) clearInterval(this.passing);
      else if (!isButton || focused.disabled) {
        const places = ["step-parts", "guess", "step-ways"].map((key) => document.querySelector(`.st-key-${key} button:enabled`));
        places.find(Boolean)?.focus({ preventScroll: true });
      }
    }, 50);
  }

  // ---- the diagram

  build() {
    this.svg.ariaLabel = this.text("diagram");
    this.items = new Map();
    this.heads = ["pixels", "weights", "units", "weights", "scores", "probabilities", "loss"].map((key) => {
      const head = make("text", "head", this.svg);
      head.textContent = this.text(key);
      return head;
    });
    this.columns = [
      { across: SIDE, ids: range(PIXELS).map((i) => this.add({ kind: "pixel", i }, "rect")) },
      { across: SIDE, ids: range(HIDDEN).flatMap((j) => range(PIXELS).map((i) => this.add({ kind: "w1", i, j }, "rect"))) },
      { across: 2, ids: range(HIDDEN).flatMap((j) => [this.add({ kind: "b1", j }, "rect"), this.add({ kind: "unit", j }, "circle")]) },
      { across: 1, ids: range(CLASSES).flatMap((k) => range(HIDDEN).map((j) => this.add({ kind: "w2", j, k }, "line"))) },
      {
        across: 3,
        ids: range(CLASSES).flatMap((k) => [this.add({ kind: "b2", k }, "rect"), this.add({ kind: "score", k }, "circle"), this.add({ kind: "probability", k }, "bar")]),
      },
      { across: 1, ids: [this.add({ kind: "loss" }, "circle")] },
      { across: 5, ids: Object.keys(ARROWS).slice(0, 5).map((name) => this.add({ kind: "arrow", name }, "arrow")) },
      { across: 4, ids: Object.keys(ARROWS).slice(5).reverse().map((name) => this.add({ kind: "arrow", name }, "arrow")) },
    ];
    this.columns.forEach((column) => column.ids.forEach((item, place) => Object.assign(item, { column, place })));
    this.columns[0].ids[0].node.setAttribute("tabindex", 0);
    const around = this.svg.parentElement; // an <svg> that listens to the focus would become a stop of the Tab key itself
    this.listening = new AbortController();
    const { signal } = this.listening;
    for (const kind of ["pointerover", "focusin"]) around.addEventListener(kind, (event) => this.point(event), { signal });
    for (const kind of ["pointerleave", "focusout"]) around.addEventListener(kind, () => this.point(), { signal });
    this.svg.addEventListener("click", (event) => this.choose(event), { signal });
    this.svg.addEventListener("keydown", (event) => this.move(event), { signal });
  }

  add(item, shape) {
    const id = [item.kind, item.name, item.i, item.j, item.k].filter((part) => part !== undefined).join(" ");
    const node = make("g", `item ${item.kind}`, this.svg);
    if (shape === "line") this.svg.insertBefore(node, this.svg.firstChild); // below the units
    node.setAttribute("role", "button");
    node.setAttribute("tabindex", -1);
    node.dataset.id = id;
    Object.assign(item, { id, node, shape });
    if (shape === "line") item.hit = make("line", "hit", node);
    item.mark = make(shape === "arrow" ? "path" : shape === "bar" ? "rect" : shape, "mark", node);
    if (shape === "bar") item.fill = make("rect", "fill", node);
    if (shape === "arrow") item.hit = make("rect", "hit", node);
    if (["unit", "score", "probability", "loss"].includes(item.kind)) item.label = make("text", "value", node);
    if (item.kind === "probability") item.digit = make("text", "digit", this.svg);
    item.digit?.setAttribute("aria-hidden", true); // the name of the item says it
    this.items.set(id, item);
    return item;
  }

  // Where everything is, for the width that there is.
  place() {
    const width = this.svg.parentElement.clientWidth;
    if (!width) return;
    const isNarrow = width < NARROW;
    const cell = isNarrow ? 5 : innerHeight < 900 ? 6 : 7, gap = isNarrow ? 6 : 8, pixel = isNarrow ? 9 : Math.min(22, width / 38);
    const tall = HIDDEN * (SIDE * cell + gap) - gap, radius = isNarrow ? 12 : 18, small = isNarrow ? 10 : 15, edge = 4;
    const wide = { pixels: SIDE * pixel, weights: SIDE * cell, units: 2 * radius + 9, scores: 2 * small + 9, probabilities: isNarrow ? 56 : 130, loss: isNarrow ? 34 : 64 };
    const spare = width - 2 * edge - Object.values(wide).reduce((sum, part) => sum + part);
    const x = { pixels: edge }; // the left edges: the weights between units and scores get most of the room
    x.weights = x.pixels + wide.pixels + spare * 0.12;
    x.units = x.weights + wide.weights + 4;
    x.probabilities = width - edge - wide.loss - spare * 0.06 - wide.probabilities;
    x.loss = width - edge - wide.loss;
    x.scores = x.probabilities - wide.scores - 6;
    this.middles = Object.fromEntries(Object.keys(wide).map((key) => [key, x[key] + wide[key] / 2]));
    this.svg.classList.toggle("narrow", isNarrow);
    const heads = [this.middles.pixels, this.middles.weights, this.middles.units + 4, (x.units + wide.units + x.scores) / 2, this.middles.scores + 2, this.middles.probabilities, this.middles.loss];
    const halves = this.heads.map((head) => head.getComputedTextLength() / 2);
    heads[6] = Math.min(heads[6], width - halves[6]);
    const isTight = heads.some((at, i) => i > 1 && at - halves[i] < heads[i - 1] + halves[i - 1] + 4); // long words: in two lines
    const top = (isNarrow ? 56 : 62) + (isTight ? 14 : 0), height = top + tall + (isNarrow ? 36 : 40);
    heads.forEach((at, i) => attributes(this.heads[i], { x: at, y: top - (isTight && i % 2 === 0 ? 24 : 10) }));
    const pixelTop = top + (tall - SIDE * pixel) / 2;
    attributes(this.heads[0], { y: pixelTop - 8 });
    const unitAt = (j) => ({ x: x.units + 9 + radius, y: top + j * (SIDE * cell + gap) + (SIDE * cell) / 2 });
    const scoreAt = (k) => ({ x: x.scores + 9 + small, y: top + (tall * (k + 0.5)) / CLASSES });
    attributes(this.svg, { width, height, viewBox: `0 0 ${width} ${height}` });
    for (const item of this.items.values()) {
      const { kind, i, j, k, mark } = item;
      if (kind === "pixel") box(item, x.pixels + (i % SIDE) * pixel, pixelTop + Math.floor(i / SIDE) * pixel, pixel, pixel);
      if (kind === "w1") box(item, x.weights + (i % SIDE) * cell, top + j * (SIDE * cell + gap) + Math.floor(i / SIDE) * cell, cell, cell);
      if (kind === "b1") box(item, x.units - 1, unitAt(j).y + radius - 6, 9, 9);
      if (kind === "unit") ball(item, unitAt(j), radius);
      if (kind === "b2") box(item, x.scores - 1, scoreAt(k).y + small - 7, 9, 9);
      if (kind === "score") ball(item, scoreAt(k), small);
      if (kind === "loss") ball(item, { x: this.middles.loss, y: top + tall / 2 }, wide.loss / 2 - 1);
      if (kind === "w2") {
        const from = unitAt(j), to = scoreAt(k);
        for (const line of [item.hit, mark]) attributes(line, { x1: from.x + radius, y1: from.y, x2: to.x - small, y2: to.y });
        item.at = { x: (from.x + to.x) / 2, y: (from.y + to.y) / 2 };
      }
      if (kind === "probability") {
        const left = x.probabilities + (isNarrow ? 14 : 22), high = isNarrow ? 14 : 18, long = wide.probabilities - (isNarrow ? 14 : 22);
        box(item, left, scoreAt(k).y - high / 2, long, high);
        attributes(item.fill, { x: left, y: scoreAt(k).y - high / 2, height: high });
        attributes(item.digit, { x: x.probabilities + (isNarrow ? 6 : 10), y: scoreAt(k).y });
        attributes(item.label, { x: left + long - 4, y: scoreAt(k).y });
        item.long = long;
      }
      if (kind === "arrow") this.placeArrow(item, isNarrow ? 20 : 22, height - 16, radius);
    }
    this.paint();
  }

  placeArrow(item, above, below, radius) {
    const [from, to] = ARROWS[item.name];
    const isBack = item.name.startsWith("from"), y = isBack ? below : above, side = isBack ? -1 : 1;
    const stop = (column, sign) => this.middles[column] + (column === "units" ? sign * (radius + 1) : sign * 5);
    let start = stop(from, side), end = stop(to, -side);
    if (from === to) [start, end] = [this.middles.units - side * (radius - 2), this.middles.units + side * (radius - 2)];
    attributes(item.mark, { d: `M${start} ${y}H${end}m${-5 * side} -5l${5 * side} 5l${-5 * side} 5` });
    attributes(item.hit, { x: Math.min(start, end), y: y - 12, width: Math.abs(end - start), height: 24 });
    item.at = { x: (start + end) / 2, y };
  }

  // The numbers as colours, and what has been computed lit up.
  paint() {
    const { data, image, mode } = this, { stage } = data;
    const parameters = { values: data.before, gradients: data.gradients, changes: data.changes }[mode] ?? data.before;
    const isBack = mode === "gradients";
    const nodes = isBack ? { unit: data.hiddenGradients, score: data.scoreGradients } : { unit: data.hidden, score: data.scores };
    const limits = {};
    const limit = (key, values) => (limits[key] ??= Math.max(1e-12, ...values.flat().map(Math.abs)));
    for (const item of this.items.values()) {
      const { kind, i, j, k, node, mark, label } = item;
      node.setAttribute("aria-pressed", item === this.chosen);
      if (kind === "pixel") mark.style.fill = css(mix([0, 0, 0], INK, data.inputs[image][i]));
      else if (kind === "w1" || kind === "w2") {
        const values = kind === "w1" ? parameters.slice(0, PLACES.w2) : parameters.slice(PLACES.w2, PLACES.b1);
        const share = parameters[this.position(item)] / limit(kind, values);
        if (kind === "w1") mark.style.fill = css(colour(share));
        else Object.assign(mark.style, { stroke: css(colour(share)), strokeWidth: 0.6 + 2.4 * Math.abs(share), strokeOpacity: 0.25 + 0.75 * Math.abs(share) });
      } else if (kind === "b1" || kind === "b2") {
        mark.style.fill = css(colour(parameters[this.position(item)] / limit("b", parameters.slice(PLACES.b1))));
      } else if (kind === "unit" || kind === "score") {
        const values = nodes[kind];
        const isOn = node.classList.toggle("on", !!values);
        const share = isOn ? values[image][j ?? k] / limit(kind, values) : 0;
        mark.style.fill = css(colour(share));
        label.style.fill = Math.abs(share) > 0.45 ? "#0c0e15" : "#ffffff";
        label.textContent = isOn ? this.short(values[image][j ?? k]) : "";
        attributes(label, { x: item.at.x, y: item.at.y });
      } else if (kind === "probability") {
        const value = data.probabilities?.[image][k];
        node.classList.toggle("on", value !== undefined);
        for (const part of [node, item.digit]) part.classList.toggle("right", stage >= LOSS && data.labels[image] === k);
        attributes(item.fill, { width: (value ?? 0) * item.long });
        label.textContent = value === undefined ? "" : `${Math.round(100 * value)} %`;
        item.digit.textContent = k;
      } else if (kind === "loss") {
        node.classList.toggle("on", stage >= LOSS);
        label.textContent = stage >= LOSS ? this.short(mode === "changes" ? data.lossAfter : data.loss) : "";
        attributes(label, { x: item.at.x, y: item.at.y });
      } else if (kind === "arrow") {
        node.classList.toggle("on", stage >= (item.name === "to loss" ? LOSS : item.name.startsWith("to") ? FORWARD : BACKWARD));
      }
    }
    for (const item of this.items.values()) item.node.ariaLabel = this.nameWithNumber(item);
    this.markPath();
  }

  // The other end of what is pointed at: the pixel and the unit of a weight, and the weights of a pixel.
  markPath() {
    const item = this.pointed ?? this.chosen;
    for (const other of this.items.values()) {
      const isOfItem = item && other !== item && {
        pixel: other.kind === "w1" && other.i === item.i,
        w1: (other.kind === "pixel" && other.i === item.i) || (other.kind === "unit" && other.j === item.j),
        w2: (other.kind === "unit" && other.j === item.j) || (other.kind === "score" && other.k === item.k),
        unit: other.kind === "w2" && other.j === item.j,
        score: other.kind === "w2" && other.k === item.k,
      }[item.kind];
      other.node.classList.toggle("linked", !!isOfItem);
      other.node.classList.toggle("chosen", other === this.chosen);
    }
  }

  // Which image is shown, and whether weights, gradients or changes are.
  showChoices() {
    const { data } = this;
    const images = data.labels.map((label, n) => [this.fill("image", { image: n + 1, label }), this.image === n, () => (this.image = n), true]);
    const modes = [["values", 0], ["gradients", BACKWARD], ["changes", UPDATE]].map(([mode, stage]) => [
      this.text(`show ${mode}`), this.mode === mode, () => (this.mode = mode), data.stage >= stage,
    ]);
    this.choices.replaceChildren(...[data.labels.length > 1 ? images : [], modes].filter(({ length }) => length).map((choices) => {
      const group = element("div", "group");
      for (const [text, isOn, act, isPossible] of choices) {
        const button = element("button", "", text);
        Object.assign(button, { type: "button", disabled: !isPossible, ariaPressed: `${isOn}` });
        button.addEventListener("click", () => {
          act();
          const places = [...this.choices.querySelectorAll("button")], place = places.indexOf(button);
          this.showChoices();
          this.choices.querySelectorAll("button")[place].focus();
          this.paint();
          this.show(this.pointed ?? this.chosen);
        });
        group.append(button);
      }
      return group;
    }));
  }

  // ---- pointing, choosing and moving

  itemOf(event) {
    return this.items.get(event?.target.closest?.(".item")?.dataset.id);
  }

  point(event) {
    this.pointed = this.itemOf(event);
    this.show(this.pointed ?? this.chosen);
    this.markPath();
    if (event?.type === "focusin" && this.pointed) this.pointed.node.ariaLabel = `${this.nameWithNumber(this.pointed)}. ${this.spoken()}`;
  }

  choose(event) {
    const item = this.itemOf(event);
    if (!item) return;
    this.makeStop(item);
    this.chosen = item === this.chosen ? undefined : item;
    this.by = FIRST_NUDGE;
    this.paint();
    this.show(item);
  }

  makeStop(item) {
    for (const { node } of this.items.values()) if (node.tabIndex === 0) node.setAttribute("tabindex", -1);
    item.node.setAttribute("tabindex", 0);
  }

  // The arrow keys go through the network; it is one stop of the Tab key.
  move(event) {
    const item = this.itemOf(event);
    if (!item) return;
    if (event.key === "Enter" || event.key === " ") {
      event.preventDefault();
      this.choose(event);
      return;
    }
    const { column, place } = item, { across, ids } = column, isArrow = item.kind === "arrow";
    let next;
    if (event.key === "ArrowRight") next = ((place + 1) % across && ids[place + 1]) || this.beside(item, 1);
    else if (event.key === "ArrowLeft") next = (place % across && ids[place - 1]) || this.beside(item, -1);
    else if (event.key === "ArrowDown") next = isArrow ? this.fromArrow(item, true) : (ids[place + across] ?? this.nearest(this.columns[7], item.at, "x"));
    else if (event.key === "ArrowUp") next = isArrow ? this.fromArrow(item, false) : (ids[place - across] ?? this.nearest(this.columns[6], item.at, "x"));
    else return;
    event.preventDefault();
    if (!next) return;
    this.makeStop(next);
    next.node.focus();
  }

  // In the column beside, what belongs to this item, or else what is at the same height at its edge.
  beside({ kind, column, at, j, k }, step) {
    const own = { "w1 1": `b1 ${j}`, "b1 -1": `w1 0 ${j}`, "unit 1": `w2 ${j} 0`, "w2 -1": `unit ${j}`, "w2 1": `b2 ${k}`, "b2 -1": `w2 0 ${k}` };
    const number = this.columns.indexOf(column) + step;
    if (kind === "arrow" || number < 0 || number > 5) return undefined;
    const { ids, across } = this.columns[number];
    const edge = ids.filter((_, place) => place % across === (step > 0 ? 0 : across - 1));
    return this.items.get(own[`${kind} ${step}`]) ?? this.nearest({ ids: edge }, at, "y");
  }

  // From an arrow above the network down into it, or from one below it up.
  fromArrow(item, isDown) {
    const isAbove = item.column === this.columns[6];
    if (isAbove !== isDown) return undefined;
    const columns = this.columns.slice(0, 6);
    const ends = columns.flatMap(({ ids, across }) => (isDown ? ids.slice(0, across) : ids.slice(-across)));
    return this.nearest({ ids: ends }, item.at, "x");
  }

  nearest({ ids }, at, axis) {
    const distance = (item) => Math.abs(item.at[axis] - at[axis]);
    return [...ids].sort((a, b) => distance(a) - distance(b))[0];
  }

  // ---- what is said about an item

  text(key) {
    return this.data.texts[key];
  }

  fill(key, values) {
    return this.text(key).replace(/{(\w+)}/g, (whole, name) => values[name] ?? whole);
  }

  name({ kind, name, i, j, k }) {
    const values = { row: Math.floor(i / SIDE) + 1, column: (i % SIDE) + 1, unit: j + 1, digit: k };
    const key = { w1: "weight 1", w2: "weight 2", b1: "bias 1", b2: "bias 2" }[kind] ?? kind;
    if (kind === "arrow") return this.text(name.startsWith("to") ? "forward arrow" : "backward arrow") + ": " + this.text(name);
    return this.fill(key, values);
  }

  nameWithNumber(item) {
    const number = item.label?.textContent;
    return number ? `${this.name(item)}: ${number}` : this.name(item);
  }

  position({ kind, i, j, k }) {
    return PLACES[kind] + { w1: i * HIDDEN + j, w2: j * CLASSES + k, b1: j, b2: k }[kind];
  }

  // Numbers as people write them.
  write(value) {
    if (!value) return "0";
    const size = Math.abs(value);
    if (size >= 0.001 && size < 1e6) return this.number.format(size >= 100 ? Math.round(value * 10) / 10 : value).replace("-", "−");
    const power = Math.floor(Math.log10(size));
    const digits = [...`${power}`].map((sign) => (sign === "-" ? "⁻" : "⁰¹²³⁴⁵⁶⁷⁸⁹"[sign])).join("");
    return `${this.number.format(Math.round((value / 10 ** power) * 100) / 100).replace("-", "−")} · 10${digits}`;
  }

  short(value) {
    const digits = Math.abs(value) >= 100 ? 0 : Math.abs(value) >= 10 ? 1 : 2;
    return value.toLocaleString(this.data.language, { minimumFractionDigits: digits, maximumFractionDigits: digits, useGrouping: false }).replace("-", "−");
  }

  // The text of the details, for a screen reader.
  spoken() {
    return [...this.content.querySelectorAll("p, .result")].map((part) => part.textContent).join(" ");
  }

  show(item) {
    this.title.textContent = item ? this.name(item) : this.text("start");
    this.content.replaceChildren(...(item ? this.describe(item) : [element("p", "", this.text("hint"))]));
    for (const formula of this.content.querySelectorAll(".formula")) if (formula.scrollWidth > formula.clientWidth + 1) formula.tabIndex = 0;
    this.showNudge(item);
    const { details } = this;
    details.classList.toggle("about", !!item);
    if (details.scrollHeight > details.clientHeight + 1) details.tabIndex = 0;
    else details.removeAttribute("tabindex");
  }

  describe(item) {
    const { data, image: n } = this, { stage } = data, { kind, i, j, k } = item;
    const p = (key, values = {}) => element("p", "", this.fill(key, values));
    const later = (part) => p("not yet", { part: this.text(`part ${part}`) });
    const { formulas } = data, renamed = kind === "score" || kind === "w2" ? { x: "a" } : {};
    const parameter = (name, ...at) => data.before[this.position({ kind: name, ...Object.assign({}, ...at) })];
    const constants = { N: data.labels.length, K: CLASSES };
    switch (kind) {
      case "arrow": {
        const example = ARROWS[item.name][2];
        const number = example === "score" || example === "probability" ? { k: data.labels[n] } : { j: this.largestUnit(), i: this.inkiest() };
        const about = this.items.get([example, example === "w1" ? number.i : undefined, number.j, number.k].filter((part) => part !== undefined && example !== "loss").join(" ")) ?? this.items.get(example === "unit" ? `unit ${number.j}` : example);
        const parts = this.describe(about), isBack = item.name.startsWith("from");
        const isFormula = (part) => part.classList.contains("formula") || part.classList.contains("block");
        const blocks = parts.filter(isFormula);
        const chosen = { "to outputs": [1], "from scores": [2], "from outputs": [3], "from loss": [1], "from sums": [0] }[item.name] ?? [0];
        const shown = chosen.map((place) => blocks[place]).filter(Boolean);
        const stageNeeded = isBack ? BACKWARD : item.name === "to loss" ? LOSS : FORWARD;
        return shown.length ? [element("p", "", `${this.text("example")} ${this.name(about)}`), ...shown] : [later(stageNeeded)];
      }
      case "pixel": {
        const parts = [p("pixel is"), this.equation("x", undefined, {}, data.inputs[n][i])];
        if (stage < BACKWARD) return parts;
        const rows = range(HIDDEN).map((unit) => ({ w: parameter("w1", { i, j: unit }), dz: data.sumGradients[n][unit] }));
        return [...parts, p("pixel gradient"), this.equation("dx", formulas.input_gradient, {}, data.inputGradients[n][i], byProduct(rows, "w", "dz"))];
      }
      case "w1":
      case "w2": {
        const isFirst = kind === "w1";
        const parts = [p("weight is"), this.equation("w", undefined, {}, data.before[this.position(item)])];
        if (stage < BACKWARD) return [...parts, later(BACKWARD)];
        const inputs = isFirst ? data.inputs : data.hidden, gradients = isFirst ? data.sumGradients : data.scoreGradients;
        const rows = data.labels.map((_, image) => ({ x: inputs[image][isFirst ? i : j], dz: gradients[image][isFirst ? j : k] }));
        const key = rows.length > 1 ? "weight gradient 3" : "weight gradient";
        return [...parts, p(key), this.equation("dw", formulas.weight_gradient, {}, data.gradients[this.position(item)], rows, renamed), ...this.optimizer(item)];
      }
      case "b1":
      case "b2": {
        const parts = [p("bias is"), this.equation("b", undefined, {}, data.before[this.position(item)])];
        if (stage < BACKWARD) return [...parts, later(BACKWARD)];
        const gradients = kind === "b1" ? data.sumGradients : data.scoreGradients;
        const rows = gradients.map((row) => ({ dz: row[j ?? k] }));
        return [...parts, p("bias gradient"), this.equation("db", formulas.bias_gradient, {}, data.gradients[this.position(item)], rows), ...this.optimizer(item)];
      }
      case "unit": {
        if (stage < FORWARD) return [p("unit sum"), this.symbols("z", formulas.sum), later(FORWARD)];
        const sumRows = range(PIXELS).map((pixel) => ({ w: parameter("w1", { i: pixel, j }), x: data.inputs[n][pixel] }));
        const rows = range(HIDDEN).map((unit) => ({ z: data.sums[n][unit], a: data.hidden[n][unit], da: data.hiddenGradients?.[n][unit] }));
        const parts = [
          p("unit sum"), this.equation("z", formulas.sum, { b: parameter("b1", { j }) }, data.sums[n][j], byProduct(sumRows, "w", "x")),
          p("unit activation", { activation: data.activation }), this.equation("a", formulas.activation, rows[j], data.hidden[n][j], rows),
        ];
        if (stage < BACKWARD) return parts;
        const back = range(CLASSES).map((digit) => ({ w: parameter("w2", { j, k: digit }), dz: data.scoreGradients[n][digit] }));
        return [
          ...parts, p("unit gradient"), this.equation("da", formulas.input_gradient, {}, data.hiddenGradients[n][j], byProduct(back, "w", "dz")),
          p("sum gradient"), this.equation("dz", formulas.activation_gradient, rows[j], data.sumGradients[n][j], rows),
        ];
      }
      case "score": {
        if (stage < FORWARD) return [p("score sum"), this.symbols("z", formulas.sum, renamed), later(FORWARD)];
        const rows = range(HIDDEN).map((unit) => ({ w: parameter("w2", { j: unit, k }), x: data.hidden[n][unit] }));
        const parts = [p("score sum"), this.equation("z", formulas.sum, { b: parameter("b2", { k }) }, data.scores[n][k], byProduct(rows, "w", "x"), renamed)];
        if (stage < BACKWARD) return parts;
        const all = this.outputRows(n);
        return [...parts, p("score gradient"), this.equation("dz", formulas.loss_gradient, { ...all[k], ...constants }, data.scoreGradients[n][k], all)];
      }
      case "probability": {
        if (stage < FORWARD) return [p("probability is"), this.symbols("p", formulas.probability), later(FORWARD)];
        const all = this.outputRows(n);
        const parts = [p("probability is"), this.equation("p", formulas.probability, all[k], data.probabilities[n][k], all)];
        return stage < LOSS ? parts : [...parts, p("target"), this.equation("t", undefined, {}, data.targets[n][k])];
      }
      case "loss": {
        const about = p("loss is", { loss: data.loss_name, digit: data.labels[n] });
        if (stage < LOSS) return [about, this.symbols("l", formulas.loss), later(LOSS)];
        const all = this.outputRows(n);
        const values = { ...all[data.labels[n]], ...constants, p_label: data.probabilities[n][data.labels[n]] };
        const parts = [about, this.equation("l", formulas.loss, values, data.losses[n], all)];
        if (data.losses.length > 1) parts.push(p("loss mean"), this.equation("l", formulas.mean_loss, constants, data.loss, data.losses.map((l) => ({ l }))));
        return stage < UPDATE ? parts : [...parts, p("loss after"), this.equation("l", undefined, {}, data.lossAfter)];
      }
    }
  }

  outputRows(n) {
    const { scores, probabilities, targets } = this.data;
    return range(CLASSES).map((k) => ({ z: scores[n][k], p: probabilities[n][k], t: targets[n][k] }));
  }

  largestUnit() {
    const values = this.data.hidden?.[this.image] ?? [0];
    return values.indexOf(Math.max(...values));
  }

  inkiest() {
    const values = this.data.inputs[this.image];
    return values.indexOf(Math.max(...values));
  }

  // The optimizer's rule for one parameter, line by line; each line sees what the one before has computed.
  optimizer(item) {
    const { data } = this, position = this.position(item);
    if (data.stage < UPDATE) return [element("p", "", this.fill("not yet", { part: this.text("part 4") }))];
    const at = (vectors) => Object.fromEntries(Object.entries(vectors).map(([name, vector]) => [name, vector[position]]));
    const values = { ...data.hyperparameters, ...at(data.stateBefore), weight: data.before[position], gradient: data.gradients[position] };
    const after = { ...at(data.stateAfter), weight: data.after[position] };
    const used = new Set(), key = item.kind.startsWith("w") ? "update is" : "update bias";
    const lines = data.formulas.optimizer.map(([name, tree]) => {
      collect(tree, used);
      const line = this.equation(name, tree, { ...values }, after[name]);
      values[name] = after[name];
      return line;
    });
    const legend = element("p", "legend");
    legend.innerHTML = [...used].map((name) => `<span>${this.math(name, {})}\u00a0${escape(data.names[name] ?? name.replaceAll("_", " "))}</span>`).join(" ");
    return [element("p", "", this.fill(key, { optimizer: data.optimizer })), ...lines, legend];
  }

  // ---- formulas as MathML

  // name = formula, in symbols.
  symbols(name, tree, renamed = {}) {
    const formula = element("div", "formula");
    formula.innerHTML = `${this.math(name, { renamed })}${math(`<mo>=</mo>${write(tree, { leaf: (leaf) => this.symbol(leaf, renamed) })}`)}`;
    return formula;
  }

  // name = formula in symbols, then with numbers, then the result; `rows` have the values of what is added up.
  equation(name, tree, values, result, rows = [], renamed = {}) {
    const block = element("div", "block formula");
    const equals = (markup) => math(`<mo>=</mo>${markup}`);
    const value = `<span class="result">${equals(`<mn>${escape(this.write(result))}</mn>`)}</span>`;
    if (tree === undefined) {
      block.innerHTML = `<div>${this.math(name, { renamed })}${value}</div>`;
      return block;
    }
    const pen = this.numberPen(values, rows);
    const inSymbols = write(tree, { leaf: (leaf) => this.symbol(leaf, renamed) });
    const [first, ...others] = pieces(tree, pen);
    block.innerHTML = `<div>${this.math(name, { renamed })}${equals(inSymbols)}</div><div>${equals(first)}${others.map(math).join("")}${value}</div>`;
    return block;
  }

  // How names are written as numbers, what is added up as its terms, and which of two cases holds.
  numberPen(values, rows) {
    const isLong = rows.length > SHOWN_TERMS + 1;
    return {
      leaf: (leaf) => this.leaf(leaf, values),
      terms: (inner, outer) => [
        ...(isLong ? rows.slice(0, SHOWN_TERMS) : rows).map((row) => write(inner, this.numberPen({ ...values, ...row }, []), outer)),
        ...(isLong ? ["<mo>…</mo>"] : []),
      ],
      holds: (left, right) => (values[left] ?? left) > (values[right] ?? right),
    };
  }

  math(name, { renamed = {} }) {
    return math(this.symbol(name, renamed));
  }

  symbol(leaf, renamed) {
    if (typeof leaf === "number") return `<mn>${escape(this.write(leaf))}</mn>`;
    const name = renamed[leaf] ?? leaf, symbol = this.data.symbols[name] ?? name;
    if (Array.isArray(symbol)) {
      const [above, below] = symbol.map((part) => `<mi mathvariant="normal">${part}</mi>`);
      return `<mfrac>${above}${below}</mfrac>`;
    }
    if (name === "p_label") return `<msub><mi>p</mi><mn>${this.data.labels[this.image]}</mn></msub>`;
    return `<mi>${escape(symbol)}</mi>`;
  }

  leaf(leaf, values) {
    const value = typeof leaf === "number" ? leaf : values[leaf];
    if (value === undefined) return this.symbol(leaf, {});
    const written = `<mn>${escape(this.write(value))}</mn>`;
    return value < 0 || written.includes("·") ? `<mrow><mo>(</mo>${written}<mo>)</mo></mrow>` : written;
  }

  // ---- nudging a weight by hand

  showNudge(item) {
    const { data } = this, isWeight = item && item.kind in PLACES && item === this.chosen;
    this.nudging.hidden = !isWeight;
    if (!isWeight) return;
    if (data.stage < LOSS) {
      this.nudging.replaceChildren(element("p", "", this.text("nudge later")));
      this.slider = undefined;
      return;
    }
    if (!this.slider?.isConnected) this.buildNudge();
    const result = data.nudge?.position === this.position(item) && data.nudge.by === this.by ? data.nudge : undefined;
    this.slider.value = this.by;
    this.label.textContent = this.fill("nudge by", { by: this.write(this.by) });
    if (!result) {
      if (data.nudge?.position !== this.position(item)) this.outcome.replaceChildren(); // it is about another weight
      this.ask();
      return;
    }
    const p = (key, values = {}) => element("p", "", this.fill(key, values));
    const slopes = element("dl");
    for (const [key, value] of [["nudge slope", result.slope], ["tiny slope", result.finite_difference], ["gradient", result.gradient]])
      if (value !== undefined) slopes.append(element("dt", "", this.text(key)), element("dd", "", this.write(value)));
    const verdict = result.gradient === undefined ? "nudge gradient later" : result.agrees ? "nudge agrees" : "nudge differs";
    const values = { before: this.write(result.before), after: this.write(result.loss), change: this.write(result.change) };
    this.outcome.replaceChildren(p("nudge change", values), slopes, p(verdict));
  }

  buildNudge() {
    const heading = element("h3", "", this.text("nudge")), row = element("div", "row");
    const [less, more] = [["−", "nudge less", -0.1], ["+", "nudge more", 0.1]].map(([sign, key, by]) => {
      const button = element("button", "", sign);
      Object.assign(button, { type: "button", ariaLabel: this.text(key) });
      button.addEventListener("click", () => this.nudge(Math.round((this.by + by) * 100) / 100));
      return button;
    });
    this.slider = element("input");
    Object.assign(this.slider, { type: "range", min: -this.data.maxNudge, max: this.data.maxNudge, step: 0.01, ariaLabel: this.text("nudge") });
    this.slider.addEventListener("input", () => this.nudge(Number(this.slider.value)));
    this.label = element("output", "by");
    this.outcome = element("div", "outcome");
    this.outcome.setAttribute("role", "status");
    row.append(less, this.slider, more, this.label);
    this.nudging.replaceChildren(heading, row, this.outcome);
  }

  nudge(by) {
    this.by = Math.max(-this.data.maxNudge, Math.min(this.data.maxNudge, by));
    this.slider.value = this.by;
    this.label.textContent = this.fill("nudge by", { by: this.write(this.by) });
    this.ask();
  }

  // Ask Python for the loss with this nudge; of many movements of the slider only the last one.
  ask() {
    clearTimeout(this.asking);
    this.asking = setTimeout(() => this.chosen && this.send({ of: this.data.of, position: this.position(this.chosen), by: this.by }), 120);
  }
}

// How strongly an operator binds; a weaker one inside needs brackets.
const STRENGTH = { "+": 1, "-": 1, "*": 2, negative: 2, "^": 3 };

// What a tree adds up, in pieces that may stand in different lines.
function pieces(tree, pen) {
  if (tree[0] === "total") return pen.terms(tree[1], "+").map((term, i) => (i ? `<mo form="infix">+</mo>${term}` : term));
  if (tree[0] !== "+" && tree[0] !== "-") return [write(tree, pen)];
  const [sign, left, right] = tree;
  return [...pieces(left, pen), `<mo form="infix">${sign === "+" ? "+" : "−"}</mo>${write(right, pen, sign === "+" ? "+" : "- right")}`];
}

// A tree of formulas.py as MathML, written by a pen: `leaf` writes names and numbers. A pen for numbers also writes the `terms`
// of a sum, and knows which of two cases `holds`; others write a sum sign, and both cases.
function write(tree, pen, outer = "") {
  if (!Array.isArray(tree)) return pen.leaf(tree);
  const [kind, ...parts] = tree;
  const inside = (part, within) => write(part, pen, within);
  const brackets = (markup) => `<mrow><mo>(</mo>${markup}<mo>)</mo></mrow>`;
  switch (kind) {
    case "+": case "-": case "*": {
      const sign = { "+": "+", "-": "−", "*": "·" }[kind];
      const right = kind === "-" ? "- right" : kind;
      const markup = `<mrow>${inside(parts[0], kind)}<mo>${sign}</mo>${inside(parts[1], right)}</mrow>`;
      const isWeaker = outer === "- right" ? STRENGTH[kind] <= 1 : STRENGTH[kind] < (STRENGTH[outer] ?? 0);
      return isWeaker ? brackets(markup) : markup;
    }
    case "/": return `<mfrac><mrow>${inside(parts[0])}</mrow><mrow>${inside(parts[1])}</mrow></mfrac>`;
    case "^": return `<msup><mrow>${inside(parts[0], "^")}</mrow><mrow>${inside(parts[1])}</mrow></msup>`;
    case "negative": return `<mrow><mo>−</mo>${inside(parts[0], "*")}</mrow>`;
    case ">": return `<mrow>${inside(parts[0])}<mo>&gt;</mo>${inside(parts[1])}</mrow>`;
    case "exp": return `<msup><mi>e</mi><mrow>${inside(parts[0])}</mrow></msup>`;
    case "sqrt": return `<msqrt><mrow>${inside(parts[0])}</mrow></msqrt>`;
    case "total": {
      if (!pen.terms) return `<mrow><mo>∑</mo>${inside(parts[0], "*")}</mrow>`;
      const markup = `<mrow>${pen.terms(parts[0], "+").join("<mo>+</mo>")}</mrow>`;
      return (STRENGTH[outer] ?? 0) > 1 || outer === "- right" ? brackets(markup) : markup;
    }
    case "if": {
      const [test, yes, no] = parts, [, left, right] = test;
      const row = (value, sign) => `<mtr><mtd>${inside(value)}</mtd><mtd><mtext>\u00a0\u00a0</mtext>${inside(left)}<mo>${sign}</mo>${inside(right)}</mtd></mtr>`;
      if (pen.holds) return inside(pen.holds(left, right) ? yes : no, outer);
      return `<mrow><mo>{</mo><mtable columnalign="left">${row(yes, "&gt;")}${row(no, "≤")}</mtable></mrow>`;
    }
    default: {
      const name = kind === "log" ? "ln" : kind;
      return `<mrow><mi mathvariant="normal">${name}</mi><mo>(</mo>${parts.map((part) => inside(part)).join("<mo>;</mo>")}<mo>)</mo></mrow>`;
    }
  }
}

// The names in a tree.
function collect(tree, names) {
  if (typeof tree === "string") names.add(tree);
  else if (Array.isArray(tree)) tree.slice(1).forEach((part) => collect(part, names));
}

const byProduct = (rows, one, other) => rows.sort((a, b) => Math.abs(b[one] * b[other]) - Math.abs(a[one] * a[other]));
const math = (markup) => `<math><mstyle displaystyle="true">${markup}</mstyle></math>`;
const escape = (text) => `${text}`.replace(/[&<>"]/g, (sign) => `&#${sign.charCodeAt(0)};`);

function element(tag, name = "", text = "") {
  const made = document.createElement(tag);
  if (name) made.className = name;
  made.textContent = text;
  return made;
}

function make(tag, name, parent) {
  const made = document.createElementNS(SVG, tag);
  made.setAttribute("class", name);
  parent.append(made);
  return made;
}

function attributes(node, values) {
  for (const [name, value] of Object.entries(values)) node.setAttribute(name, value);
}

function box(item, x, y, width, height) {
  attributes(item.mark, { x, y, width, height });
  item.at = { x: x + width / 2, y: y + height / 2 };
}

function ball(item, at, r) {
  attributes(item.mark, { cx: at.x, cy: at.y, r });
  item.at = at;
}

function colour(share) {
  const [middle, end] = share < 0 ? BELOW : ABOVE, size = Math.min(Math.abs(share), 1);
  return size < 0.6 ? mix(OFF, middle, size / 0.6) : mix(middle, end, (size - 0.6) / 0.4);
}

const mix = (from, to, share) => from.map((value, i) => Math.round(value + (to[i] - value) * share));
const css = (rgb) => `rgb(${rgb.join(" ")})`;
