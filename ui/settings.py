"""The settings on the Train page: the data, a preset, the few knobs that matter, and the rest folded away."""

from dataclasses import dataclass, fields

import streamlit as st

from engine import InklingError, Network
from engine.config import Config
from engine.data import SOURCES, default_source
from engine.data.augmentation import AUGMENTATIONS, LIMITS, Augmentation
from engine.recipes import RECIPES
from ui import data, kept, knobs, layers, runs, session, words

OTHER = ""  # in the place of a preset: settings that come from a link, a file or a run
NEW_WEIGHTS = "new, drawn by the seed"
PLAIN = [field.name for field in fields(Config) if field.name not in ("layers", "augmentation", "input_shape")]


@dataclass(frozen=True)
class Choice:
    """What Start would start. ``config`` is None where the settings cannot work; the page has then said why."""

    config: Config | None
    source: str
    seeds: int
    start: Network | None


def fill(config, origin, source=None):
    """Set all widgets to ``config``; ``origin`` says where it comes from. Raises ``InklingError`` for what has no widget."""
    if config.input_shape is not None:
        raise InklingError(f"the page trains on images of 28 x 28 pixels, and these settings are for {config.input_shape}")
    if config.seed >= 2**53:
        raise InklingError(f"the page's seeds must be below 2^53, got {config.seed}")
    st.session_state["base"] = origin, config
    for name in PLAIN:
        kept.put(name, knobs.put(getattr(config, name)))
    augmentation = next((name for name, known in AUGMENTATIONS.items() if known == config.augmentation), knobs.OWN)
    kept.put("augmentation", augmentation)
    for name in LIMITS:
        kept.put(f"augmentation {name}", float(getattr(config.augmentation or Augmentation(), name)))
    kept.put("seeds", 1)
    kept.put("start", NEW_WEIGHTS)
    kept.put("preset", origin if origin in RECIPES else OTHER)
    layers.fill(config.layers)
    if source is not None:
        kept.put("source", source)


def settings():
    """Show the widgets and return the ``Choice`` they stand for."""
    if "base" not in st.session_state:
        fill(Config(), "quick")
    source = _source()
    _preset()
    knobs.few()
    key = kept.key("network open", False)
    with st.expander("Network", icon=":material/account_tree:", key=key, on_change="rerun") as network:
        if network.open:
            built = layers.builder()
    if not network.open:
        built = layers.built()
        st.caption(layers.summary())
    with st.expander("More settings", icon=":material/tune:", key=kept.key("more open", False), on_change="rerun") as more:
        if more.open:
            knobs.more()
            _beginning(built)
    start = dict(_beginnings(built)).get(kept.value("start"))
    config = None
    if built is not None:
        values = {name: knobs.taken(kept.value(name)) for name in PLAIN}
        try:
            config = Config(layers=built, augmentation=knobs.augmentation(), **values)
        except InklingError as error:
            st.error(f"{error}.", icon=":material/error:")
    if config is not None:
        _changed(config)
    return Choice(config, source, kept.value("seeds"), start)


def _source():
    source = st.selectbox(
        "Data",
        SOURCES,
        key=kept.key("source", default_source()),
        help="\n".join(f"- **{name}**: {line}" for name, line in SOURCES.items()),
    )
    if not data.here("mnist"):
        if source == "synthetic":
            st.caption("MNIST is not on this machine, so the digits that Inkling draws itself are chosen.")
        else:
            st.caption("MNIST is not on this machine yet: Start downloads it first (11 MB).")
    return source


def _preset():
    origin = st.session_state["base"][0]
    name = st.selectbox(
        "Preset",
        [*RECIPES, *([] if origin in RECIPES else [OTHER])],
        format_func=lambda name: f"as {origin}" if name == OTHER else name,
        key=kept.key("preset"),
        on_change=_use_preset,
        help="All settings at once: Inkling's own, and published networks as their authors had them.",
    )
    if name != OTHER:
        recipe = RECIPES[name]
        claim = f" Its author reports {recipe.claimed:.1%}, resting on {recipe.basis}." if recipe.claimed else ""
        st.caption(f"{recipe.title}.{claim}" + (f" Settled here: {recipe.choices}." if recipe.choices else ""))


def _use_preset():
    name = kept.value("preset")
    if name != OTHER:
        fill(RECIPES[name].config, name)


def _changed(config):
    """What was changed since the preset, and the way back."""
    origin, base = st.session_state["base"]
    changes = words.differences(base, config)
    if changes:
        st.caption(f"Changed from {origin}: **{changes}**")
        st.button("Undo the changes", icon=":material/undo:", type="tertiary", on_click=fill, args=(base, origin))


def _beginning(built):
    """The seed, how many seeds, and whose weights to begin from."""
    left, right = st.columns(2)
    with left:
        knobs.number("seed", "Seed", 0, 2**53 - 1, "Of everything random: the same seed gives the same network.")
    with right:
        knobs.number("seeds", "Seeds to run", 1, 10, "Several run one after another, and show as a band: how much is luck?")
    names = [NEW_WEIGHTS, *(name for name, _ in _beginnings(built))]
    if kept.value("start") not in names:
        kept.put("start", NEW_WEIGHTS)
    st.selectbox(
        "First weights",
        names,
        key=kept.key("start"),
        help="Those of a network with the same layers: shipped, uploaded or trained here.",
    )


def _beginnings(built):
    """The networks of these layers by name: shipped ones, those that were uploaded, and those of runs that are over."""
    known = [(f"Shipped: {name}", network) for name, network in session.shipped_networks()[0].items()]
    known += [(f"Uploaded: {name}", network) for name, network in session.uploaded().items()]
    for run in runs.everything():
        snapshot = run.job.snapshot()
        if snapshot.state in ("finished", "stopped"):
            known.append((run.name, snapshot.network))
    return [(name, network) for name, network in known if built and list(built) == network.layers]
