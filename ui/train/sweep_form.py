"""The form for a sweep: which settings are searched, between which values, how, and for how long."""

from math import floor, log10
from typing import Any

import streamlit as st

from engine import InklingError
from engine.config import Config
from engine.data.augmentation import AUGMENTATIONS
from engine.setting_fields import Choice as ChoiceKind
from engine.setting_fields import Flag, Integer, Number, Setting, settings_of
from engine.sweep.plan import Sweep, SweepSettings
from engine.sweep.search_space import DENSE_SETTINGS, SEARCHABLE, Choices, Dimension, dense_settings, read_dimension
from ui import SWEEPS_PAGE, studies
from ui.formatting import escape_markdown, show_setting
from ui.state import expander, keep, report_error, set_value, value
from ui.train.config_form import Choice, for_digits
from ui.train.setting_widget import MAX_INTEGER, SMALLEST, from_widget, setting_widget
from ui.translation import N_, _

RANGE, LIST = N_("From ... to"), N_("A list")
WIDE_RATIO = 100  # of the usual values, from which on powers of ten are tried as often as each other
SWEEP_SETTINGS = settings_of(SweepSettings)
DEFAULTS = {"trials": 20, "minutes": 5.0, "measure": "validation_accuracy", "num_seeds": 1, "sampler": "default"}
DEFAULTS |= {"pruner": "hyperband"}
USUAL_HIDDEN = ((64,), (128,), (256,), (128, 64), (256, 128))


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
            _form(for_digits(choice.config), choice.source)
        st.page_link(SWEEPS_PAGE, label=_("See your sweeps"), icon=":material/query_stats:")


def _form(config: Config, source: str) -> None:
    st.caption(
        _(
            "A sweep trains many networks and compares them on the validation images. Mark the settings to search: each "
            "network gets other values for them. All other settings are as above."
        )
    )
    current = _current(config)
    marked = [name for name in value("searched", ["learning_rate"]) if name in current]
    set_value("searched", marked)
    names = st.multiselect(
        _("Search"),
        list(current),
        format_func=lambda name: _(SEARCHABLE[name].label),
        placeholder=_("Which settings?"),
        **keep("searched", marked),
    )
    try:
        search = {name: _dimension(name, current[name]) for name in names}
        error = ""
    except InklingError as problem:
        search, error = {}, f"{problem}."
    left, right = st.columns(2)
    for position, (name, default) in enumerate(DEFAULTS.items()):
        with (left, right)[position % 2]:
            setting_widget(SWEEP_SETTINGS[name], f"sweep {name}", default)
    if error:
        st.error(escape_markdown(error), icon=":material/error:")
    started = st.button(
        _("Start the sweep"), icon=":material/query_stats:", type="primary", width="stretch", disabled=not search
    )
    if started:  # not in a callback: a download shows its progress bar in this place
        _start(search, config, source)


def _current(config: Config) -> dict[str, Any]:
    """The settings that can be searched, with their values now."""
    values = {name: getattr(config, name) for name in SEARCHABLE if name != "layers" and name not in DENSE_SETTINGS}
    return values | (dense_settings(config.layers) or {})


def _start(search: dict[str, Dimension], config: Config, source: str) -> None:
    if search.keys() & DENSE_SETTINGS.keys():  # they make the layers together
        dense = dense_settings(config.layers) or {}
        fixed = {name: Choices(name, (SEARCHABLE[name].to_text(value),)) for name, value in dense.items()}
        search = fixed | search
    settings = {name: from_widget(value(f"sweep {name}")) for name in DEFAULTS}
    try:
        with studies.storage_errors():
            name = studies.start(Sweep(search=search, config=config, data=source, **settings))
    except InklingError as error:
        report_error(error)
        st.rerun()
    set_value("sweep", name)
    st.switch_page(SWEEPS_PAGE)


