"""A map of test images by what a layer of the network makes of them, and where the drawing lies on it."""

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from threading import RLock
from time import monotonic
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import streamlit as st
from cachetools import LRUCache
from threadpoolctl import threadpool_limits

from engine import Dataset, InklingError, Network
from engine.checks import shorten
from engine.memory import total_memory
from engine.projection import (
    METHODS,
    PCA,
    PIXELS,
    NearestNeighbours,
    Placement,
    layer_features,
    num_features,
    rotation_to,
)
from ui import datasets, images, runs, state
from ui.class_names import reads_digits, short
from ui.components import make_component
from ui.current_drawing import current_image
from ui.draw.prediction import Answer, answer, layer_outputs
from ui.formatting import number, percent
from ui.map_view import MAX_IMAGES, Frame, MapImages, choose_layer, describe, local_data, place_drawing, show_map, together
from ui.translation import N_, _

PANEL = N_("Map")
KEY = "map"
MAX_SEARCHED = 10_000  # training images
MAX_SEARCHED_BYTES = 8_000_000  # of their features: a search reads all of them, at each look in mid-stroke
MAX_BYTES = int(min(150_000_000, total_memory() / 20))  # of what was computed, for all visitors
POLL_SECONDS = 0.7  # between two looks whether the map is ready
RENEW_SECONDS = 3.0  # at least, between two maps of a network that is still learning


class Layout(NamedTuple):
    """A map of what a layer makes of the test images: their ``points`` (N, 2), and the predictions (N,)."""

    placement: Placement
    points: npt.NDArray
    predicted: npt.NDArray


class Gallery(NamedTuple):
    """Training images to find the nearest ones in; ``total`` is how many training images there are."""

    index: NearestNeighbours
    images: npt.NDArray[np.uint8]
    labels: npt.NDArray[np.uint8]
    total: int


@dataclass(frozen=True, eq=False)
class Request:
    """The map that a session waits for, or has got; it was asked for at the time ``since``.

    A run that is still training has a new network at each look. So a map is renewed only when it was shown, and not at once.
    """

    wanted: tuple[Any, ...]  # all that makes it another map, but for the training between two looks
    network: Network
    position: int
    method: str
    images: MapImages
    layout: "Future[Layout]"
    gallery: "Future[Gallery]"
    since: float

    def serves(self, wanted: tuple[Any, ...], network: Network) -> bool:
        """Whether to wait for this one, or to show it, rather than to ask for another."""
        if self.wanted != wanted or self.layout.cancelled() or self.gallery.cancelled():
            return False
        is_complete = self.layout.done() and self.gallery.done()
        return self.network is network or not is_complete or monotonic() - self.since < RENEW_SECONDS


@dataclass(frozen=True, eq=False)
class Shown:
    """The map that a session sees; it was ``computed`` for all sessions, and turned for this one."""

    wanted: tuple[Any, ...]
    network: Network
    position: int
    method: str
    images: MapImages
    computed: Layout
    layout: Layout
    gallery: "Future[Gallery]"


class _Task(NamedTuple):
    """Something that is computed in the background, and how much memory is kept for it."""

    future: "Future[Any]"
    num_bytes: int


class _Tasks(LRUCache[tuple[Any, ...], _Task]):
    """The tasks used last; one that goes is not begun any more."""

    def popitem(self) -> tuple[tuple[Any, ...], _Task]:
        key, task = super().popitem()
        task.future.cancel()
        return key, task


_lock = RLock()
_worker = ThreadPoolExecutor(1, "map")  # one at a time: predictions go on meanwhile
_slow_worker = ThreadPoolExecutor(1, "slow map")  # for methods that take long: PCA's maps do not wait for them
_tasks = _Tasks(MAX_BYTES, getsizeof=lambda task: task.num_bytes)


def show(network: Network | None, image: npt.NDArray[np.uint8] | None) -> None:
    """The panel; it does without a drawing."""
    if network is None:
        return
    try:
        train_set, test_set = _data_sets(network)
        _show(network, train_set, test_set)
    except InklingError as error:
        state.session().image_map = None
        st.info(_("There is no map: {reason}").format(reason=error))


def _data_sets(network: Network) -> tuple[Dataset, Dataset]:
    """The images that the network learned from and is tested on; raises ``InklingError`` if they are not on this machine."""
    run = next((run for run in runs.all_runs() if run.key == state.value("network")), None)
    if run is not None:
        source = run.source
    elif reads_digits(network):
        source = "mnist"
    else:
        found = [own for own in state.session().own_sources if datasets.class_names(own) == network.class_names]
        if not found:
            raise InklingError(_("the images that this network has learned from are not on this machine."))
        source = found[-1]
    return local_data(source)


