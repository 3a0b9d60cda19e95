"""Building a network layer by layer: each with its settings, the shape of its output, and its number of parameters."""

from dataclasses import dataclass, replace
from typing import Any

import streamlit as st

from engine import InklingError
from engine.layers import LAYERS, MAX_LAYERS, Activation, Conv2D, Dense, Layer, MaxPool2D
from engine.network import image_shape, iterate_plan
from engine.setting_fields import settings_of
from ui import glossary
from ui.formatting import escape_markdown, number
from ui.state import forget, keep, session
from ui.train.setting_widget import setting_widget
from ui.translation import N_, _


@dataclass
class Block:
    """A layer in the builder. Its ``number`` stays with it when it moves. ``layer`` has its last valid settings; ``valid``
    says whether its widgets show these."""

    number: int
    layer: Layer
    valid: bool = True


def fill(layers: tuple[Layer, ...]) -> None:
    """Have the builder hold these layers."""
    forget("layer ")
    session().blocks = [_new_block(layer) for layer in layers]


def current_layers() -> tuple[Layer, ...]:
    """The layers in the builder, whether they fit together or not."""
    return tuple(block.layer for block in session().blocks)


def network_builder() -> tuple[Layer, ...] | None:
    """Show the layers, to change; return them, or None if they cannot work, having said why."""
    with st.container(key="builder", gap="xsmall"):
        st.caption(_("Under each layer: the shape of its output, then its number of parameters."))
        slots = [_row(block) for block in session().blocks]
        _add_row()
        _suggest()
    return check_layers(slots)


def check_layers(slots: list[Any] | None = None) -> tuple[Layer, ...] | None:
    """The layers, with the output of each shown in ``slots``; None if they do not fit together, having said which."""
    layers = current_layers()
    try:
        for position, row in enumerate(iterate_plan(layers, image_shape(layers))):
            if slots:
                layer = layers[position]
                slots[position].html(_title(_numbered(layers, position), row.output, row.num_parameters, layer.frozen))
    except InklingError as error:
        st.error(
            escape_markdown(_("These layers do not fit together: {error}.").format(error=error)), icon=":material/link_off:"
        )
        return None
    if all(block.valid for block in session().blocks):
        return layers
    if not slots:
        st.error(_("A setting of a layer is wrong: open Network to see which."), icon=":material/error:")
    return None


def _suggest() -> None:
    """Say which activation is missing or too many, and offer to put it right."""
    layers = current_layers()
    if position := missing_activation(layers):
        st.warning(
            _(
                "{layer} needs an activation before it, such as ReLU: without one, this layer and the one with weights "
                "before it can do no more than a single layer."
            ).format(layer=_numbered(layers, position)),
            icon=":material/lightbulb:",
        )
        label = _("Add ReLU before {layer}").format(layer=_numbered(layers, position))
        st.button(label, icon=":material/add:", key="add activation", on_click=_insert_relu, args=(position,))
    for before, position in useless_activations(layers):
        st.warning(
            _("{layer} comes straight after {other}. Two activations in a row hardly help: remove one of them.").format(
                layer=_numbered(layers, position), other=_numbered(layers, before)
            ),
            icon=":material/lightbulb:",
        )


def _numbered(layers: tuple[Layer, ...], position: int) -> str:
    return f"{position + 1} {_(layers[position].label)}"


def missing_activation(layers: tuple[Layer, ...]) -> int:
    """The position of the first layer with weights that only linear layers separate from the one before; 0 if none."""
    is_linear = False  # all since the last layer with weights
    for position, layer in enumerate(layers):
        if isinstance(layer, Dense | Conv2D):
            if is_linear:
                return position
            is_linear = True
        elif isinstance(layer, MaxPool2D) or _bends(layer):
            is_linear = False
    return 0


def useless_activations(layers: tuple[Layer, ...]) -> list[tuple[int, int]]:
    """The positions of activations with another one straight before them."""
    pairs = [(position - 1, position) for position in range(1, len(layers))]
    return [pair for pair in pairs if all(_bends(layers[position]) for position in pair)]


