"""A map of test images by what a layer makes of them at this moment of a training: from a cloud to islands."""

from threading import Lock
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import streamlit as st
from cachetools import LRUCache, cached

from engine import InklingError
from engine.jobs import Snapshot
from engine.projection import PCA, layer_features, rotation_to
from ui import state
from ui.current_drawing import current_image, network_input
from ui.map_view import Frame, MapImages, choose_layer, describe, local_data, place_drawing, show_map
from ui.run import Run
from ui.translation import _

MAX_MAPS = 500  # of some 20 kB, for all visitors


class Moment(NamedTuple):
    """A map: its ``points`` (N, 2) by this ``pca``, and the predictions (N,)."""

    pca: PCA
    points: npt.NDArray
    predicted: npt.NDArray


class Turned(NamedTuple):
    """The last map of a session: of which run, its ``points``, and how all the moments that it has seen were turned."""

    name: str
    points: npt.NDArray
    rotations: "LRUCache[tuple[object, ...], npt.NDArray]"


def show_epoch_map(run: Run, snapshot: Snapshot) -> None:
    """The panel. Each map is turned to be as near as possible to the one that was shown before."""
    st.caption(
        _(
            "The network puts images that look alike to it close together. Before the training that is a cloud; then the "
            "classes drift apart."
        )
    )
    try:
        shown, position = MapImages(local_data(run.source)[1]), choose_layer(snapshot.network)
        moment = _turn(_moment(run, snapshot, shown, position), run, snapshot, shown, position)
    except InklingError as error:
        st.info(_("There is no map: {reason}").format(reason=error))
        return
    points = moment.points
    text = describe(shown, points)
    show_map(
        shown,
        points,
        moment.predicted,
        snapshot.network.class_names,
        text,
        "epoch map",
        _drawing(snapshot, moment, position),
    )


def _key(run: Run, snapshot: Snapshot, shown: MapImages, position: int) -> tuple[object, ...]:
    return run.id, snapshot.config.seed, snapshot.step, position, shown.key


_maps: LRUCache[tuple[object, ...], Moment] = LRUCache(MAX_MAPS)


@cached(_maps, key=_key, lock=Lock())
def _moment(run: Run, snapshot: Snapshot, shown: MapImages, position: int) -> Moment:
    features, predicted = layer_features(snapshot.network, shown.images, position)
    pca = PCA.fit(features)
    return Moment(pca, pca.place(features).astype(np.float32), predicted)


def _turn(moment: Moment, run: Run, snapshot: Snapshot, shown: MapImages, position: int) -> Moment:
    """The moment, turned to the map that this session saw before; it is always turned as it was the first time."""
    name, key, last = f"{run.id} {shown.key}", _key(run, snapshot, shown, position), state.session().run_map
    if last is None or last.name != name:
        last = Turned(name, moment.points, LRUCache(MAX_MAPS))
        last.rotations[key] = np.eye(2)
    elif key not in last.rotations:
        last.rotations[key] = rotation_to(moment.points, last.points)
    rotation = last.rotations[key]
    points = (moment.points @ rotation).astype(np.float32)
    state.session().run_map = last._replace(points=points)
    return moment._replace(pca=moment.pca.turned(rotation), points=points)


def _drawing(snapshot: Snapshot, moment: Moment, position: int) -> dict | None:
    """The message of where the visitor's drawing lies."""
    seen = network_input(current_image())
    if seen is None:
        return None
    features, _predicted = layer_features(snapshot.network, seen[None], position)
    (at,) = Frame.around(moment.points).fit(moment.pca.place(features))
    return place_drawing(at, _("The ring is your drawing."))