def _show(network: Network, train_set: Dataset, test_set: Dataset) -> None:
    with st.container(horizontal=True, vertical_alignment="bottom", key="map options"):
        position, method = choose_layer(network), _choose_method()
    shown = MapImages(test_set)
    wanted = state.value("network"), network.state_vector.size, position, method, shown.key
    last, asked = state.session().image_map, state.session().map_request
    if last is not None and last.images.key != shown.key:
        last = None
    if asked is None or not asked.serves(wanted, network):
        if asked is not None and asked.wanted == wanted:
            last = _newest(asked, last)  # before its successor, which takes its time
        asked = _ask(wanted, network, position, method, shown, train_set)
    pending = [future for future in (asked.layout, asked.gallery) if not future.done()]
    for future in (asked.layout, asked.gallery):
        _check(future)
    last = _newest(asked, last)
    state.session().image_map = last
    if last is None or last.wanted != wanted:
        wait = _("Placing {count} test images. This takes some seconds.")
        if method != "pca":
            wait = _("Placing {count} test images. This takes up to a minute. You can draw meanwhile.")
        wait = wait.format(count=number(len(shown.images)))
        if last is not None:
            st.caption(wait)
        else:
            with st.container(border=True, height=300, horizontal_alignment="center", vertical_alignment="center"):
                st.markdown(wait, text_alignment="center")
    if last is not None:
        reply = answer(network, image) if (image := current_image()) is not None else None
        show_map(
            last.images,
            last.layout.points,
            last.layout.predicted,
            network.class_names,
            _about(last),
            KEY,
            _drawing(last, reply, False),
            _("Draw above, and see where your drawing lies."),
        )
    if pending:
        st.fragment(_look_again, run_every=POLL_SECONDS)(pending)


def _ask(
    wanted: tuple[Any, ...], network: Network, position: int, method: str, shown: MapImages, train_set: Dataset
) -> Request:
    """Ask for a map instead of the one that the session has asked for before."""
    former = state.session().map_request
    layout = _in_background(_lay_out, (method, shown.key), network, position, shown, method)
    gallery = _in_background(_collect, (shown.key,), network, position, train_set)
    if former is not None:
        for future in {former.layout, former.gallery} - {layout, gallery}:
            future.cancel()  # another session that waits for it asks again
    asked = Request(wanted, network, position, method, shown, layout, gallery, monotonic())
    state.session().map_request = asked
    return asked


def _newest(asked: Request, last: Shown | None) -> Shown | None:
    """The map that was asked for, if it is ready, else the last one. A renewed map comes with its gallery."""
    is_renewed = last is not None and last.wanted == asked.wanted
    if not _is_ready(asked.layout) or (is_renewed and not _is_ready(asked.gallery)):
        return last
    computed = asked.layout.result()
    layout = _turned(computed, asked.images, last)
    return Shown(asked.wanted, asked.network, asked.position, asked.method, asked.images, computed, layout, asked.gallery)


def _is_ready(future: "Future[Any]") -> bool:
    return future.done() and not future.cancelled() and future.exception() is None


def _check(future: "Future[Any]") -> None:
    """Raise ``InklingError`` if it has failed."""
    error = future.exception() if future.done() and not future.cancelled() else None
    if isinstance(error, InklingError):
        raise error
    if error is not None:
        reason = shorten(error, 200) or type(error).__name__
        raise InklingError(_("it could not be computed ({reason}).").format(reason=reason)) from error


def _look_again(pending: "list[Future[Any]]") -> None:
    """Redraw the page as soon as there is more to show."""
    if any(future.done() for future in pending):
        st.rerun()


def move_point(reply: Answer | None, is_pending: bool) -> None:
    """In mid-stroke, which is then ``is_pending``: move the drawing on the map, if that is shown."""
    last = state.session().image_map
    if last is not None and state.value("draw panel") == _(PANEL):
        data = {"drawing": _drawing(last, reply, is_pending)}
        make_component("map_point", "<span></span>")(data=data, key="map-point")


def _choose_method() -> str:
    return st.selectbox(
        _("Method"),
        list(METHODS),
        format_func=lambda method: METHODS[method].label,
        width=150,
        help=_(
            "PCA turns the numbers of a layer so that two directions show most of their differences. t-SNE and UMAP rather "
            "keep near things near: groups stand apart, but distances between groups mean little."
        ),
        **state.keep("map method", "pca"),
    )


