"""The form for a sweep: which settings are searched, between which values, how, and for how long."""

from collections.abc import Mapping
from dataclasses import replace
from math import floor, log10
from typing import Any

import streamlit as st
from babel.numbers import get_decimal_symbol

from engine import InklingError
from engine.config import Config
from engine.data.augmentation import AUGMENTATIONS
from engine.setting_fields import Choice as ChoiceKind
from engine.setting_fields import Flag, Integer, Number, Setting, settings_of
from engine.sweep.plan import Sweep, SweepSettings
from engine.sweep.search_space import DENSE_SETTINGS, SEARCHABLE, Choices, Dimension, Range, dense_settings, read_dimension
from ui import SWEEPS_PAGE, studies
from ui.formatting import escape_markdown, show_setting
from ui.run import MAX_SEEDS
from ui.state import expander, keep, session, set_value, value
from ui.train.config_form import ALWAYS_SHOWN, Choice, for_digits
from ui.train.setting_widget import MAX_INTEGER, SMALLEST, from_widget, setting_widget
from ui.translation import N_, _, language

RANGE, LIST = N_("From ... to"), N_("A list")
WIDE_RATIO = 100  # of the usual values, from which on powers of ten are tried as often as each other
SWEEP_SETTINGS = settings_of(SweepSettings)
LIMITS = {"trials": studies.MAX_TRIALS, "num_seeds": MAX_SEEDS}
SWEEP_SETTINGS |= {name: replace(SWEEP_SETTINGS[name], kind=Integer(1, limit)) for name, limit in LIMITS.items()}
DEFAULTS = {"trials": 20, "minutes": 5.0, "measure": "validation_accuracy", "num_seeds": 1, "sampler": "default"}
DEFAULTS |= {"pruner": "median"}
ROWS = (("trials", "minutes"), ("measure",), ("num_seeds",), ("sampler",), ("pruner",))
USUAL_HIDDEN = ((64,), (128,), (256,), (128, 64), (256, 128))
NOT_OFFERED = ("layers", "validation_size")  # no widget for a list of networks; all trials are measured on the same images


def sweep_form(choice: Choice) -> None:
    """The form, folded away, with the button that begins the sweep."""
    with expander(_("Search for the best settings"), ":material/query_stats:", "sweep_open") as form:
        if not form.open:
            return
        if not studies.is_installed():
            st.caption(_(studies.NOT_INSTALLED))
        elif choice.config is None:
            st.caption(_("Fix the error in the settings first."))
        else:
            _form(for_digits(choice.config), choice)
        st.page_link(SWEEPS_PAGE, label=_("See your sweeps"), icon=":material/query_stats:")


def _form(config: Config, choice: Choice) -> None:
    st.caption(
        _(
            "A sweep trains many networks and compares them on the validation images. Choose the settings to search: each "
            "network gets other values for them. All other settings are as above."
        )
    )
    if choice.start is not None:
        st.caption(_("But all networks of a sweep begin with random weights."))
    current = current_values(config)
    chosen = value("searched", ["learning_rate"])
    possible = [name for name in chosen if name in current]
    if possible != chosen:  # the layers are others now
        set_value("searched", possible)
    names = st.multiselect(
        _("Settings to search"),
        list(current),
        format_func=lambda name: _(SEARCHABLE[name].label),
        placeholder=_("Which settings?"),
        **keep("searched", possible),
    )
    boxes = [st.container(border=True, gap="small") for _name in names]
    found = [_dimension(box, name, current[name]) for box, name in zip(boxes, names, strict=True)]
    search = {dimension.name: dimension for dimension in found if dimension}
    _say_what_has_no_effect(dict(zip(names, boxes, strict=True)), search, config)
    for row in ROWS:
        for column, name in zip(st.columns(len(row), wrap=False), row, strict=True):
            with column:
                setting_widget(SWEEP_SETTINGS[name], f"sweep {name}", DEFAULTS[name])
    sweep = _sweep(search, config, choice.source) if all(found) else None
    label, icon = _("Start the sweep"), ":material/query_stats:"
    if st.button(label, icon=icon, type="primary", width="stretch", disabled=sweep is None) and sweep:
        _start(sweep)  # not in a callback: a download shows its progress bar in this place