def _dimension(name: str, current: Any) -> Dimension:
    """The widgets for a setting that is searched, and what they stand for; raises ``InklingError`` if it cannot be."""
    setting = SEARCHABLE[name]
    label = _(setting.label)
    with st.container(border=True, gap="small"):
        if isinstance(setting.kind, Number | Integer):
            first = LIST if isinstance(setting.kind, Integer) and setting.usual else RANGE
            if _how(name, label, first) == RANGE:
                return _range(name, setting, current)
        return _list(name, setting, current)


def _how(name: str, label: str, first: str) -> str:
    key = f"search {name} how"
    return st.segmented_control(label, [RANGE, LIST], format_func=_, required=True, **keep(key, first)) or first


def _range(name: str, setting: Setting, current: Any) -> Dimension:
    low, high, is_log = usual_range(setting, current)
    ends = []
    for column, text, default in zip(st.columns(2), (_("From"), _("To")), (low, high), strict=True):
        with column:
            ends.append(_number(text, f"search {name} {len(ends)}", setting.kind, default))
    label, help = _("Powers of ten"), _("Tries 0.001 to 0.01 as often as 0.01 to 0.1 (a logarithmic scale).")
    log = st.toggle(label, help=help, **keep(f"search {name} log", is_log))
    start, end = map(setting.to_text, ends)
    return read_dimension(name, f"{start}..{end}{':log' * log}")


def _number(label: str, key: str, kind: Any, default: Any) -> Any:
    if isinstance(kind, Integer):
        return st.number_input(label, kind.low, min(kind.high, MAX_INTEGER), **keep(key, default))
    low = SMALLEST if kind.open_low else float(kind.low)
    step = 10.0 ** floor(log10(default)) if default > 0 else 0.1
    return st.number_input(label, low, float(kind.high), step=step, format="%g", **keep(key, default))


def usual_range(setting: Setting, current: Any) -> tuple[Any, Any, bool]:
    """The lowest and highest value to offer for a number, and whether between them powers of ten count."""
    kind = setting.kind
    assert isinstance(kind, Number | Integer)
    usual = sorted(number for number in setting.usual if number)
    is_log = bool(usual) and usual[-1] / usual[0] >= WIDE_RATIO
    if is_log and current:
        low, high = current / 10, current * 10
    elif usual:
        low, high = usual[0] if is_log else min(number for number in setting.usual if number is not None), usual[-1]
    else:
        low, high = (current / 2, current * 2) if current else (kind.low, min(kind.high, 1))
    low, high = max(low, kind.low), min(high, kind.high)
    if isinstance(kind, Integer):
        return round(low), max(round(high), round(low) + 1), is_log
    return float(f"{low:.3g}"), float(f"{high:.3g}"), is_log


def _list(name: str, setting: Setting, current: Any) -> Dimension:
    kind = setting.kind
    if isinstance(kind, Flag):
        texts = ["on", "off"]
    elif isinstance(kind, ChoiceKind):
        texts = list(kind.registry)
    elif name == "augmentation":
        texts = [*AUGMENTATIONS]
    else:
        return _open_list(name, setting, current)
    labels = {text: show_setting(setting, setting.from_text(name, text)) for text in texts}
    now = setting.to_text(current)
    first = [text for text in texts if text == now] or texts[:1]
    others = [text for text in texts if text not in first][:1]
    label = _(setting.label)
    chosen = st.multiselect(label, texts, format_func=labels.__getitem__, **keep(f"search {name} list", first + others))
    return read_dimension(name, chosen)


def _open_list(name: str, setting: Setting, current: Any) -> Dimension:
    """A list to which people can add values."""
    usual = list(USUAL_HIDDEN) if name == "hidden" else sorted(number for number in setting.usual if number is not None)
    values = [*usual, *([] if setting.none is None else [None])]
    if current not in values:
        values = [current, *values]
    position = values.index(current)
    texts = [setting.to_text(each) for each in values]
    first = texts[max(position - 1, 0) : position + 2]
    chosen = st.multiselect(
        _(setting.label), texts, accept_new_options=True, placeholder=_("Add values"), **keep(f"search {name} list", first)
    )
    return read_dimension(name, chosen)
