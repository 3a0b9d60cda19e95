"""The form on the Train page that begins a sweep."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from helpers import make_digits, need_optuna
from pages import button, open_app, session, widget

from engine import Config
from engine.layers import Activation, Conv2D, Dense, Flatten
from engine.recipes import RECIPES
from engine.sweep.plan import Sweep
from engine.sweep.search_space import DENSE_SETTINGS, SEARCHABLE, Choices, Range, dense_settings
from tests.ui.train.steps import says
from ui import datasets, own_data, studies
from ui.train import config_form, sweep_form

MARK = "Settings to search"
NAMES = [name for name in SEARCHABLE if name not in sweep_form.NOT_OFFERED]
CONVOLUTIONAL = next(
    name for name, recipe in RECIPES.items() if any(isinstance(layer, Conv2D) for layer in recipe.config.layers)
)


@pytest.fixture(autouse=True)
def _installed():
    need_optuna()


@pytest.fixture
def started(monkeypatch):
    """The sweeps that the form asks for, which do not begin."""
    sweeps = []
    monkeypatch.setattr(studies, "start", lambda sweep: sweeps.append(sweep) or "name")
    return sweeps


def open_form(*names, source=None):
    """The Train page with the form unfolded, and these settings marked."""
    app = open_app()
    if source:
        session(app).own_sources.append(source)
        app.session_state["source"] = source
    app.session_state["sweep_open"] = True
    if names:
        app.session_state["searched"] = list(names)
    app.switch_page("ui/train/page.py").run()
    assert not app.exception
    return app


def options(app):
    return list(widget(app.multiselect, MARK).options)


def start_button(app):
    return button(app, "Start the sweep")


def test_a_dense_network_has_its_layers_searched_and_a_convolutional_one_does_not():
    app = open_form()
    labels = [SEARCHABLE[name].label for name in DENSE_SETTINGS]
    assert options(app)[:7] == ["Learning rate", "Epochs", "Batch size", *labels]
    assert len(options(app)) == len(NAMES)
    widget(app.multiselect, MARK).select("hidden").run()
    widget(app.selectbox, "Preset").select(CONVOLUTIONAL).run()
    assert not app.exception
    assert len(options(app)) == len(NAMES) - len(DENSE_SETTINGS)
    assert not set(labels) & set(options(app))
    assert widget(app.multiselect, MARK).value == ["learning_rate"]
    assert not start_button(app).disabled


@pytest.mark.parametrize(
    "layers", [(Dense(30), Activation("relu"), Dense(20), Activation("tanh"), Dense(10)), (Conv2D(2), Flatten(), Dense(10))]
)
def test_layers_that_are_not_plain_are_not_searched(layers):
    assert dense_settings(layers) is None
    assert not sweep_form.current_values(Config(layers=layers)).keys() & DENSE_SETTINGS.keys()


@pytest.mark.parametrize("name", NAMES)
def test_every_setting_can_be_searched_as_it_is_offered(name, started):
    app = open_form(name)
    assert says(app.error, "") is False
    start_button(app).click().run()
    (sweep,) = started
    assert sweep.search[name].name == name
    assert len(sweep.search[name].values()) > 1
    others = set(DENSE_SETTINGS) if name in DENSE_SETTINGS else {name}
    assert set(sweep.search) == others
    assert Sweep.from_json(sweep.to_json()) == sweep


@pytest.mark.parametrize("recipe", RECIPES)
def test_the_ranges_that_are_offered_are_valid_and_have_the_current_value(recipe):
    config = replace(RECIPES[recipe].config, validation_size=None)
    values = sweep_form.current_values(config)
    dense = {name: Choices(name, (SEARCHABLE[name].to_text(values[name]),)) for name in DENSE_SETTINGS if name in values}
    for name in filter(sweep_form.is_number, values):
        low, high, is_log = sweep_form.usual_range(name, values[name])
        assert low < high
        if values[name] or (values[name] == 0 and not is_log):
            assert low <= values[name] <= high
        others = dense if name in DENSE_SETTINGS else {}
        sweep = Sweep(search=others | {name: Range(name, low, high, is_log)}, config=config)
        assert Sweep.from_json(sweep.to_json()) == sweep


@pytest.mark.parametrize("name", [name for name in NAMES if sweep_form.is_number(name)])
def test_every_value_that_a_number_may_have_gives_a_range(name):
    setting = SEARCHABLE[name]
    kind: Any = setting.kind
    low = 1e-6 if getattr(kind, "open_low", False) else kind.low
    for now in (low, kind.high, *setting.usual):
        low_end, high_end, is_log = sweep_form.usual_range(name, now)
        assert kind.low <= low_end < high_end <= kind.high
        assert low_end > 0 or not is_log


def test_a_range_that_is_the_wrong_way_round_says_so_and_nothing_begins():
    app = open_form("learning_rate", "momentum", "hidden")
    widget(app.number_input, "To").set_value(1e-5).run()
    assert says(app.error, "“From” must be less than “To”")
    assert start_button(app).disabled
    assert widget(app.multiselect, "Hidden layers")  # the others are still there
    widget(app.number_input, "To").set_value(0.05).run()
    assert not start_button(app).disabled
    widget(app.number_input, "From").set_value(0.04).run()
    assert not start_button(app).disabled


def test_powers_of_ten_need_a_number_above_0():
    app = open_form("weight_decay")
    widget(app.number_input, "From").set_value(0.0).run()
    assert says(app.error, "must be above 0")
    assert start_button(app).disabled
    widget(app.toggle, "Powers of ten").set_value(False).run()
    assert not start_button(app).disabled


def test_a_list_takes_values_of_ones_own(started):
    app = open_form("hidden", "batch_size", "learning_rate")
    widget(app.multiselect, "Hidden layers").set_value(["32", "300, 100"]).run()
    widget(app.multiselect, "Batch size").set_value(["50", "none"]).run()
    app.button_group(key="search learning_rate how").set_value(sweep_form.LIST).run()
    widget(app.multiselect, "Learning rate").set_value(["0.001", "0.0125"]).run()
    start_button(app).click().run()
    assert not app.exception
    (sweep,) = started
    assert [value.values() for value in map(sweep.search.get, ("hidden", "batch_size", "learning_rate"))] == [
        [(32,), (300, 100)],
        [50, None],
        [0.001, 0.0125],
    ]


@pytest.mark.parametrize(
    ("name", "values", "says_so"),
    [
        ("hidden", ["12, x"], "hidden must be"),
        ("hidden", ["64", "64"], "each value once"),
        ("batch_size", ["0", "16"], "batch_size must be"),
        ("optimizer", [], "Choose at least one value"),
        ("optimizer", ["adam"], "at least one setting two values"),
    ],
)
def test_a_list_that_cannot_be_searched_says_so(name, values, says_so):
    app = open_form(name)
    widget(app.multiselect, SEARCHABLE[name].label).set_value(values).run()
    assert says(app.error, says_so.replace("_", r"\_"))
    assert start_button(app).disabled


def test_nothing_marked_means_nothing_to_start():
    app = open_form()
    widget(app.multiselect, MARK).set_value([]).run()
    assert start_button(app).disabled
    assert not app.error


def test_a_preset_without_validation_images_says_what_is_missing():
    app = open_form()
    name = next(name for name, recipe in RECIPES.items() if recipe.config.validation_size == 0)
    widget(app.selectbox, "Preset").select(name).run()
    assert says(app.error, "A sweep chooses by the validation images")
    assert start_button(app).disabled


def test_losses_are_not_compared_with_each_other():
    app = open_form("loss")
    assert not start_button(app).disabled
    widget(app.selectbox, "Measure").select("validation_loss").run()
    assert says(app.error, "cannot be compared by their loss")
    assert start_button(app).disabled


def test_a_setting_without_effect_says_so():
    app = open_form("momentum")
    assert says(app.caption, "has no effect")
    widget(app.multiselect, MARK).select("optimizer").run()
    widget(app.multiselect, "Optimizer").set_value(["adam", "sgd"]).run()
    assert says(app.caption, "has no effect")
    widget(app.multiselect, "Optimizer").set_value(["adam", "momentum"]).run()
    assert not says(app.caption, "has no effect")


def test_untouched_values_follow_the_settings_above_and_others_stay():
    app = open_form("learning_rate", "hidden")
    assert [widget(app.number_input, end).value for end in ("From", "To")] == [0.0002, 0.02]
    widget(app.select_slider, "Learning rate").set_value(0.1).run()
    assert [widget(app.number_input, end).value for end in ("From", "To")] == [0.01, 1.0]
    widget(app.number_input, "From").set_value(0.05).run()
    widget(app.select_slider, "Learning rate").set_value(0.001).run()
    assert [widget(app.number_input, end).value for end in ("From", "To")] == [0.05, 1.0]


def test_what_was_chosen_is_there_after_a_look_at_another_page_and_at_the_folded_form():
    app = open_form("learning_rate", "hidden")
    widget(app.multiselect, "Hidden layers").set_value(["32", "48,24"]).run()
    widget(app.number_input, "To").set_value(0.5).run()
    widget(app.number_input, "Trials").set_value(7).run()
    widget(app.selectbox, "Sampler").select("random").run()
    app.switch_page("ui/draw/page.py").run()
    app.switch_page("ui/train/page.py").run()
    app.session_state["sweep_open"] = False
    app.run()
    assert not app.multiselect
    app.session_state["sweep_open"] = True
    app.run()
    assert widget(app.multiselect, MARK).value == ["learning_rate", "hidden"]
    assert widget(app.multiselect, "Hidden layers").value == ["32", "48,24"]
    assert widget(app.number_input, "To").value == 0.5
    assert widget(app.number_input, "Trials").value == 7
    assert widget(app.selectbox, "Sampler").value == "random"


def test_own_data_with_other_classes_can_be_searched(monkeypatch, started):
    monkeypatch.setattr(own_data, "_kept", {})
    letters = replace(make_digits(700), labels=(np.arange(700) % 12).astype(np.uint8), class_names=tuple("ABCDEFGHIJKL"))
    source = "own/letters/0123456789ab"
    own_data._kept[source] = own_data.OwnData(source, letters, letters, ())
    monkeypatch.setattr(datasets, "load", lambda source: (letters, letters))
    app = open_form("hidden", source=source)
    assert says(app.caption, "12 outputs")
    start_button(app).click().run()
    assert not app.exception
    (sweep,) = started
    assert sweep.data == source
    chosen = {name: dimension.grid()[0] for name, dimension in sweep.search.items()}
    assert sweep.config_of(chosen).for_classes(12).layers[-1] == Dense(12)


def test_start_begins_the_sweep_that_was_asked_for_and_shows_it(sets, sweeps):
    from engine.sweep.study import list_studies, open_study

    app = open_form("learning_rate", "hidden")
    widget(app.number_input, "Epochs").set_value(2).run()
    widget(app.multiselect, "Hidden layers").set_value(["8", "12"]).run()
    widget(app.number_input, "Trials").set_value(3).run()
    widget(app.selectbox, "Sampler").select("random").run()
    widget(app.selectbox, "Pruning").select("none").run()
    app.session_state["drawer"] = True
    start_button(app).click().run()
    assert not app.exception
    ((name, attributes),) = list_studies(sweeps).items()
    sweep = open_study(sweeps, name).sweep
    assert attributes["title"] == "Sweep 1"
    assert sweep.search["hidden"].values() == [(8,), (12,)]
    assert sweep.search["learning_rate"] == Range("learning_rate", 0.0002, 0.02, True)
    assert (sweep.trials, sweep.minutes, sweep.sampler, sweep.pruner) == (3, 5.0, "random", "none")
    assert (sweep.measure, sweep.num_seeds, sweep.config.epochs) == ("validation_accuracy", 1, 2)
    assert app.title[0].value == "Sweeps"
    assert app.get("progress")[0].proto.text.endswith("of 3 trials are done")
    assert not app.session_state["drawer"]


def test_a_sweep_that_cannot_begin_says_so_beside_the_button(monkeypatch):
    def refuse(sweep):
        raise config_form.InklingError("one of your sweeps is not over")

    monkeypatch.setattr(studies, "start", refuse)
    app = open_form()
    start_button(app).click().run()
    assert says(app.error, "one of your sweeps is not over")
    assert app.title[0].value == "Train a network"


def test_in_german_numbers_have_a_comma(monkeypatch):
    sweeps = []
    monkeypatch.setattr(sweep_form, "Sweep", lambda **settings: sweeps.append(Sweep(**settings)) or sweeps[-1])
    app = open_app()
    app.session_state["chosen_language"] = "de"
    app.session_state["sweep_open"] = True
    app.session_state["search learning_rate how"] = sweep_form.LIST
    app.session_state["search learning_rate list"] = ["0.002", "0,0125"]
    app.switch_page("ui/train/page.py").run()
    assert not app.exception
    assert "0,002" in widget(app.multiselect, "Lernrate").options
    assert sweeps[-1].search["learning_rate"].values() == [0.002, 0.0125]