def current_values(config: Config) -> dict[str, Any]:
    """The settings that can be searched, with their values now; those that matter most come first."""
    of_layers = dense_settings(config.layers) or {}
    others = [name for name in SEARCHABLE if name not in (*ALWAYS_SHOWN, *DENSE_SETTINGS, *NOT_OFFERED)]
    return {
        name: of_layers[name] if name in of_layers else getattr(config, name)
        for name in (*ALWAYS_SHOWN, *of_layers, *others)
    }


def _say_what_has_no_effect(boxes: Mapping[str, Any], search: Mapping[str, Dimension], config: Config) -> None:
    """Say so in the box of each setting that none of the other values lets have an effect, such as Adam the momentum."""
    values = {name: getattr(config, name) for name in settings_of(Config)}
    others = [values | {name: choice} for name, dimension in search.items() for choice in dimension.values()]
    for name, box in boxes.items():
        if not any(map(SEARCHABLE[name].applies, [values, *others])):
            box.caption(_("This setting has no effect as the others are now."))


def _sweep(search: Mapping[str, Dimension], config: Config, source: str) -> Sweep | None:
    """The sweep that the form stands for; None if there can be none, and the page then says why."""
    if not search:
        return None
    if all(len(dimension.values()) == 1 for dimension in search.values()):
        _say(_("Give at least one setting two values or more, so that there is something to compare."))
        return None
    if config.validation_size == 0:
        _say(_("A sweep chooses by the validation images: under More settings, have some of them."))
        return None
    settings = {name: from_widget(value(f"sweep {name}")) for name in DEFAULTS}
    if "loss" in search and settings["measure"] == "validation_loss":
        _say(_("Networks with different losses cannot be compared by their loss: measure the validation accuracy."))
        return None
    if search.keys() & DENSE_SETTINGS.keys():  # they make the layers together
        dense = dense_settings(config.layers) or {}
        search = {name: Choices(name, (SEARCHABLE[name].to_text(value),)) for name, value in dense.items()} | dict(search)
    try:
        return Sweep(search=search, config=config, data=source, **settings)
    except InklingError as error:
        _say(f"{error}.")
        return None


def _start(sweep: Sweep) -> None:
    try:
        with studies.storage_errors():
            name = studies.start(sweep)
    except InklingError as error:
        _say(f"{error}.")
        return
    set_value("sweep", name)
    st.switch_page(SWEEPS_PAGE)


def _say(error: str) -> None:
    st.error(escape_markdown(error), icon=":material/error:")


def _dimension(box: Any, name: str, current: Any) -> Dimension | None:
    """The widgets for a setting that is searched, and what they stand for; None if they say why it cannot be."""
    setting = SEARCHABLE[name]
    label = _(setting.label)
    with box:
        try:
            if is_number(name):
                first = LIST if isinstance(setting.kind, Integer) and setting.usual else RANGE
                if _how(name, label, first) == RANGE:
                    return _range(name, setting, current)
            return _list(name, setting, current)
        except InklingError as error:
            _say(f"{error}.")
    return None


def is_number(name: str) -> bool:
    """Whether a setting can be searched between two numbers."""
    return isinstance(SEARCHABLE[name].kind, Number | Integer)


def _how(name: str, label: str, first: str) -> str:
    return (
        st.segmented_control(label, [RANGE, LIST], format_func=_, required=True, **keep(f"search {name} how", first))
        or first
    )


def _follow(defaults: Mapping[str, Any]) -> None:
    """Set widgets, by key, to new defaults, if all of them still have the old ones."""
    old = session().sweep_defaults
    if any(old.get(key) != default for key, default in defaults.items()):
        if all(value(key, old.get(key)) == old.get(key) for key in defaults):
            for key, default in defaults.items():
                set_value(key, default)
        old.update(defaults)


