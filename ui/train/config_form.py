"""The settings on the Train page, built from their descriptions in ``engine.config``, and what Start would start."""

from dataclasses import dataclass, replace
from typing import Any

import streamlit as st

from engine import InklingError, Network
from engine.checks import shorten
from engine.config import Config
from engine.data import SOURCES, default_source
from engine.data.augmentation import AUGMENTATIONS, Augmentation
from engine.layers import Dense, Layer, summary
from engine.network import CLASSES, FLAT_IMAGE, image_shape
from engine.optimizers import OPTIMIZERS
from engine.recipes import RECIPES
from engine.setting_fields import Integer, Setting, settings_of
from ui import datasets, networks, own_data, runs
from ui.formatting import SETTINGS, differences, escape_markdown, percent
from ui.state import expander, keep, session, set_value, value
from ui.train import network_builder
from ui.train.own_data_form import own_data_form
from ui.train.setting_widget import MAX_INTEGER, from_widget, setting_widget, to_widget
from ui.translation import N_, _
from ui.visitor import workspace

OTHER_PRESET = ""  # stands for settings that come from a link, a file or a run
CUSTOM = N_("custom")  # an augmentation without a name
RANDOM_WEIGHTS = N_("Random (from seed)")
MAX_ORIGIN = 100  # characters
AS_STORED: dict[str, Any] = {}  # in the place of settings that are as they were stored, or as they are for everybody
ALWAYS_SHOWN = ("learning_rate", "epochs", "batch_size")
OWN_WIDGETS = ("layers", "input_shape", "augmentation", "shuffle", "seed")  # those that need more than one plain widget
FOLDED_AWAY = [name for name in SETTINGS if name not in (*ALWAYS_SHOWN, *OWN_WIDGETS)]
WIDE = ("loss", "validation_size")  # with texts that half a row would cut off
WITH_ONE_WIDGET = [name for name in SETTINGS if name not in ("layers", "input_shape", "augmentation")]
AUGMENTATION_SETTINGS = settings_of(Augmentation)
NUM_SEEDS = Setting(
    N_("Number of seeds"),
    N_("Several seeds run one after another and show as a band: how much of a difference is luck?"),
    Integer(1, 10),
)


@dataclass(frozen=True)
class Choice:
    """What Start would start. ``config`` is None if the settings cannot work; the page has then said why."""

    config: Config | None
    source: str
    num_seeds: int
    start: Network | None


def for_digits(config: Config) -> Config:
    """The same configuration for ten classes and without its input shape, if it is for images of 28 x 28 pixels."""
    if config.input_shape not in (FLAT_IMAGE, image_shape(config.layers)):
        return config
    return replace(config, layers=_with_outputs(config.layers, CLASSES), input_shape=None)


def _with_outputs(layers: tuple[Layer, ...], num_classes: int) -> tuple[Layer, ...]:
    """The same layers, of which the last has an output for each class; unchanged if it is no dense layer."""
    last = layers[-1]
    return (*layers[:-1], replace(last, units=num_classes)) if isinstance(last, Dense) else layers


def fill(config: Config, origin: str, source: str | None = None) -> None:
    """Set all widgets to ``config``; ``origin`` says where it comes from. Raises ``InklingError`` for what has no widget."""
    config = for_digits(config)
    if config.input_shape is not None:
        shape = SETTINGS["input_shape"].show(config.input_shape)
        raise InklingError(f"the page trains on images of 28 x 28 pixels, and these settings are for inputs of {shape}")
    if config.seed > MAX_INTEGER:
        raise InklingError(f"the page's seeds must be at most {MAX_INTEGER:,}, got {config.seed:,}")
    session().preset = origin, config
    for name in WITH_ONE_WIDGET:
        set_value(name, to_widget(getattr(config, name)))
    set_value("augmentation", SETTINGS["augmentation"].show(config.augmentation))
    for name in AUGMENTATION_SETTINGS:
        set_value(f"augmentation {name}", getattr(config.augmentation or Augmentation(), name))
    set_value("num_seeds", 1)
    set_value("starting_weights", RANDOM_WEIGHTS)
    set_value("preset", origin if _is_preset(origin, config) else OTHER_PRESET)
    network_builder.fill(config.layers)
    if source is not None:
        set_value("source", source)


