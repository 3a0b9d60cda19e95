"""The Train page in a real browser."""

import re
from itertools import product

import pytest

pytestmark = pytest.mark.browser
playwright = pytest.importorskip("playwright.sync_api")
expect = playwright.expect

TIMEOUT = 90_000  # milliseconds: trainings share the machine with browser and server

SEVEN = [(60, 60), (200, 60), (120, 230)]
ROW, HEADER = 36, 35  # pixels of the runs' table


@pytest.fixture
def arrive(visit):
    """``visit`` with more time for everything."""

    def arrive(*place, **look):
        visitor = visit(*place, **look)
        visitor.page.set_default_timeout(TIMEOUT)
        return visitor

    expect.set_options(timeout=TIMEOUT)
    yield arrive
    expect.set_options(timeout=20_000)


def set_number(visitor, label, value):
    field = visitor.page.get_by_label(label, exact=True).first
    field.fill(str(value))
    field.press("Enter")
    visitor.idle()


def choose(visitor, label, option, place=0):
    """Pick an option of a select box; ``place`` tells those of the same label apart, from the top left."""
    box = visitor.page.get_by_role("combobox", name=label, exact=True).nth(place)
    wanted = visitor.page.get_by_role("option", name=option, exact=True)
    visitor.scroll_to(box)
    for _ in range(20):  # a page that is redrawn at this moment closes the list
        box.click()
        try:
            wanted.click(timeout=2_000)
            break
        except playwright.TimeoutError:
            visitor.page.keyboard.press("Escape")
    expect(box).to_have_value(option)
    visitor.idle()


def unfold(visitor, name):
    visitor.page.locator("summary").filter(has_text=name).click()
    visitor.idle()


def control(visitor, name):
    """A button of run control; its shortcut is part of its text."""
    return visitor.page.locator(".st-key-controls button").filter(has_text=name)


def panel(visitor, name):
    visitor.page.get_by_role("tab", name=name, exact=True).click()


def figure(visitor, label):
    """The value of one of the figures under the progress bar."""
    return visitor.page.get_by_test_id("stMetric").filter(has_text=label).get_by_test_id("stMetricValue")


def use_few_images(visitor, epochs=1):
    """The smallest training set, and few epochs of it."""
    set_number(visitor, "Epochs", epochs)
    unfold(visitor, "More settings")
    choose(visitor, "Training images", "1,000")
    unfold(visitor, "More settings")


def train(visitor, run=1):
    """Start, and wait for the end of what is then this run."""
    control(visitor, "Start").click()
    return says(visitor, re.compile(rf"Run {run} .*(finished|diverged)"))


def says(visitor, text):
    """Wait until the line above the progress bar has this text."""
    line = visitor.page.get_by_test_id("stProgress").filter(has_text=text).first  # while it is redrawn, there are two
    expect(line).to_be_visible()
    return line.inner_text()


def step_of(visitor):
    """The step at which a run is paused."""
    (step,) = re.findall(r"step ([\d,]+)", says(visitor, "paused at step"))
    return int(step.replace(",", ""))


def tick(visitor, row):
    """Tick a row of the runs' table, which is drawn on a canvas."""
    table = visitor.page.get_by_test_id("stDataFrame").last
    table.scroll_into_view_if_needed()
    box = table.bounding_box()
    visitor.page.mouse.click(box["x"] + 15, box["y"] + HEADER + ROW * (row + 0.5))
    visitor.idle()


def no_harm(visitor):
    assert visitor.errors == []
    assert visitor.outside == []


def test_one_epoch_on_a_small_set_moves_the_curve_and_brings_a_result_to_draw_with(arrive):
    visitor = arrive("/train")
    expect(visitor.page.get_by_text("Press Start")).to_be_visible()
    expect(visitor.page.get_by_text("per epoch here")).to_be_visible()
    visitor.picture("train-empty")
    use_few_images(visitor)
    train(visitor)
    expect(visitor.page.get_by_test_id("stVegaLiteChart")).to_have_count(2)
    expect(visitor.page.get_by_text("test images right")).to_be_visible()
    expect(figure(visitor, "Test accuracy")).to_have_text(re.compile(r"\d\d\.\d\d %"))
    visitor.picture("train-done")
    visitor.button("Draw with this network").click()
    visitor.stroke(*SEVEN)
    expect(visitor.page.locator(".inkling-spoken")).to_contain_text(re.compile("sure|look"))  # it is a weak one
    expect(visitor.page.get_by_role("combobox", name="Network")).to_have_value(re.compile("Run 1"))
    no_harm(visitor)


