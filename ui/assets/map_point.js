// In mid-stroke: passes to the map where the drawing lies now.
export default function ({ data }) {
  document.querySelector(".inkling-map")?.view?.place(data.drawing);
}
