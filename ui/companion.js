// Runs beside the drawing canvas and reaches it through its open shadow root. The canvas's own toolbar is invisible on touch
// but still takes the hits: a stroke that starts in the top right corner would be lost. This takes it away for good.
export default function ({ data }) {
  const style = new CSSStyleSheet();
  style.replaceSync(".dc-toolbar { display: none !important; }");

  const attach = () => {
    for (const element of document.querySelectorAll(`.st-key-${data.key} *`)) {
      const root = element.shadowRoot;
      if (root && !root.adoptedStyleSheets.includes(style)) {
        root.adoptedStyleSheets = [...root.adoptedStyleSheets, style];
      }
    }
  };

  attach();
  const observer = new MutationObserver(attach); // the canvas may be mounted later, or anew
  observer.observe(document.body, { childList: true, subtree: true });
  return () => observer.disconnect();
}