def test_a_long_run_pauses_steps_by_exactly_one_changes_resumes_and_stops_while_the_other_page_stays_usable(arrive):
    visitor = arrive("/train")
    set_number(visitor, "Epochs", 500)
    control(visitor, "Start").click()
    says(visitor, "images/s")
    loss = figure(visitor, "Training loss")
    expect(loss).to_have_text(re.compile(r"\d\.\d+"))
    first = loss.inner_text()
    chart = visitor.page.get_by_test_id("stVegaLiteChart").first
    before = chart.screenshot()
    expect(loss).not_to_have_text(first)
    visitor.page.wait_for_timeout(1500)
    assert chart.screenshot() != before, "the curve does not move"
    visitor.picture("train-live")

    visitor.go_to("Draw")
    visitor.stroke(*SEVEN)
    expect(visitor.digit()).to_have_text("7")
    visitor.go_to("Train")

    control(visitor, "Pause").click()
    step = step_of(visitor)
    visitor.page.wait_for_timeout(1500)
    assert step_of(visitor) == step, "it continues in a pause"
    control(visitor, "1 batch").click()
    says(visitor, f"paused at step {step + 1:,},")
    visitor.page.keyboard.press("b")
    says(visitor, f"paused at step {step + 2:,},")

    choose(visitor, "Learning rate", "0.05")
    expect(visitor.page.get_by_text("learning rate changed to 0.05")).to_be_visible()
    visitor.picture("train-changed")

    panel(visitor, "Predictions")
    expect(visitor.page.get_by_text("It reads a")).to_be_visible()
    expect(visitor.page.locator(".inkling-digits figure")).to_have_count(12)
    visitor.picture("train-predictions")
    panel(visitor, "What it learned")
    expect(visitor.page.locator(".inkling-weights img")).to_be_visible()
    visitor.picture("train-layers")

    visitor.page.keyboard.press("s")
    says(visitor, "left")
    seconds = visitor.page.locator("#glide-cell-5-0")
    before, first = seconds.text_content(), loss.inner_text()
    expect(loss).not_to_have_text(first)
    control(visitor, "Pause").click()
    step_of(visitor)
    expect(seconds).not_to_have_text(before)
    control(visitor, "Stop").click()
    says(visitor, "stopped after")
    expect(control(visitor, "Start")).to_be_enabled()
    expect(control(visitor, "Pause")).to_have_count(0)
    expect(visitor.page.get_by_text("test images right")).to_be_visible()

    visitor.go_to("Draw")
    visitor.go_to("Train")
    expect(visitor.page.get_by_role("tab", name="What it learned")).to_have_attribute("aria-selected", "true")
    expect(visitor.page.locator(".inkling-weights img")).to_be_visible()
    no_harm(visitor)


def test_nothing_moves_while_figures_and_curves_are_refreshed(arrive):
    visitor = arrive("/train")
    set_number(visitor, "Epochs", 500)
    control(visitor, "1 batch").click()
    step_of(visitor)
    expect(visitor.page.get_by_test_id("stVegaLiteChart")).to_have_count(2)
    places = """() => ['stProgress', 'stMetric', 'stTabs', 'stVegaLiteChart'].flatMap((id) =>
      [...document.querySelectorAll(`[data-testid=${id}]`)].map((element) => {
        const { x, y, width } = element.getBoundingClientRect()
        return [id, Math.round(x), Math.round(y), Math.round(width)].join(' ')
      }))"""
    before = visitor.page.evaluate(places)
    control(visitor, "Resume").click()
    says(visitor, "left")
    expect(figure(visitor, "Validation accuracy")).to_have_text(re.compile("%"))
    for _ in range(10):
        visitor.page.wait_for_timeout(300)
        assert visitor.page.evaluate(places) == before
    control(visitor, "Pause").click()
    step_of(visitor)
    visitor.idle()
    assert visitor.page.evaluate(places) == before
    no_harm(visitor)


def test_two_runs_are_compared(arrive):
    visitor = arrive("/train", height=1400)
    use_few_images(visitor, epochs=2)
    train(visitor)
    visitor.page.get_by_role("slider", name="Learning rate").press("Home")
    visitor.idle()
    expect(visitor.page.get_by_text("Changed from quick")).to_contain_text("learning rate 0.002 → 0.0001")
    train(visitor, run=2)
    tick(visitor, 0)
    tick(visitor, 1)
    expect(
        visitor.page.get_by_text(re.compile(r"Run 1 is better than Run 2: [\d,]+ fewer errors on 10,000"))
    ).to_be_visible()
    row = visitor.page.get_by_test_id("stTable").get_by_role("row").filter(has_text="Learning rate")
    expect(row.get_by_role("cell").last).to_have_text("0.0001")
    visitor.page.get_by_text("by time").click()
    visitor.idle()
    visitor.picture("train-compared")
    no_harm(visitor)


def test_a_link_restores_a_configuration(arrive):
    visitor = arrive("/train")
    use_few_images(visitor)
    unfold(visitor, "Network")
    set_number(visitor, "Units", 77)
    choose(visitor, "Function", "tanh")
    train(visitor)
    panel(visitor, "Save and share")
    link = visitor.page.get_by_test_id("stCode").inner_text()
    visitor.picture("train-save")
    fresh = arrive(link.removeprefix(visitor.url))
    expect(fresh.page.get_by_label("Epochs", exact=True)).to_have_value("1")
    expect(fresh.page.get_by_text("77 tanh → 10")).to_be_visible()
    no_harm(fresh)


