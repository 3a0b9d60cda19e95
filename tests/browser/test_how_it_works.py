"""The page How it works in a real browser: the four presses, the guess and the nudge, by mouse and by keyboard."""

import re

import pytest

from browser.test_accessibility import axe  # noqa: F401 - a fixture

pytestmark = pytest.mark.browser
expect = pytest.importorskip("playwright.sync_api").expect

SEVEN = [(60, 60), (200, 60), (120, 230)]
MINUS = "\N{MINUS SIGN}"
RATIO = "Change of the loss divided by this nudge"
TINY, GRADIENT = "The same with a tiny nudge of 0.00001", "The gradient, from backpropagation"


def item(visitor, name):
    return visitor.page.locator(f'.inkling-step .item[data-id="{name}"]')


def details(visitor):
    return visitor.page.locator(".inkling-step .details")


def take(visitor, *parts):
    for part in parts:
        visitor.button(part).click()
        expect(visitor.button(part)).to_be_disabled()


def guess(visitor, direction="It falls", size="0.3"):
    visitor.page.get_by_role("radio", name=direction).or_(visitor.button(direction)).first.click()
    visitor.idle()
    visitor.page.locator(".st-key-guess").get_by_text(size, exact=True).click()
    expect(visitor.button("Update")).to_be_enabled()


def number(visitor, label):
    """A number of the nudge's list."""
    text = details(visitor).locator(f'dt:text-is("{label}") + dd').inner_text()
    mantissa, _, power = text.replace(MINUS, "-").partition(" · 10")
    return float(mantissa) * 10 ** int(power.translate(str.maketrans("⁻⁰¹²³⁴⁵⁶⁷⁸⁹", "-0123456789")) or 0)


@pytest.mark.parametrize(("width", "height", "dark"), [(1280, 800, False), (360, 640, True)])
def test_a_step_by_mouse_with_a_guess_and_a_nudge(visit, axe, width, height, dark):  # noqa: F811
    visitor = visit("/how", width=width, height=height, dark=dark, touch=width < 640)
    expect(item(visitor, "unit 2")).to_be_visible()
    assert axe(visitor) == []
    assert item(visitor, "unit 2").locator("text").text_content() == ""

    take(visitor, "Forward")
    expect(item(visitor, "unit 2")).to_have_class(re.compile(r"\bon\b"))
    expect(item(visitor, "unit 2").locator("text")).to_have_text(re.compile(rf"^{MINUS}?\d+\.\d\d$"))
    item(visitor, "probability 3").click()
    expect(details(visitor)).to_contain_text("Probability of 3")
    expect(details(visitor).locator("math").first).to_be_visible()

    take(visitor, "Loss")
    expect(item(visitor, "loss").locator("text")).to_have_text(re.compile(r"^\d\.\d\d$"))
    take(visitor, "Backward")
    expect(visitor.button("Update")).to_be_disabled()
    expect(visitor.page.get_by_role("button", name="Gradients")).to_have_attribute("aria-pressed", "true")

    item(visitor, "w1 24 4").click()  # a cell of 5 or 7 pixels
    expect(details(visitor)).to_contain_text("row 4, column 4 to unit 5")
    item(visitor, "b2 3").click()
    expect(details(visitor)).to_contain_text("Nudge this weight by hand")
    expect(details(visitor)).to_contain_text("agree")
    assert number(visitor, TINY) == pytest.approx(number(visitor, GRADIENT), abs=1e-4)
    first = number(visitor, RATIO)
    details(visitor).get_by_role("button", name="More").click()
    expect(details(visitor).locator("output")).to_have_text("by 0.2")
    expect(details(visitor).locator(f'dt:text-is("{RATIO}") + dd')).not_to_have_text(f"{first:g}")
    assert abs(number(visitor, RATIO) - number(visitor, GRADIENT)) > abs(first - number(visitor, GRADIENT))  # along a curve
    assert axe(visitor) == []

    guess(visitor)
    take(visitor, "Update")
    expect(visitor.page.locator(".st-key-guess")).to_contain_text("The loss fell from")
    expect(visitor.page.locator(".st-key-guess")).to_contain_text("downhill")
    expect(details(visitor)).to_contain_text("SGD goes against the gradient")
    assert axe(visitor) == []
    visitor.picture(f"how-it-works-{width}")
    assert visitor.page.evaluate("document.querySelector('.stMain').scrollWidth") <= width

    visitor.button("Next step").click()
    expect(visitor.page.get_by_text("Step 2", exact=True)).to_be_visible()
    expect(visitor.button("Forward")).to_be_enabled()
    assert visitor.errors == []


