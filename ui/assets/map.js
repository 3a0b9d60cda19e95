// A map of images on two canvases: the dots, and over them what belongs to the drawing. ui/map_view.py sends the dots, and
// map_point.js, in mid-stroke, where the drawing lies.
const MOVE = 700, GLIDE = 90; // ms, of the dots to their places on another map, and of the drawing's point
const MAX_ZOOM = 40, STEP = 1.4, PAN = 0.15; // STEP and PAN of one key
const MARGIN = 0.88; // of the field, for the usual extent of the dots
const USUAL = 0.003; // the share of the dots that may lie outside of it, on each of the four sides
const DOT = 2.6, YOU = 8; // px
const MAX_TILES = 220, MIN_TILE = 20, MAX_TILE = 44; // with fewer dots in view, each is shown as its image; px
const REACH = 14; // px, from the pointer to the dot that it means
const SIDE = 28; // px, of an image
const FLOAT = 3000; // ms after the drawing has moved
const FADED = 0.1;
const MIN_IN_VIEW = 0.5; // of the map

export default function ({ data, parentElement }) {
  const section = parentElement.querySelector(".inkling-map");
  const view = (section.view ??= new MapView(section));
  view.update(data);
  return () => {
    view.stop();
    section.view = undefined;
  };
}

class MapView {
  zoom = 1;
  middle = [0, 0]; // from that of the usual extent, in the map's own coordinates, as all that is not called a place
  only = -1; // the class that is picked
  isInView = true;
  pointed = -1; // the dot whose image is shown
  pointers = new Map();