def config_form() -> Choice:
    """Show the settings and return the ``Choice`` that they stand for."""
    if session().preset is None:
        _restore(workspace().value("settings"))
    source = _source()
    _preset()
    _widget("learning_rate", slider=True)
    for column, name in zip(st.columns(2, wrap=False), ("epochs", "batch_size"), strict=True):
        with column:
            _widget(name)
    with expander(_("Network"), ":material/account_tree:", "network_open") as network:
        layers = network_builder.network_builder() if network.open else network_builder.check_layers()
    if not network.open:
        st.caption(summary(network_builder.current_layers()))
    num_classes = len(datasets.class_names(source))
    if num_classes != CLASSES:
        text = _("Your data have {count} classes: the last layer of the network gets {count} outputs.")
        st.caption(text.format(count=num_classes))
    starts = networks.starting_networks(_with_outputs(layers, num_classes)) if layers else {}
    with expander(_("More settings"), ":material/tune:", "more_open") as more:
        if more.open:
            _more(list(starts))
    config = for_data = None
    if layers is not None:
        try:
            config = Config(layers=layers, augmentation=_augmentation(), **_values())
            for_data = config.for_classes(num_classes)
        except InklingError as error:
            st.error(escape_markdown(f"{error}."), icon=":material/error:")
    if config is not None:
        _changes(config)
        _store(config, source)
    return Choice(for_data, source, value("num_seeds"), starts.get(value("starting_weights")))


def _store(config: Config, source: str) -> None:
    """Have the settings stored, to be there again after a reload."""
    origin, base = session().preset or ("", config)
    number = value("num_seeds")
    settings = {"source": source, "origin": origin, "num_seeds": number, "base": base.to_json(), "config": config.to_json()}
    before, session().stored_settings = session().stored_settings, settings
    if before not in (AS_STORED, settings):
        workspace().set_value("settings", lambda: settings)


def _restore(settings: Any) -> None:
    """Set all widgets as ``_store`` had them stored; to the first preset for anything else."""
    try:
        base, config = Config.from_json(settings["base"]), Config.from_json(settings["config"])
        origin, source = shorten(settings["origin"], MAX_ORIGIN), datasets.check_source(settings["source"])
        num_seeds = NUM_SEEDS.kind.check("num_seeds", settings["num_seeds"])
        fill(config, origin, source)
        session().preset = origin, base
        set_value("preset", origin if _is_preset(origin, base) else OTHER_PRESET)
        set_value("num_seeds", num_seeds)
    except (InklingError, KeyError, TypeError):
        fill(Config(), "quick")
    session().stored_settings = AS_STORED


def _values() -> dict[str, Any]:
    """The values of the settings with a plain widget, shown or not."""
    return {name: from_widget(value(name)) for name in WITH_ONE_WIDGET}


def _widget(name: str, help: str = "", **look: Any) -> None:
    base = (session().preset or ("", Config()))[1]
    setting = SETTINGS[name]
    setting_widget(
        setting,
        name,
        getattr(base, name),
        others=[from_widget(value(name))],
        disabled=not setting.applies(_values()),
        help=f"{_(setting.help)} {help}".strip(),
        **look,
    )


def _source() -> str:
    own = [*(run.source for run in runs.all_runs()), *session().own_sources]
    sources = [*SOURCES, *dict.fromkeys(source for source in own if own_data.find(source))]
    if value("source") not in (None, *sources):  # it is not on this server any more
        set_value("source", default_source())
    source = st.selectbox(
        _("Data"),
        sources,
        format_func=_source_label,
        help="\n".join(f"- **{name}**: {_(line)}" for name, line in SOURCES.items()),
        **keep("source", default_source()),
    )
    if not datasets.is_local("mnist") and source in ("mnist", "mixed"):
        st.caption(_("MNIST is not on this machine yet. Start downloads it first (11 MB)."))
    own_data_form(source)
    return source


def _source_label(source: str) -> str:
    if own_data.is_own(source):
        return _("my own: {name}").format(name=f"{own_data.label(source)} {source[-4:]}")
    return source


def data_offer() -> None:
    """Where MNIST is not on this machine: the choice between it and drawn digits, at the place of Start."""
    if datasets.is_local("mnist"):
        return
    labels = {"synthetic": _("Digits that Inkling draws"), "mnist": _("MNIST, 11 MB to download")}
    chosen = value("source") if value("source") in labels else None
    st.segmented_control(
        _("Which digits should it learn from?"),
        list(labels),
        default=chosen,
        format_func=labels.__getitem__,
        key=f"offered {chosen}",
        on_change=lambda: set_value("source", st.session_state[f"offered {chosen}"] or chosen),
    )
    st.caption(
        _(
            "MNIST has digits that 250 people wrote by hand, and everybody compares their networks on it. "
            "It is not on this machine yet: Start downloads it first. The drawn digits are here at once, "
            "but they are a little less like real handwriting."
        )
    )


