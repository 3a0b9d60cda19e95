"""The glossary: it has every technical word of the pages, and no other."""

import ast
import html
import re
from collections.abc import Iterator

import pytest
from helpers import ROOT
from pages import button

from engine.activations import ACTIVATIONS
from engine.config import Config
from engine.layers import LAYERS
from engine.losses import LOSSES
from engine.optimizers import OPTIMIZERS
from engine.schedules import SCHEDULES
from engine.setting_fields import Setting, settings_of
from tests.ui.train.steps import WAIT, open_panel, open_train, runs
from ui import glossary

# Labels of settings that are plain words, or whose help says all.
PLAIN = {"Layers", "Input shape", "Units", "Function", "Window", "Rate", "Epsilon", "step", "Activation"}
TECHNICAL = (  # and what stands in texts only
    "accuracy activation augmentation batch bias calibration checkpoint convolution dropout epoch filter gradient "
    "kernel layer loss MNIST momentum ONNX overfitting parameter probability seed softmax stride unit weight"
)


def labels() -> set[str]:
    """What the engine calls the things that one can choose."""
    registries = (ACTIVATIONS, LOSSES, OPTIMIZERS, SCHEDULES, LAYERS)
    named = {entry.label for registry in registries for entry in registry.values()}
    settings = [settings_of(owner).values() for owner in (Config, *LAYERS.values())]
    return named | {setting.label for group in settings for setting in group}


def texts() -> Iterator[str]:
    """Every text in the sources of the pages, and the settings' names and explanations."""
    yield from labels() | set(glossary.sections())
    for owner in (Config, *LAYERS.values()):
        yield from (str(setting.help) for setting in settings_of(owner).values())
    for file in [*ROOT.glob("ui/**/*.py"), *ROOT.glob("ui/assets/*.js"), ROOT / "engine" / "recipes.toml"]:
        if file.suffix != ".py":
            yield file.read_text()
            continue
        tree = ast.parse(file.read_text())
        bodies = [node.body for node in ast.walk(tree) if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef)]
        docstrings = {id(body[0].value) for body in bodies if body and isinstance(body[0], ast.Expr)}
        for node in ast.walk(tree):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docstrings:
                yield node.value


def explained_in(text: str) -> set[str]:
    return set(re.findall(r'aria-description="[^"]*">([^<]*)</abbr>', glossary.explain(text)))


@pytest.mark.parametrize("label", sorted(labels() - PLAIN))
def test_whatever_can_be_chosen_is_explained(label):
    assert explained_in(label), f"add {label!r} to ui/assets/glossary.toml"


@pytest.mark.parametrize("word", TECHNICAL.split())
def test_technical_words_are_explained(word):
    assert glossary.find(word), f"add {word!r} to ui/assets/glossary.toml"


def test_every_word_of_the_glossary_is_on_a_page():
    used = {glossary.find(word) for text in texts() for word in explained_in(text)}
    unused = set(glossary.words()) - used
    assert not unused, f"no page says {', '.join(sorted(unused))}: remove from ui/assets/glossary.toml"


def test_meanings_are_one_or_two_plain_sentences():
    for word, meaning in glossary.words().items():
        assert meaning.endswith("."), word
        assert len(meaning) <= 140, word
        assert meaning[0].isupper() or meaning[0].isdigit(), word
    assert sum(map(len, glossary.sections().values())) == len(glossary.words()), "a word is in two sections"


@pytest.mark.parametrize(
    ("text", "explained"),
    [
        ("Two epochs of 10 batches, and one epoch", ["epochs", "batches"]),
        ("The Batch size", ["Batch size"]),
        ("leaky ReLU and ReLU", ["leaky ReLU", "ReLU"]),
        ('<i title="the loss">loss</i>', ["loss"]),
        ("`loss` and warm-up", ["warm-up"]),
        ("a lossless unitary seedling", []),
    ],
)
def test_words_are_found_in_texts(text, explained):
    assert re.findall(r'">([^<]*)</abbr>', glossary.explain(text)) == explained
    assert re.sub(r"</?abbr[^>]*>", "", glossary.explain(text)) == text


def test_a_word_is_html():
    assert glossary.term("loss", "<loss>").endswith(">&lt;loss&gt;</abbr>")
    assert glossary.meaning("epoch") == "One time through all training images."


def settings() -> Iterator[tuple[str, Setting]]:
    for owner in (Config, *LAYERS.values()):
        yield from ((owner.__name__, setting) for setting in settings_of(owner).values())


def test_a_setting_and_the_word_for_it_are_explained_in_the_same_way():
    words = {word.lower(): meaning for word, meaning in glossary.words().items()}
    both = [(owner, setting.label, setting.help) for owner, setting in settings() if setting.label.lower() in words]
    different = {(owner, label) for owner, label, help in both if help != words[label.lower()]}
    initial_weights = {(owner, label) for owner, label in different if label == "Initial weights"}  # the widget says both
    assert len(both) > 20
    assert different - initial_weights == {("BatchNorm", "Momentum")}  # another one than an optimizer's


def test_every_setting_and_figure_on_the_train_page_is_explained(sets):
    app = open_train()
    button(app, "1 batch").click().run()
    assert runs(app)[0].series.wait_until_still(WAIT)
    app.run()
    widgets = (app.selectbox, app.number_input, app.select_slider, app.toggle, app.metric)
    explained = {widget.label: widget.help for group in widgets for widget in group if widget.label != "Speed"}
    assert {"Learning rate", "Weight decay", "Seed", "Shuffle", "Training loss", "Test accuracy"} <= explained.keys()
    assert [label for label, help in explained.items() if not help] == []
    (this_runs,) = (box.help for box in app.selectbox if box.label == "Learning rate")
    assert this_runs.startswith(glossary.meaning("learning rate"))
    assert glossary.meaning("validation") in explained["Validation accuracy"]
    open_panel(app, "What it learned")
    assert any(glossary.meaning("gradient") in html.unescape(caption.value) for caption in app.caption)
