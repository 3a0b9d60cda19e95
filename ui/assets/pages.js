// Marks the link to the current page for screen readers: Streamlit only shows it in another colour.
export default function ({ data }) {
  for (const link of document.querySelectorAll(".st-key-pages a")) {
    if (link.textContent.trim().endsWith(data.current)) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
    if (!link.getAttribute("href")) link.setAttribute("href", "./"); // the first page's, in a new tab: "" would be this page's
  }
}