def _preset() -> None:
    origin, base = session().preset or ("", Config())
    presets: list[str] = [*RECIPES] if _is_preset(origin, base) else [*RECIPES, OTHER_PRESET]
    name = st.selectbox(
        _("Preset"),
        presets,
        format_func=lambda name: name or _("from {origin}").format(origin=_(origin)),
        on_change=_use_preset,
        help=_("All settings at once: Inkling's own, and published networks as their authors built them."),
        **keep("preset"),
    )
    if name == OTHER_PRESET:
        return
    recipe = RECIPES[name]
    sentences = [f"{_(recipe.title)}."]
    if recipe.claimed:
        published = _("Published: {accuracy} (on {images}).")
        sentences.append(published.format(accuracy=percent(recipe.claimed), images=_(recipe.basis)))
    if recipe.choices:
        sentences.append(_("Our assumptions: {assumptions}.").format(assumptions=_(recipe.choices)))
    st.caption(" ".join(sentences))


def _is_preset(origin: str, config: Config) -> bool:
    """Whether settings come from a preset; a run or an upload may have the name of one, too."""
    return origin in RECIPES and RECIPES[origin].config == config


def _use_preset() -> None:
    name = value("preset")
    if name != OTHER_PRESET:
        fill(RECIPES[name].config, name)


def _changes(config: Config) -> None:
    """What was changed since the preset, and the way back."""
    origin, base = session().preset or ("", config)
    if changed := differences(base, config):
        text = _("Changed from {origin}: **{changes}**")
        st.caption(text.format(origin=escape_markdown(_(origin)), changes=escape_markdown(changed)))
        st.button(_("Undo the changes"), icon=":material/undo:", type="tertiary", on_click=fill, args=(base, origin))


def _more(starts: list[str]) -> None:
    """All settings that are not always on the page, but for the layers."""
    for names in _rows(FOLDED_AWAY):
        for column, name in zip(st.columns(len(names)), names, strict=True):
            with column:
                if name == "optimizer":
                    help = _("Choosing one sets the learning rate to a usual value for it.")
                    _widget(name, help, on_change=_use_usual_rate)
                else:
                    _widget(name)
    setting = SETTINGS["augmentation"]
    names = [*AUGMENTATIONS, CUSTOM]
    st.selectbox(_(setting.label), names, format_func=_, help=_(setting.help), **keep("augmentation", "none"))
    if value("augmentation") == CUSTOM:
        columns = st.columns(2)
        for position, (name, setting) in enumerate(AUGMENTATION_SETTINGS.items()):
            with columns[position % 2]:
                setting_widget(setting, f"augmentation {name}", getattr(Augmentation(), name))
    _widget("shuffle")
    left, right = st.columns(2)
    with left:
        _widget("seed")
    with right:
        setting_widget(NUM_SEEDS, "num_seeds", 1)
    names = [RANDOM_WEIGHTS, *starts]
    if value("starting_weights") not in names:
        set_value("starting_weights", RANDOM_WEIGHTS)
    st.selectbox(
        _("Starting weights"),
        names,
        format_func=lambda name: _(name) if name == RANDOM_WEIGHTS else networks.start_label(name),
        help=_("Random, or those of a network with the same layers: shipped, uploaded or trained in this session."),
        **keep("starting_weights", RANDOM_WEIGHTS),
    )


def _rows(names: list[str]) -> list[list[str]]:
    """The settings in rows of two, but for those that need a whole row."""
    rows: list[list[str]] = []
    for name in names:
        if rows and len(rows[-1]) == 1 and not {name, rows[-1][0]} & {*WIDE}:
            rows[-1].append(name)
        else:
            rows.append([name])
    return rows


def _use_usual_rate() -> None:
    if "optimizer" in session().unconfirmed:  # a preset has set both, and the browser does not know it yet
        return
    set_value("learning_rate", OPTIMIZERS[value("optimizer")].usual_learning_rate)


def _augmentation() -> Augmentation | None:
    """The augmentation that the widgets stand for."""
    name = value("augmentation")
    if name != CUSTOM:
        return AUGMENTATIONS[name]
    return Augmentation(**{name: value(f"augmentation {name}") for name in AUGMENTATION_SETTINGS})
