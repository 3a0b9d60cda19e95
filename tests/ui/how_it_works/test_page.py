"""The page How it works: the four parts of a step, the guess, the nudge, and what the diagram is told."""

import json
import re
from itertools import product

import numpy as np
import pytest
from helpers import make_digits
from pages import SEVEN, draw, open_app, session, widget

from engine.activations import ACTIVATIONS
from engine.losses import LOSSES, OUTPUT_FORMULAS
from engine.optimizers import OPTIMIZERS
from engine.step_by_step import Stage, StepByStep, shrink
from ui import HOW_PAGE, formatting
from ui.how_it_works import guess, images
from ui.how_it_works.formulas import assignment, tree
from ui.how_it_works.view import KEY, NAMES, SYMBOLS, TEXTS, nudge_data, view_data

PARTS = ["FORWARD", "LOSS", "BACKWARD", "UPDATE"]


@pytest.fixture(autouse=True)
def _digits_that_inkling_draws(monkeypatch):
    monkeypatch.setattr(images, "local_folder", lambda: None)


@pytest.fixture
def app():
    app = open_app(str(HOW_PAGE))
    app.session_state["step settings"] = True
    return app.run()


def step_of(app):
    return session(app).hand_step.step


def sent(app):
    """The last message to the browser."""
    return next(
        json.loads(element.proto.json)
        for element in app.get("bidi_component")
        if element.proto.component_name == "inkling_step"
    )


def press(app, part):
    return app.button(key=f"step {part}").click().run()


def guess_first(app, direction="fall", size=0.1):
    app.session_state[guess.DIRECTION], app.session_state[guess.SIZE] = direction, size
    return app.run()


def take_all(app):
    for part in PARTS[:3]:
        press(app, part)
    return press(guess_first(app), "UPDATE")


def shown(app):
    return " ".join(element.value for element in app.markdown)


def enabled(app):
    return [part for part in PARTS if not app.button(key=f"step {part}").disabled]


def test_the_parts_are_pressed_in_order_and_the_guess_comes_before_the_update(app):
    for stage, part in enumerate(PARTS[:3]):
        assert sent(app)["stage"] == stage
        assert enabled(app) == [part]
        press(app, part)
    assert enabled(app) == []
    assert "Guess first" in shown(app)
    guess_first(app)
    assert enabled(app) == ["UPDATE"]
    before = step_of(app).loss
    press(app, "UPDATE")
    assert enabled(app) == []
    assert formatting.loss(before) in shown(app)
    assert formatting.loss(step_of(app).loss_after) in shown(app)
    assert sent(app)["lossAfter"] == step_of(app).loss_after
    assert not app.exception


def test_next_step_goes_on_again_takes_it_back_and_reset_begins_anew(app):
    take_all(app)
    first, after = step_of(app).before.copy(), step_of(app).after.copy()
    widget(app.button, "Again").click().run()
    assert (step_of(app).stage, step_of(app).number) == (Stage.START, 1)
    np.testing.assert_array_equal(step_of(app).network.parameters, first)
    take_all(app)
    widget(app.button, "Next step").click().run()
    assert (step_of(app).stage, step_of(app).number) == (Stage.START, 2)
    np.testing.assert_array_equal(step_of(app).before, after)
    assert app.session_state[guess.DIRECTION] is None
    widget(app.button, "Reset").click().run()
    assert step_of(app).number == 1
    np.testing.assert_array_equal(step_of(app).before, first)


def test_another_rule_takes_the_update_back_and_asks_for_a_new_guess(app):
    take_all(app)
    widget(app.selectbox, "Optimizer").select("adam").run()
    assert step_of(app).stage is Stage.BACKWARD
    assert step_of(app).learning_rate == OPTIMIZERS["adam"].usual_learning_rate
    assert "Guess first" in shown(app)
    assert enabled(app) == []
    press(guess_first(app), "UPDATE")
    widget(app.select_slider, "Learning rate").set_value(10.0).run()
    press(guess_first(app), "UPDATE")
    assert step_of(app).learning_rate == 10