  constructor(section) {
    this.section = section;
    [this.legend, this.field, this.tip, this.buttons, this.about, this.lies, this.near, this.hint, this.status] = [
      ".legend", ".field", ".tip", ".zoom", ".about", ".lies", ".near", ".hint", "[role=status]",
    ].map((name) => section.querySelector(name));
    [this.dots, this.over] = section.querySelectorAll(".field > canvas");
    this.calm = matchMedia("(prefers-reduced-motion: reduce)");
    this.listening = new AbortController();
    const { signal } = this.listening;
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.look(), { signal });
    const listen = (kind, act, options) => this.field.addEventListener(kind, (event) => act.call(this, event), { signal, ...options });
    listen("pointerdown", this.down);
    listen("pointermove", this.move);
    for (const kind of ["pointerup", "pointercancel"]) listen(kind, this.up);
    listen("pointerleave", () => this.point(-1));
    listen("wheel", this.wheel, { passive: false });
    listen("keydown", this.key);
    listen("focus", this.pointAtMiddle);
    listen("blur", () => this.point(-1));
    this.observer = new ResizeObserver(() => this.resize());
    this.observer.observe(this.field);
    const spot = this.field.parentElement;
    this.watcher = new IntersectionObserver(([{ intersectionRatio }]) => {
      this.isInView = intersectionRatio > MIN_IN_VIEW;
      if (this.isInView) this.float(false);
    }, { threshold: MIN_IN_VIEW });
    this.watcher.observe(spot);
  }

  stop() {
    this.listening.abort();
    this.observer.disconnect();
    this.watcher.disconnect();
    clearTimeout(this.floatTimer);
    this.float(false);
    cancelAnimationFrame(this.frame);
  }

  update(data) {
    const old = this.data;
    this.data = data;
    const points = new Int16Array(bytes(data.points).buffer);
    this.labels = bytes(data.labels);
    this.predicted = bytes(data.predicted);
    if (old?.names.join() !== data.names.join()) this.buildLegend();
    if (old?.sheet !== data.sheet) this.load(data.sheet);
    if (!old) this.build();
    if (old?.points !== data.points) this.go(points, old?.sheet === data.sheet && old?.labels === data.labels);
    this.about.textContent = data.about;
    this.place(data.drawing, true);
    this.look();
  }

  build() {
    const { texts } = this.data;
    this.field.ariaLabel = texts.map;
    this.hint.textContent = texts.hint;
    this.legend.ariaLabel = texts.legend;
    const button = (sign, label, act) => {
      const element = Object.assign(document.createElement("button"), { type: "button", textContent: sign, title: label });
      element.ariaLabel = label;
      element.addEventListener("click", act);
      return element;
    };
    this.buttons.replaceChildren(
      button("+", texts.in, () => this.zoomBy(STEP * STEP)),
      button("−", texts.out, () => this.zoomBy(1 / STEP / STEP)),
      button("⤢", texts.all, () => this.reset()),
    );
  }

  buildLegend() {
    this.only = -1;
    this.legend.replaceChildren(...this.data.names.map((name, label) => {
      const button = Object.assign(document.createElement("button"), { type: "button" });
      const swatch = document.createElement("i");
      swatch.style.background = this.data.colours[label % this.data.colours.length];
      button.append(swatch, name);
      button.ariaPressed = "false";
      button.addEventListener("click", () => this.pick(label));
      return button;
    }));
  }

  pick(label) {
    this.only = this.only === label ? -1 : label;
    [...this.legend.children].forEach((button, number) => (button.ariaPressed = String(number === this.only)));
    this.draw();
  }

  load(url) {
    this.sheet = undefined;
    if (!url) return;
    const image = new Image();
    image.onload = () => {
      this.sheet = image;
      this.draw();
      this.showTip();
    };
    image.src = url;
  }

  // The colours of the theme, as the browser has resolved them.
  look() {
    this.colours = [...this.legend.querySelectorAll("i")].map((swatch) => getComputedStyle(swatch).backgroundColor);
    const { color, backgroundColor } = getComputedStyle(this.field);
    Object.assign(this, { ink: color, paper: backgroundColor });
    this.draw();
  }

  // The dots move to other points, if they stand for the same images.
  go(points, moves) {
    this.from = moves && !this.calm.matches ? this.points.slice() : undefined;
    this.fitFrom = this.from && this.fit;
    this.to = points;
    this.fitTo = this.fit = extent(points);
    this.points = this.from ?? points;
    this.began = performance.now();
    if (!moves) this.reset();
    this.animate();
  }

  // Where the drawing lies, and what is nearest to it; undefined if there is none.
  place(drawing, isStill) {
    const isNew = !this.drawing;
    const hasMoved = String(drawing?.at) !== String(this.drawing?.at);
    this.drawing = drawing ?? undefined;
    if (drawing && hasMoved && !isStill && !this.isInView) this.float(true);
    if (drawing) {
      this.youFrom = isNew || isStill || this.calm.matches ? drawing.at : this.youAt();
      this.youBegan = performance.now();
    }
    this.lies.textContent = drawing?.text ?? this.data.texts.empty;
    const near = drawing?.near ?? [];
    while (this.near.children.length > near.length) this.near.lastChild.remove();
    near.forEach(({ src, name }, number) => {
      const figure = this.near.children[number] ?? this.near.appendChild(makeFigure());
      const [image, caption] = figure.children;
      if (image.src !== src) image.src = src;
      image.alt = name;
      caption.textContent = name;
    });
    const spoken = drawing?.spoken ?? "";
    if (spoken !== this.status.textContent) this.status.textContent = spoken;
    this.animate();
  }

  // While one draws, a map that is not in view stands in a corner of the window, where nothing can be pressed on it.
  float(isWanted) {
    clearTimeout(this.floatTimer);
    if (isWanted) this.floatTimer = setTimeout(() => this.float(false), FLOAT);
    if (!this.field.showPopover || isWanted === this.field.hasAttribute("popover")) return;
    if (isWanted) {
      this.field.popover = "manual";
      this.field.showPopover();
    } else {
      this.field.hidePopover();
      this.field.removeAttribute("popover");
    }
  }

  youAt() {
    const { at } = this.drawing;
    const share = this.youFrom ? Math.min((performance.now() - this.youBegan) / GLIDE, 1) : 1;
    return share < 1 ? at.map((value, axis) => this.youFrom[axis] + (value - this.youFrom[axis]) * share) : at;
  }

  animate() {
    cancelAnimationFrame(this.frame);
    this.frame = requestAnimationFrame(() => {
      const now = performance.now();
      const share = this.from ? Math.min((now - this.began) / MOVE, 1) : 1;
      if (this.from) {
        const eased = share < 0.5 ? 4 * share ** 3 : 1 - (2 - 2 * share) ** 3 / 2;
        this.points = this.to.map((value, i) => this.from[i] + (value - this.from[i]) * eased);
        this.fit = this.fitTo.map((value, i) => this.fitFrom[i] + (value - this.fitFrom[i]) * eased);
        if (share === 1) this.from = undefined;
        this.draw();
      }
      this.drawOver();
      if (this.from || (this.drawing && now - this.youBegan < GLIDE)) this.animate();
    });
  }

  resize() {
    const { clientWidth: width, clientHeight: height } = this.field;
    this.ratio = devicePixelRatio || 1;
    for (const canvas of [this.dots, this.over]) Object.assign(canvas, { width: width * this.ratio, height: height * this.ratio });
    this.draw();
  }

  get scale() {
    const [, , width, height] = this.fit;
    return this.zoom * MARGIN * Math.min(this.field.clientWidth / width, this.field.clientHeight / height);
  }

  // Where the map's origin is.
  get origin() {
    const { scale, fit, middle } = this;
    return [this.field.clientWidth, this.field.clientHeight].map((side, axis) => side / 2 - (fit[axis] + middle[axis]) * scale);
  }

  toPlace(x, y) {
    const [left, top] = this.origin;
    return [left + x * this.scale, top + y * this.scale];
  }

  context(canvas) {
    const context = canvas.getContext("2d");
    context.setTransform(this.ratio, 0, 0, this.ratio, 0, 0);
    context.clearRect(0, 0, canvas.width, canvas.height);
    return context;
  }

  draw() {
    if (!this.points || !this.colours || !this.ratio) return;
    const context = this.context(this.dots);
    const { clientWidth: width, clientHeight: height } = this.field;
    const { scale, labels, only } = this, [left, top] = this.origin;
    const groups = this.data.names.map(() => []);
    let inView = 0;
    for (let i = 0; i < labels.length; i++) {
      const x = left + this.points[2 * i] * scale, y = top + this.points[2 * i + 1] * scale;
      if (x < -MAX_TILE || y < -MAX_TILE || x > width + MAX_TILE || y > height + MAX_TILE) continue;
      groups[labels[i]]?.push([x, y, i]);
      inView++;
    }
    const asImages = this.sheet && inView <= MAX_TILES && this.zoom > 2;
    const tile = Math.min(Math.max(MIN_TILE, Math.sqrt((width * height) / Math.max(inView, 1)) / 2.5), MAX_TILE);
    groups.forEach((group, label) => {
      context.globalAlpha = only >= 0 && only !== label ? FADED : asImages ? 1 : 0.8;
      context.fillStyle = this.colours[label];
      if (asImages) {
        for (const [x, y, i] of group) {
          context.fillRect(x - tile / 2 - 2, y - tile / 2 - 2, tile + 4, tile + 4);
          this.drawImage(context, i, x - tile / 2, y - tile / 2, tile);
        }
        return;
      }
      const radius = DOT * Math.min(Math.sqrt(this.zoom), 2);
      context.beginPath();
      for (const [x, y] of group) {
        context.moveTo(x + radius, y);
        context.arc(x, y, radius, 0, 7);
      }
      context.fill();
    });
    context.globalAlpha = 1;
    if (!asImages) this.drawNames(context);
    this.drawOver();
  }

  drawImage(context, i, x, y, side) {
    const { across } = this.data;
    context.drawImage(this.sheet, (i % across) * SIDE, Math.floor(i / across) * SIDE, SIDE, SIDE, x, y, side, side);
  }

  // The name of each class in the middle of its dots.
  drawNames(context) {
    const sums = this.data.names.map(() => [0, 0, 0]);
    this.labels.forEach((label, i) => {
      const sum = sums[label];
      if (!sum) return;
      sum[0] += this.points[2 * i];
      sum[1] += this.points[2 * i + 1];
      sum[2]++;
    });
    context.font = `bold 17px ${getComputedStyle(this.field).fontFamily}`;
    Object.assign(context, { textAlign: "center", textBaseline: "middle", lineJoin: "round", lineWidth: 5 });
    sums.forEach(([x, y, count], label) => {
      if (!count || (this.only >= 0 && this.only !== label)) return;
      const place = this.toPlace(x / count, y / count);
      context.strokeStyle = this.paper;
      context.strokeText(this.data.names[label], ...place);
      context.fillStyle = this.ink;
      context.fillText(this.data.names[label], ...place);
    });
  }

  drawOver() {
    if (!this.ratio || !this.colours) return;
    const context = this.context(this.over);
    if (this.pointed >= 0) {
      const [x, y] = this.toPlace(this.points[2 * this.pointed], this.points[2 * this.pointed + 1]);
      Object.assign(context, { strokeStyle: this.ink, lineWidth: 2 });
      context.beginPath();
      context.arc(x, y, DOT + 4, 0, 7);
      context.stroke();
    }
    if (!this.drawing) return;
    const [x, y] = this.toPlace(...this.youAt());
    for (const { at, label } of this.drawing.near) {
      const end = this.toPlace(...at);
      for (const [colour, width] of [[this.paper, 4], [this.ink, 1.5]]) {
        Object.assign(context, { strokeStyle: colour, lineWidth: width });
        context.beginPath();
        context.moveTo(x, y);
        context.lineTo(...end);
        context.stroke();
      }
      context.beginPath();
      context.rect(end[0] - 4, end[1] - 4, 8, 8);
      context.fillStyle = this.colours[label];
      context.fill();
      context.stroke();
    }
    context.beginPath();
    context.arc(x, y, YOU, 0, 7);
    Object.assign(context, { fillStyle: this.paper, strokeStyle: this.ink, lineWidth: 3 });
    context.fill();
    context.stroke();
    context.beginPath();
    context.arc(x, y, 2.5, 0, 7);
    context.fillStyle = this.ink;
    context.fill();
  }

  // Pointers: one drags the map or points at a dot, two zoom. A finger drags only what is larger than the field: otherwise
  // it scrolls the page.

  down(event) {
    if (event.target.closest("button") || event.button > 0) return;
    this.pointers.set(event.pointerId, this.placeOf(event));
    this.dragged = false;
    if (event.pointerType === "mouse" || this.zoom > 1) this.field.setPointerCapture(event.pointerId);
  }

  move(event) {
    const place = this.placeOf(event);
    const before = this.pointers.get(event.pointerId);
    if (!before) {
      this.point(event.target.closest("button") ? -1 : this.nearestTo(place));
      return;
    }
    const others = [...this.pointers].filter(([id]) => id !== event.pointerId);
    if (others.length) {
      const [[, other]] = others;
      this.zoomBy(distance(place, other) / Math.max(distance(before, other), 1), other);
    } else if (this.zoom > 1 || event.pointerType === "mouse") {
      if (distance(place, before) < 2 && !this.dragged) return;
      this.dragged = true;
      this.panBy(before[0] - place[0], before[1] - place[1]);
    }
    this.pointers.set(event.pointerId, place);
    this.point(-1);
  }

  up(event) {
    this.pointers.delete(event.pointerId);
    if (!this.dragged && event.type === "pointerup" && event.pointerType !== "mouse") this.point(this.nearestTo(this.placeOf(event)));
  }

  // Only with the focus on the map, so that it does not catch those who scroll the page over it.
  wheel(event) {
    const isOurs = event.ctrlKey || event.metaKey || this.field.contains(document.activeElement);
    if (!isOurs || (this.zoom === 1 && event.deltaY > 0)) return;
    event.preventDefault();
    this.zoomBy(Math.exp(-Math.max(-120, Math.min(event.deltaY, 120)) / 250), this.placeOf(event));
    this.point(-1);
  }

  key(event) {
    if (event.target !== this.field || event.ctrlKey || event.metaKey || event.altKey) return;
    const { clientWidth: width, clientHeight: height } = this.field;
    const actions = {
      ArrowLeft: () => this.panBy(-PAN * width, 0),
      ArrowRight: () => this.panBy(PAN * width, 0),
      ArrowUp: () => this.panBy(0, -PAN * height),
      ArrowDown: () => this.panBy(0, PAN * height),
      "+": () => this.zoomBy(STEP),
      "=": () => this.zoomBy(STEP),
      "-": () => this.zoomBy(1 / STEP),
      0: () => this.reset(),
    };
    if (!actions[event.key]) return;
    event.preventDefault();
    actions[event.key]();
    this.pointAtMiddle();
  }

  placeOf({ clientX, clientY }) {
    const { left, top } = this.field.getBoundingClientRect();
    return [clientX - left, clientY - top];
  }

  panBy(x, y) {
    this.middle = [x, y].map((by, axis) => {
      const limit = this.fit[2 + axis]; // a whole map's side from its middle
      return Math.max(-limit, Math.min(limit, this.middle[axis] + by / this.scale));
    });
    this.draw();
  }

  // What is at this place stays there.
  zoomBy(factor, place = [this.field.clientWidth / 2, this.field.clientHeight / 2]) {
    const from = [place[0] - this.field.clientWidth / 2, place[1] - this.field.clientHeight / 2];
    const old = this.scale;
    this.zoom = Math.max(1, Math.min(MAX_ZOOM, this.zoom * factor));
    this.middle = this.zoom === 1 ? [0, 0] : this.middle.map((value, axis) => value + from[axis] / old - from[axis] / this.scale);
    this.field.classList.toggle("zoomed", this.zoom > 1);
    this.draw();
  }

  reset() {
    this.zoom = 1;
    this.middle = [0, 0];
    this.field.classList.remove("zoomed");
    this.draw();
  }

  nearestTo([x, y], reach = REACH) {
    const { scale } = this, [left, top] = this.origin;
    let nearest = -1, least = reach;
    for (let i = 0; i < this.labels.length; i++) {
      if (this.only >= 0 && this.labels[i] !== this.only) continue;
      const apart = distance([left + this.points[2 * i] * scale, top + this.points[2 * i + 1] * scale], [x, y]);
      if (apart < least) [nearest, least] = [i, apart];
    }
    return nearest;
  }

  pointAtMiddle() {
    if (this.field.matches(":focus-visible")) this.point(this.nearestTo([this.field.clientWidth / 2, this.field.clientHeight / 2], Infinity));
  }

  // Show the image of a dot beside it.
  point(i) {
    if (this.pointed === i) return;
    this.pointed = i;
    this.showTip();
    this.drawOver();
    if (i >= 0 && this.field.matches(":focus-visible")) this.status.textContent = this.tip.lastChild.textContent;
  }

  showTip() {
    const i = this.pointed;
    this.tip.hidden = i < 0;
    if (i < 0) return;
    const { names, texts } = this.data;
    const [name, other] = [names[this.labels[i]], names[this.predicted[i]]];
    this.tip.lastChild.textContent = name === other ? name : texts.wrong.replace("{name}", name).replace("{other}", other);
    const context = this.tip.firstChild.getContext("2d");
    context.imageSmoothingEnabled = false;
    context.fillRect(0, 0, 2 * SIDE, 2 * SIDE);
    if (this.sheet) this.drawImage(context, i, 0, 0, 2 * SIDE);
    const [x, y] = this.toPlace(this.points[2 * i], this.points[2 * i + 1]);
    const { offsetWidth, offsetHeight } = this.tip;
    const left = x + 14 + offsetWidth > this.field.clientWidth ? x - 14 - offsetWidth : x + 14;
    const top = Math.max(4, Math.min(y - offsetHeight / 2, this.field.clientHeight - offsetHeight - 4));
    this.tip.style.translate = `${Math.max(4, left)}px ${top}px`;
  }
}

const bytes = (text) => Uint8Array.from(atob(text), (character) => character.charCodeAt(0));

// Where most of the points lie: the middle, the width and the height.
function extent(points) {
  const sides = [0, 1].map((axis) => {
    const values = points.filter((_, i) => i % 2 === axis).sort();
    const cut = Math.floor(USUAL * values.length);
    return [values[cut], values.at(-1 - cut)];
  });
  return [...sides.map(([low, high]) => (low + high) / 2), ...sides.map(([low, high]) => Math.max(high - low, 1))];
}

const distance = ([x, y], [toX, toY]) => Math.hypot(x - toX, y - toY);

function makeFigure() {
  const figure = document.createElement("figure");
  figure.append(document.createElement("img"), document.createElement("figcaption"));
  return figure;
}
