// A wall of small images by digit. Tab reaches one of them, and the arrow keys the others; a press reports its key.
export default function ({ data, parentElement, setTriggerValue }) {
  const wall = parentElement.querySelector(".inkling-wall");
  wall.report = (key) => setTriggerValue("picked", key);
  const content = JSON.stringify([data.groups, data.texts]);
  if (wall.content !== content) {
    wall.content = content;
    const focused = document.activeElement?.dataset?.key;
    wall.replaceChildren(...data.groups.map((group) => makeGroup(wall, group, data.texts)));
    wall.querySelector(`[data-key="${focused}"]`)?.focus();
  }
  const buttons = [...wall.querySelectorAll("button")];
  for (const button of buttons) button.setAttribute("aria-pressed", button.dataset.key === data.picked);
  if (!buttons.includes(document.activeElement)) reach(buttons, buttons.find(({ dataset }) => dataset.key === data.picked) ?? buttons[0]);
  wall.onkeydown = (event) => {
    const at = buttons.indexOf(document.activeElement);
    const to = { ArrowLeft: at - 1, ArrowRight: at + 1, Home: 0, End: buttons.length - 1 }[event.key];
    if (at < 0 || !buttons[to]) return;
    event.preventDefault();
    reach(buttons, buttons[to]);
    buttons[to].focus();
  };
}

function reach(buttons, reached) {
  for (const button of buttons) button.tabIndex = button === reached ? 0 : -1;
}

function fill(text, values) {
  return text.replace(/\{(\w+)\}/g, (place, name) => values[name] ?? place);
}

function makeGroup(wall, { digit, total, drawings }, texts) {
  const group = document.createElement("section");
  const heading = document.createElement("h2");
  const left = total - drawings.length;
  heading.textContent = digit;
  const note = document.createElement("small");
  note.textContent = left ? fill(texts.newest, { total, count: drawings.length }) : total;
  heading.append(" ", note);
  const images = document.createElement("div");
  images.append(...drawings.map(([key, src], place) => {
    const button = document.createElement("button");
    button.type = "button";
    button.dataset.key = key;
    button.addEventListener("click", () => wall.report(key));
    const image = document.createElement("img");
    image.src = src;
    image.alt = fill(texts.drawing, { digit, number: drawings.length - place, total });
    button.append(image);
    return button;
  }));
  group.append(heading, images);
  return group;
}