@pytest.mark.parametrize(
    ("label", "value"), [("Activation", "tanh"), ("Loss", "softmax_mse"), ("Learn from", "three"), ("Other images", None)]
)
def test_another_network_loss_or_image_begins_anew(app, label, value):
    take_all(app)
    before = sent(app)
    if label == "Learn from":
        app.session_state["step source"] = value
        app.run()
    elif value is None:
        widget(app.button, label).click().run()
    else:
        widget(app.selectbox, label).select(value).run()
    data = sent(app)
    assert (data["stage"], data["of"]) == (0, [before["of"][0] + 1, 1])
    assert len(data["labels"]) == len(set(data["labels"])) == (3 if value == "three" else 1)
    assert not app.exception


def test_the_step_stays_through_a_page_switch(app):
    press(press(app, "FORWARD"), "LOSS")
    app.switch_page("ui/train/page.py").run()
    app.switch_page(str(HOW_PAGE)).run()
    assert sent(app)["stage"] == Stage.LOSS


def test_a_step_on_ones_own_drawing():
    app = open_app(str(HOW_PAGE))
    app.session_state["step source"] = "own"
    assert "There is no drawing yet" in app.run().info[0].value
    app = draw(open_app(), SEVEN)
    app.switch_page(str(HOW_PAGE)).run()
    app.session_state["step source"] = "own"
    assert "Choose the digit" in app.run().info[0].value
    app.session_state["step digit"] = 7
    app.run()
    assert sent(app)["labels"] == [7]
    assert 0.2 < max(sent(app)["inputs"][0]) <= 1
    take_all(app)
    assert not app.exception


@pytest.mark.parametrize(
    ("direction", "size", "change", "text"),
    [
        ("fall", 0.1, -0.2, "guess was good"),
        ("fall", 0.1, -0.04, "guess was good"),
        ("fall", 0.1, -0.4, "larger than you thought"),
        ("fall", 0.1, -0.01, "smaller than you thought"),
        ("fall", 0.1, 0.1, "the other way"),
        ("rise", 1.0, 0.9, "guess was good"),
        ("rise", 1.0, -0.9, "the other way"),
        ("rise", 0.001, 0.0, "the other way"),
    ],
)
def test_a_guess_is_judged_by_direction_and_size(monkeypatch, direction, size, change, text):
    values = {guess.DIRECTION: direction, guess.SIZE: size}
    monkeypatch.setattr(guess.state, "value", lambda key, default=None: values.get(key, default))
    assert text in guess.judge(change)


def make(count=1, **options):
    digits = make_digits(40, 3)
    step = StepByStep(shrink(digits.images[:count]), digits.labels[:count], **options)
    step.forward()
    step.compute_loss()
    step.backward()
    return step


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"learning_rate": 0.01}, "added up over all weights"),
        ({"count": 3, "learning_rate": 1.0}, "flatter"),
        ({"count": 3, "learning_rate": 10.0}, "jumped over the valley"),
    ],
)
def test_the_page_says_why_the_loss_changed(options, text):
    step = make(**options)
    step.update()
    assert text in guess.explain(step)
    assert re.search(r"[+\N{MINUS SIGN}]\d\.\d{4}", guess.explain(step))


def test_momentum_may_carry_a_step_uphill():
    step = make(3, optimizer="momentum", learning_rate=0.5)
    for _ in range(20):
        step.update()
        if step.expected_change > 0:
            break
        step.next_step()
        step.forward()
        step.compute_loss()
        step.backward()
    assert "in the direction of its last steps" in guess.explain(step)


@pytest.mark.parametrize(("activation", "loss", "optimizer"), [*product(ACTIVATIONS, LOSSES, OPTIMIZERS)])
def test_every_choice_can_be_shown(activation, loss, optimizer):
    step = make(3, activation=activation, loss=loss, optimizer=optimizer)
    step.update()
    message = json.dumps(view_data(step, 1), allow_nan=False)
    assert len(message) < 120_000
    data = json.loads(message)
    assert data["stage"] == Stage.UPDATE
    np.testing.assert_allclose(data["after"], step.after, rtol=1e-6)
    np.testing.assert_allclose(data["gradients"], step.gradients, rtol=1e-6)
    assert [name for name, _ in data["formulas"]["optimizer"]][-1] == "weight"