def test_a_paused_training_is_downloaded_and_continues_in_another_session(arrive, tmp_path):
    visitor = arrive("/train")
    use_few_images(visitor, epochs=20)
    control(visitor, "1 epoch").click()
    step = step_of(visitor)
    panel(visitor, "Save and share")
    with visitor.page.expect_download() as download:
        visitor.button("Paused training").click()
    path = tmp_path / download.value.suggested_filename
    download.value.save_as(path)

    other = arrive("/train")
    unfold(other, "Continue from a file")
    other.page.locator("input[type=file]").set_input_files(path)
    assert step_of(other) == step
    control(other, "1 batch").click()
    says(other, f"paused at step {step + 1:,},")
    control(other, "Resume").click()
    says(other, "finished")
    no_harm(other)


def test_a_diverging_run_is_explained_and_can_be_started_again(arrive):
    visitor = arrive("/train")
    use_few_images(visitor)
    unfold(visitor, "Network")
    choose(visitor, "Function", "identity")
    unfold(visitor, "More settings")
    choose(visitor, "Optimizer", "SGD")
    choose(visitor, "Loss", "mean squared error")
    visitor.page.get_by_role("slider", name="Learning rate").press("End")
    visitor.idle()
    assert "diverged" in train(visitor)
    advice = re.compile("The learning rate is too large.* instead of 10")
    expect(visitor.page.get_by_text(advice).first).to_be_visible()
    visitor.picture("train-diverged")
    visitor.page.get_by_role("slider", name="Learning rate").press("Home")
    visitor.idle()
    assert "finished" in train(visitor, run=2)
    no_harm(visitor)


def test_a_cell_of_the_confusion_matrix_opens_its_images(arrive):
    visitor = arrive("/train", height=1600)
    use_few_images(visitor)
    train(visitor)
    panel(visitor, "Mistakes")
    matrix = visitor.page.get_by_test_id("stVegaLiteChart").first
    expect(visitor.page.get_by_role("combobox", name="Images")).to_be_visible()
    before = visitor.page.get_by_role("combobox", name="Images").input_value()
    visitor.page.wait_for_timeout(500)
    box = matrix.bounding_box()
    visitor.page.mouse.click(box["x"] + 0.16 * box["width"], box["y"] + 0.2 * box["height"])  # zeros read as zeros
    expect(visitor.page.get_by_role("combobox", name="Images")).to_have_value(re.compile("0 read as 0"))
    assert before != visitor.page.get_by_role("combobox", name="Images").input_value()
    expect(visitor.page.get_by_text("images of a 0 that it reads as 0")).to_be_visible()
    visitor.picture("train-mistakes")
    no_harm(visitor)


def test_the_builder_says_which_two_layers_do_not_fit(arrive):
    visitor = arrive("/train")
    unfold(visitor, "Network")
    choose(visitor, "New layer", "Convolution")
    visitor.page.get_by_role("button", name="Add").click()
    expect(visitor.page.get_by_text("do not fit together")).to_contain_text("layer 3, Conv2D")
    expect(control(visitor, "Start")).to_be_disabled()
    visitor.picture("train-misfit")


def test_what_it_looks_like(arrive):
    visitor = arrive("/train")
    use_few_images(visitor, epochs=3)
    train(visitor)
    expect(visitor.page.get_by_text("test images right")).to_be_visible()
    for dark, (width, height) in product((False, True), ((1280, 800), (390, 844))):
        look = f"train-{width}-{'dark' if dark else 'light'}"
        visitor.page.emulate_media(color_scheme="dark" if dark else "light")
        visitor.page.set_viewport_size({"width": width, "height": height})
        ground = "rgb(18, 19, 26)" if dark else "rgb(255, 255, 255)"
        expect(visitor.page.get_by_test_id("stApp")).to_have_css("background-color", ground)
        for name, content in {
            "Save and share": "These settings as a link",
            "Predictions": "Twelve test images",
            "What it learned": "Change per step",
            "Mistakes": "Its most confident mistakes",
        }.items():
            panel(visitor, name)
            expect(visitor.page.get_by_text(content)).to_be_visible()
            visitor.idle()
            visitor.picture(f"{look}-{name.lower().replace(' ', '-')}")
        panel(visitor, "Curves")
        switch = visitor.page.get_by_text("Log loss")
        expect(switch).to_be_visible()
        visitor.idle()
        switch.evaluate("(element) => element.scrollIntoView()")
        visitor.picture(look)
        sideways = visitor.page.evaluate("document.documentElement.scrollWidth")
        assert sideways <= width, "the page scrolls sideways"
    no_harm(visitor)