def _about(last: Shown) -> str:
    text = describe(last.images, last.layout.points)
    if isinstance(last.layout.placement, PCA):
        share = together(percent(float(last.layout.placement.shares.sum()), 0))
        return f"{text} " + _("Flat as it is, the map shows {share} of the differences between them.").format(share=share)
    return f"{text} " + _("A drawing lies between the five test images that are nearest to it in the layer.")


def _turned(computed: Layout, shown: MapImages, last: Shown | None) -> Layout:
    """The layout, turned so that the images are near to where they are on the last map."""
    if last is None or last.images.key != shown.key:
        return computed
    if last.computed is computed:
        return last.layout
    rotation = rotation_to(computed.points, last.layout.points)
    return computed._replace(placement=computed.placement.turned(rotation), points=computed.points @ rotation)


def _drawing(last: Shown, reply: Answer | None, is_pending: bool) -> dict[str, Any] | None:
    """The message of where the drawing lies, and of what is nearest to it."""
    if reply is None:
        return None
    seen, position = reply.seen, last.position
    features = seen.ravel() if position == PIXELS else layer_outputs(last.network, seen)[position].values.ravel()
    if not np.isfinite(features).all():
        return None
    placement, frame = last.layout.placement, Frame.around(last.layout.points)
    (at,) = frame.fit(placement.place(features[None]))
    if not _is_ready(last.gallery):
        return place_drawing(at, _("The ring is your drawing. Its nearest training images are being looked for."))
    gallery, names = last.gallery.result(), last.network.class_names
    rows, _distances = gallery.index.find(features)
    places = frame.fit(placement.place(gallery.index.features[rows])).tolist()
    labels = gallery.labels[rows].tolist()
    near = [
        {"at": place, "label": label, "name": short(names[label]), "src": images.digit_url(image)}
        for place, label, image in zip(places, labels, gallery.images[rows], strict=True)
    ]
    listed = ", ".join(short(names[label]) for label in labels)
    spoken = "" if is_pending else _("The training images nearest to your drawing: {names}.").format(names=listed)
    return place_drawing(at, _searched(len(gallery.labels), gallery.total), spoken, near)


def _searched(count: int, total: int) -> str:
    if count == total:
        return _("The ring is your drawing. Nearest to it of all {total} training images:").format(total=number(total))
    text = _("The ring is your drawing. Nearest to it of {count} training images, a sample of {total}:")
    return text.format(count=number(count), total=number(total))


# What is computed in the background, once for all sessions.


def _in_background(
    compute: Callable[..., Any], kind: tuple[str, ...], network: Network, position: int, *arguments: Any
) -> Any:
    """The ``Future`` of ``compute(network, position, *arguments)``; ``kind`` says what distinguishes the arguments.

    What has failed is tried again.
    """
    key = compute, network, position, kind
    with _lock:
        known = _tasks.get(key)
        if known is None or (known.future.done() and not _is_ready(known.future)):
            D = num_features(network, position)
            kept = _max_searched(D) * (4 * D + 785) if compute is _collect else MAX_IMAGES * 4 * D  # with images and labels
            num_bytes = network.state_vector.nbytes + kept
            worker = _slow_worker if kind[0] in METHODS and kind[0] != "pca" else _worker
            _tasks[key] = _Task(worker.submit(compute, network, position, *arguments), min(num_bytes, MAX_BYTES))
        return _tasks[key].future


def _lay_out(network: Network, position: int, shown: MapImages, method: str) -> Layout:
    features, predicted = layer_features(network, shown.images, position)
    with threadpool_limits(1):
        placement = METHODS[method].fit(features)
    return Layout(placement, placement.place(features).astype(np.float32), predicted)


def _collect(network: Network, position: int, train_set: Dataset) -> Gallery:
    size = min(_max_searched(num_features(network, position)), len(train_set))
    rows = np.linspace(0, len(train_set) - 1, size).astype(int)
    shown, labels = train_set.take(rows)
    features, _predicted = layer_features(network, shown, position)
    return Gallery(NearestNeighbours(features), shown, labels, len(train_set))


def _max_searched(D: int) -> int:
    """How many training images with ``D`` features are searched."""
    return min(MAX_SEARCHED, MAX_SEARCHED_BYTES // (4 * D))
