// Marks the link to the current page for screen readers: Streamlit only shows it in another colour. Where the row of links is wider
// than the screen, it scrolls, with that link in view. The links and their labels may come after this.
export default function ({ data }) {
  const row = document.querySelector(".st-key-pages");
  const mark = () => row.classList.toggle("more", row.scrollWidth - row.clientWidth - row.scrollLeft > 4);
  const arrange = () => {
    for (const link of row.querySelectorAll("a")) {
      if (link.textContent.trim().endsWith(data.current)) {
        link.setAttribute("aria-current", "page");
        const [box, room] = [link.getBoundingClientRect(), row.getBoundingClientRect()];
        row.scrollLeft += (box.left + box.right - room.left - room.right) / 2;
      } else link.removeAttribute("aria-current");
      if (!link.getAttribute("href")) link.setAttribute("href", "./"); // the first page's, in a new tab: "" would be this page's
    }
    mark();
  };
  row.addEventListener("scroll", mark, { passive: true });
  const [resizes, changes] = [new ResizeObserver(mark), new MutationObserver(arrange)];
  resizes.observe(row);
  changes.observe(row, { childList: true, subtree: true, characterData: true });
  arrange();
  return () => {
    row.removeEventListener("scroll", mark);
    resizes.disconnect();
    changes.disconnect();
  };
}
