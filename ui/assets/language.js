// Says in which language the page is, for screen readers, hyphenation and the browser's own translation.
export default function ({ data }) {
  document.documentElement.lang = data.language;
}