def test_a_step_by_keyboard(visit):
    visitor = visit("/how")
    keyboard = visitor.page.keyboard
    focused = visitor.page.locator(":focus")
    visitor.button("Forward").focus()
    for part in ("Forward", "Loss", "Backward"):
        expect(focused).to_have_text(re.compile(part))
        keyboard.press("Enter")
        expect(visitor.button(part)).to_be_disabled()
    expect(focused).to_have_text("It falls")
    keyboard.press("Enter")
    visitor.idle()
    visitor.page.locator(".st-key-guess button").filter(has_text="0.1").first.focus()
    keyboard.press("Enter")
    expect(visitor.button("Update")).to_be_enabled()

    visitor.page.get_by_role("button", name="Gradients").focus()
    assert visitor.page.locator('.inkling-step .item[tabindex="0"]').count() == 1
    keyboard.press("Tab")
    expect(focused).to_have_attribute("data-id", "pixel 0")
    seen = []
    for key, kind in {
        "ArrowRight": "pixel 1",
        "ArrowDown": "pixel 8",
        "ArrowLeft": "pixel 7",
    }.items():
        keyboard.press(key)
        expect(focused).to_have_attribute("data-id", kind)
    for _ in range(60):
        keyboard.press("ArrowRight")
        seen.append(focused.get_attribute("data-id").split()[0])
    assert list(dict.fromkeys(seen)) == ["pixel", "w1", "b1", "unit", "w2", "b2", "score", "probability", "loss"]
    expect(focused).to_have_attribute("aria-label", re.compile(r"^Loss: \d\.\d\d\. How wrong the answer is"))
    for _ in range(3):
        keyboard.press("ArrowLeft")
    expect(focused).to_have_attribute("aria-label", re.compile(r"^Bias of the score of \d\. A number b"))
    keyboard.press("Enter")
    expect(details(visitor)).to_contain_text("agree")
    keyboard.press("Tab")
    expect(focused).to_have_text(MINUS)  # of the nudge
    keyboard.press("Tab")
    keyboard.press("ArrowRight")
    expect(details(visitor).locator("output")).to_have_text("by 0.11")
    expect(details(visitor)).to_contain_text("agree")

    item(visitor, "b2 3").focus()
    keyboard.press("ArrowUp")
    while "arrow" not in focused.get_attribute("data-id"):
        keyboard.press("ArrowUp")
    expect(focused).to_have_attribute("aria-label", re.compile("^Forward: From "))
    keyboard.press("ArrowDown")
    assert "arrow" not in focused.get_attribute("data-id")

    visitor.button("Update").focus()
    keyboard.press("Enter")
    expect(visitor.page.locator(".st-key-guess")).to_contain_text("The loss")
    expect(focused).to_have_text(re.compile("Next step"))
    assert visitor.errors == []


def test_every_part_can_be_pointed_at_and_says_its_number(visit):
    visitor = visit("/how")
    take(visitor, "Forward", "Loss", "Backward")
    guess(visitor)
    take(visitor, "Update")
    number_of_parts = 49 + 8 * 49 + 2 * 8 + 80 + 3 * 10 + 1 + 9
    expect(visitor.page.locator(".inkling-step .item")).to_have_count(number_of_parts)  # while it is redrawn, there are more
    described = visitor.page.evaluate(
        """() => [...document.querySelectorAll(".inkling-step .item")].map((item) => {
          item.dispatchEvent(new PointerEvent("pointerover", { bubbles: true }));
          const details = document.querySelector(".inkling-step .details");
          return [details.querySelector("h2").textContent, details.querySelectorAll(".result").length, details.textContent];
        })"""
    )
    assert len({title for title, _, _ in described}) == number_of_parts
    for title, results, text in described:
        assert results, title
        assert not re.search(r"undefined|NaN|null|\{\w+\}|not yet|comes with", text), (title, text)


@pytest.mark.parametrize(("activation", "optimizer"), [("GELU", "Adam"), ("softmax", "Nesterov")])
def test_long_formulas_fit_beside_the_network(visit, activation, optimizer):
    visitor = visit("/how")
    visitor.page.get_by_text("Settings", exact=True).click()
    for label, option in (("Activation", activation), ("Optimizer", optimizer)):
        visitor.page.get_by_role("combobox", name=label).click()
        visitor.page.get_by_role("option", name=option, exact=True).click()
        visitor.idle()
        expect(visitor.page.locator(".st-key-step-top")).to_contain_text(f"{option},")
    rate = {"Adam": "0.002", "Nesterov": "0.05"}[optimizer]
    expect(visitor.page.locator(".st-key-step-top")).to_contain_text(f"{optimizer}, learning rate {rate}")
    visitor.page.get_by_text("Three images").click()
    expect(visitor.page.get_by_role("button", name=re.compile("^Image 3: "))).to_be_visible()
    take(visitor, "Forward", "Loss", "Backward")
    visitor.page.get_by_role("button", name=re.compile("^Image 2: ")).click()
    guess(visitor)
    take(visitor, "Update")
    for name in ("unit 1", "w1 24 1", "loss"):
        item(visitor, name).click()
        expect(details(visitor).locator(".result").first).to_be_visible()
        visitor.picture(f"how-it-works-{optimizer}-{name}")
        wide = "(box) => box.scrollWidth > box.clientWidth + 1 && box.tabIndex < 0"
        assert not [box for box in details(visitor).locator(".formula").all() if box.evaluate(wide)]
    assert visitor.errors == []


def test_ones_own_drawing(visit):
    visitor = visit()
    visitor.stroke(*SEVEN)
    expect(visitor.digit()).to_have_text("7")
    visitor.go_to("How it works")
    visitor.page.get_by_text("My drawing").click()
    expect(visitor.page.get_by_text("Choose the digit that you drew")).to_be_visible()
    visitor.page.locator(".stPills, [data-testid=stButtonGroup]").get_by_text("7", exact=True).click()
    take(visitor, "Forward", "Loss")
    item(visitor, "loss").click()
    expect(details(visitor)).to_contain_text("The right digit is 7")
    visitor.picture("how-it-works-drawing")
    assert visitor.errors == []