def _range(name: str, setting: Setting, current: Any) -> Dimension | None:
    low, high, is_log = usual_range(name, current)
    keys = [f"search {name} {part}" for part in ("from", "to", "log")]
    _follow(dict(zip(keys, (low, high, is_log), strict=True)))
    ends = []
    for column, text, key, default in zip(st.columns(2), (_("From"), _("To")), keys, (low, high), strict=False):
        with column:
            ends.append(_number(text, key, setting.kind, default))
    help = _("Tries 0.001 to 0.01 as often as 0.01 to 0.1 (a logarithmic scale).")
    log = st.toggle(_("Powers of ten"), help=help, **keep(keys[2], is_log))
    if ends[0] >= ends[1]:
        _say(_("“From” must be less than “To”."))
    elif log and ends[0] <= 0:
        _say(_("With powers of ten, “From” must be above 0."))
    else:
        return Range(name, ends[0], ends[1], log)
    return None


def _number(label: str, key: str, kind: Any, default: Any) -> Any:
    if isinstance(kind, Integer):
        return st.number_input(label, kind.low, min(kind.high, MAX_INTEGER), **keep(key, default))
    low = SMALLEST if kind.open_low else float(kind.low)
    step = 10.0 ** floor(log10(default)) if default > 0 else 0.1
    return st.number_input(label, low, float(kind.high), step=step, format="%g", **keep(key, default))


def usual_range(name: str, current: Any) -> tuple[Any, Any, bool]:
    """The lowest and highest value to offer for a number, and whether between them powers of ten count."""
    setting = SEARCHABLE[name]
    kind = setting.kind
    assert isinstance(kind, Number | Integer)
    usual = sorted(setting.usual)
    positive = [number for number in usual if number > 0]
    is_log = bool(positive) and positive[-1] >= WIDE_RATIO * positive[0]
    if is_log:
        usual = [number for number in positive if not current or 0.099 * current < number < 10.1 * current]
    candidates = [*usual, *([current] if current or (current is not None and not is_log) else [])]
    low, high = min(candidates), max(candidates)
    if low == high:
        low, high = (low / 2, low * 2) if low else (low, 1)
    low, high = max(low, kind.low), min(high, kind.high)
    if isinstance(kind, Integer):
        return round(low), max(round(high), round(low) + 1), is_log
    return float(low), float(high), is_log


def _list(name: str, setting: Setting, current: Any) -> Dimension | None:
    now, kind = setting.to_text(current), setting.kind
    texts, is_open = _offered(name, setting, current)
    position = texts.index(now)
    first = texts[max(position - 1, 0) : position + 2] if is_open else [now, *[text for text in texts if text != now][:1]]
    labels: dict[Any, str] = {text: show_setting(setting, setting.from_text(name, text)) for text in texts}
    key = f"search {name} list"
    _follow({key: first})
    chosen = st.multiselect(
        _(setting.label),
        texts,
        format_func=lambda text: labels.get(text, str(text)),
        placeholder=_("Which values?"),
        accept_new_options=is_open,
        label_visibility="collapsed" if is_number(name) else "visible",  # it stands above the choice of a range or a list
        **keep(key, first),
    )
    if not chosen:
        _say(_("Choose at least one value."))
        return None
    if isinstance(kind, Number):  # people type them with their own decimal sign
        chosen = [text.replace(get_decimal_symbol(language()), ".") for text in chosen]
    return read_dimension(name, chosen)


def _offered(name: str, setting: Setting, current: Any) -> tuple[list[str], bool]:
    """The values to choose from, as texts, the current one among them, and whether people can add others."""
    kind, now = setting.kind, setting.to_text(current)
    if isinstance(kind, Flag):
        return ["on", "off"], False
    if isinstance(kind, ChoiceKind):
        return list(kind.registry), False
    if name == "augmentation":
        return [*dict.fromkeys([*AUGMENTATIONS, now])], False
    values = [*USUAL_HIDDEN] if name == "hidden" else sorted(setting.usual)
    texts = [setting.to_text(value) for value in (*values, *([] if setting.none is None else [None]))]
    return texts if now in texts else [now, *texts], True
