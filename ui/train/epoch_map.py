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
        moment = _moment(run, snapshot, shown, position)
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
    points = pca.place(features)
    name, last = f"{run.id} {shown.key}", state.session().run_map
    if last and last[0] == name:
        rotation = rotation_to(points, last[1])
        pca, points = pca.turned(rotation), points @ rotation
    state.session().run_map = name, points
    return Moment(pca, points.astype(np.float32), predicted)


def _drawing(snapshot: Snapshot, moment: Moment, position: int) -> dict | None:
    """The message of where the visitor's drawing lies."""
    seen = network_input(current_image())
    if seen is None:
        return None
    features, _predicted = layer_features(snapshot.network, seen[None], position)
    (at,) = Frame.around(moment.points).fit(moment.pca.place(features))
    return place_drawing(at, _("The ring is your drawing."))
