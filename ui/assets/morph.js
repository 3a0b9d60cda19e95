// Shows HTML by changing only what differs from the HTML shown before: bars glide, pictures do not flicker, and a screen reader
// reads out new text only.

const morph = (current, wanted) => {
  const currentNodes = [...current.childNodes];
  const wantedNodes = [...wanted.childNodes];
  for (const [index, node] of wantedNodes.entries()) {
    const old = currentNodes[index];
    if (old?.nodeName !== node.nodeName) {
      old ? old.replaceWith(node) : current.append(node);
    } else if (node.nodeType === Node.TEXT_NODE) {
      if (old.data !== node.data) old.data = node.data;
    } else {
      for (const { name } of [...old.attributes]) if (!node.hasAttribute(name)) old.removeAttribute(name);
      for (const { name, value } of node.attributes) {
        if (old.getAttribute(name) !== value) old.setAttribute(name, value);
      }
      morph(old, node);
    }
  }
  for (const node of currentNodes.slice(wantedNodes.length)) node.remove();
};

export default function ({ data, parentElement }) {
  const template = document.createElement("template");
  template.innerHTML = data.html;
  morph(parentElement.querySelector("[data-morph]"), template.content);
}