def _bends(layer: Layer) -> bool:
    return isinstance(layer, Activation) and layer.function != "identity"


def _insert_relu(position: int) -> None:
    session().blocks.insert(position, _new_block(Activation("relu")))


def _title(name: str, output: tuple[int, ...] = (), num_parameters: int = 0, frozen: bool = False) -> str:
    shape = f"→ {' x '.join(map(str, output))}" if output else "&nbsp;"
    details = f"{shape}{f' · {number(num_parameters)}' if num_parameters else ''}{' · ' + _('frozen') if frozen else ''}"
    title = _("The shape of its output, and its number of parameters")
    return f'<div class="inkling-layer"><b>{name}</b><small title="{title}">{details}</small></div>'


def _row(block: Block) -> Any:
    """One layer's row; returns the place for what is only known when the layers before it are."""
    layer, main = block.layer, block.layer.main_setting
    with st.container(horizontal=True, wrap=False, vertical_alignment="center", gap="small"):
        slot = st.empty()
        slot.html(_title(_(layer.label)))
        values = {main: _widget(block, main, label_visibility="collapsed", width=118)} if main else {}
        with st.popover("", icon=":material/tune:", key=f"more of layer {block.number}", on_change="rerun") as popover:
            if popover.open:
                values |= {name: _widget(block, name) for name in _other_settings(layer)}
                _move_buttons(block)
    try:
        block.layer, block.valid = replace(layer, **values), True
    except InklingError as error:
        block.valid = False
        st.error(escape_markdown(f"{_(layer.label)}: {error}."))
    return slot


def _other_settings(layer: Layer) -> list[str]:
    """The settings that are not in the row itself; only a layer with parameters can be frozen."""
    names = [name for name in settings_of(type(layer)) if name not in (layer.main_setting, "frozen")]
    return [*names, "frozen"] if type(layer).parameter_shapes is not Layer.parameter_shapes else names


def _widget(block: Block, name: str, **look: Any) -> Any:
    setting = settings_of(type(block.layer))[name]
    if name == "initializer":
        look["help"] = f"{glossary.meaning('initial weights')} {_(setting.help)}"
    return setting_widget(setting, f"layer {block.number} {name}", getattr(block.layer, name), **look)


def _move_buttons(block: Block) -> None:
    blocks = session().blocks
    position = blocks.index(block)
    with st.container(horizontal=True):
        for icon, name, action, possible in (
            ("arrow_upward", N_("Up"), lambda: _move(position, -1), position > 0),
            ("arrow_downward", N_("Down"), lambda: _move(position, 1), position < len(blocks) - 1),
            ("delete", N_("Remove"), lambda: blocks.remove(block), len(blocks) > 1),
        ):
            key = f"{name} layer {block.number}"
            st.button(_(name), icon=f":material/{icon}:", key=key, on_click=action, disabled=not possible)


def _move(position: int, by: int) -> None:
    blocks = session().blocks
    blocks.insert(position + by, blocks.pop(position))


def _add_row() -> None:
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
        kind = st.selectbox(
            _("New layer"),
            list(LAYERS),
            format_func=lambda kind: _(LAYERS[kind].label),
            help=_("It goes before the last layer, which gives the ten outputs. You can move it from there."),
            **keep("new layer", "dense"),
        )
        full = len(session().blocks) >= MAX_LAYERS
        st.button(_("Add"), icon=":material/add:", on_click=_add, args=(kind,), key="add layer", disabled=full)


def _add(kind: str) -> None:
    """Put a new layer before the last one, with a usual value of its main setting and its defaults for the rest."""
    main = LAYERS[kind].main_setting
    setting = settings_of(LAYERS[kind])[main] if main else None
    values = {main: setting.usual[0]} if main and setting and setting.usual else {}
    session().blocks.insert(-1, _new_block(LAYERS[kind](**values)))


def _new_block(layer: Layer) -> Block:
    session().num_blocks += 1
    return Block(session().num_blocks, layer)
