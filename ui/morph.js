// Shows HTML by changing only what differs from what is there already: so the bars glide, pictures do not flicker, and a screen
// reader speaks of new words only.

const morph = (there, fresh) => {
  const old = [...there.childNodes];
  const nodes = [...fresh.childNodes];
  for (const [place, node] of nodes.entries()) {
    const present = old[place];
    if (present?.nodeName !== node.nodeName) {
      present ? present.replaceWith(node) : there.append(node);
    } else if (node.nodeType === Node.TEXT_NODE) {
      if (present.data !== node.data) present.data = node.data;
    } else {
      for (const { name } of [...present.attributes]) if (!node.hasAttribute(name)) present.removeAttribute(name);
      for (const { name, value } of node.attributes) {
        if (present.getAttribute(name) !== value) present.setAttribute(name, value);
      }
      morph(present, node);
    }
  }
  for (const node of old.slice(nodes.length)) node.remove();
};

export default function ({ data, parentElement }) {
  const template = document.createElement("template");
  template.innerHTML = data.html;
  morph(parentElement.querySelector("[data-morph]"), template.content);
}