def test_a_nudge_is_shown_beside_the_gradient_and_agrees_to_a_ten_thousandth():
    step = make(3)
    for position in range(0, 490, 7):
        data = nudge_data(step, position, step.nudge(position, 0.2))
        assert data["agrees"]
        assert abs(data["finite_difference"] - data["gradient"]) <= 1e-4
        assert data["slope"] == pytest.approx(data["change"] / 0.2)
    assert "slope" not in nudge_data(step, 3, step.nudge(3, 0))


def test_a_nudge_of_the_browser_is_answered(app):
    for part in PARTS[:2]:
        press(app, part)
    of = sent(app)["of"]
    app.session_state[KEY] = {"nudge": {"of": of, "position": 400, "by": 0.3}}
    data = sent(app.run())["nudge"]
    assert data["change"] == pytest.approx(step_of(app).nudge(400, 0.3).change)
    assert "gradient" not in data
    app.session_state[KEY] = {"nudge": {"of": of, "position": 400, "by": 0.3}}
    press(app, "BACKWARD")
    assert sent(app)["nudge"]["agrees"]


@pytest.mark.parametrize(
    "nudge",
    [None, 3, {}, {"position": 1, "by": 0.1}, {"of": [1, 1]}, {"of": [1, 1], "position": 10**9, "by": 0.1}]
    + [{"of": [1, 1], "position": 1, "by": by} for by in ("x", 5, float("nan"), None, [])]
    + [{"of": [1, 1], "position": position, "by": 0.1} for position in ("x", -1, 1.5, None, {})]
    + [{"of": [9, 9], "position": 1, "by": 0.1}],
)
def test_another_message_of_the_browser_is_ignored(app, nudge):
    press(press(app, "FORWARD"), "LOSS")
    app.session_state[KEY] = {"nudge": nudge}
    app.run()
    assert not app.exception
    assert sent(app)["nudge"] is None


def test_a_formula_is_a_tree():
    assert tree("da * (1 if a > 0 else 0.01)") == ["*", "da", ["if", [">", "a", 0], 1, 0.01]]
    assert tree("1 / (1 + exp(-z))") == ["/", 1, ["+", 1, ["exp", ["negative", "z"]]]]
    assert assignment("s = b ** t - total(x * w)") == ("s", ["-", ["^", "b", "t"], ["total", ["*", "x", "w"]]])
    with pytest.raises(ValueError, match="a formula has no"):
        tree("[1, 2]")


def names_in(node):
    if isinstance(node, str):
        return {node}
    return set().union(*map(names_in, node[1:])) if isinstance(node, list) else set()


def test_every_name_of_an_optimizers_formula_has_a_symbol_and_a_meaning():
    lines = [assignment(line) for optimizer in OPTIMIZERS.values() for line in optimizer.formula]
    names = set().union(*({name} | names_in(node) for name, node in lines))
    assert names <= SYMBOLS.keys()
    assert names == NAMES.keys()


def test_every_formula_is_one_that_the_browser_can_write():
    formulas = [text for entry in (*ACTIVATIONS.values(), *LOSSES.values()) for text in (entry.formula, entry.derivative)]
    for formula in (*formulas, *OUTPUT_FORMULAS.values()):
        assert names_in(tree(formula)) <= {"z", "a", "da", "p", "t", "N", "K", "p_label"}


def test_every_text_of_the_diagram_is_used_and_every_used_one_exists():
    from ui import ASSETS

    script = (ASSETS / "step.js").read_text()
    assert [
        key for key in TEXTS if f'"{key}"' not in script and not key.startswith(("show ", "part ")) and key not in script
    ] == []
    used = set(re.findall(r'(?:this\.text|this\.fill|\bp)\("([\w ]+)"', script))
    assert used <= TEXTS.keys()
