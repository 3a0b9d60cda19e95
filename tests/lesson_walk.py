"""Going through a lesson in a real browser: for each condition, what a visitor does to meet it."""

import re

import numpy as np

from engine.data.synthetic.skeletons import SKELETONS, curve
from ui.lessons.lesson import Step

SIZE, SMALL = 170, 50  # pixels of a digit's height
MIDDLE, CORNER = (140, 140), (230, 230)
ROW = 36  # pixels of the table's rows
SECONDS = 120  # that a training may take on a busy machine


def strokes_of(digit, size=SIZE, centre=MIDDLE, degrees=0):
    """The strokes of a digit as people write it most often, as points of the canvas."""
    shape = curve(max(SKELETONS[digit], key=lambda skeleton: skeleton.frequency).strokes, 14)
    turn = np.radians(degrees)
    matrix = np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]])
    dots = size * (shape.matrix @ shape.points @ matrix) + centre
    shares = [
        shape.matrix[:, shape.stroke_of_point == stroke].sum(axis=1) for stroke in range(shape.stroke_of_point[-1] + 1)
    ]
    stroke_of_dot = np.argmax(shares, axis=0)
    return [dots[stroke_of_dot == stroke].tolist() for stroke in range(len(shares))]


class Walker:
    """A visitor who does what the steps of a lesson ask for."""

    def __init__(self, visitor, expect):
        self.visitor, self.page, self.expect = visitor, visitor.page, expect

    def do(self, step: Step):
        """Do one step; its settings are those that the lesson has prepared, or the visitor changes them."""
        names = sorted(step.conditions, key=lambda name: name != "ink_within")
        if step.conditions.keys() == {"reads", "ink_within"}:
            self.draw(strokes_of(step.conditions["reads"]["digit"], SMALL, CORNER))
            return
        for name in names:
            getattr(self, name)(step, **step.conditions[name])

    def draw(self, strokes, clear=True):
        if clear:
            self.visitor.canvas()
            if self.visitor.button("Clear").is_enabled():
                self.visitor.press("Clear")
        for stroke in strokes:
            self.visitor.stroke(*stroke)

    def reads(self, step, digit, network=""):
        self.draw(strokes_of(digit))

    def reads_another(self, step, digit, network=""):
        self.draw([[(140, 62), (140, 218)]], clear=False)

    def not_sure(self, step, network=""):
        self.draw(strokes_of(4, degrees=90))

    def panel_open(self, step, panel):
        self.page.get_by_role("tab", name=panel, exact=True).click()

    def switched(self, step, switch, on):
        self.page.locator(f".st-key-{switch.replace(' ', '-')} label").click()

    def chosen(self, step, network):
        box = self.page.get_by_role("combobox", name="Network")
        self.visitor.scroll_to(box)
        box.click()
        self.page.get_by_role("option").filter(has_text="best network").click()

    def steps_taken(self, step, steps):
        before = 0
        while before < steps:
            found = re.search(r"paused at step ([\d,]+)", self.page.get_by_test_id("stMain").inner_text())
            before = int(found[1].replace(",", "")) if found else 0
            if before < steps:
                self.visitor.button("1 batch").click()
                self.expect(self.page.get_by_text(f"paused at step {before + 1},").first).to_be_visible(timeout=60_000)

    def run_reached(self, step, accuracy):
        self.page.locator(".st-key-controls button").filter(has_text="1 epoch").click()

    def start(self):
        self.page.locator(".st-key-controls button").filter(has_text="Start").click(timeout=1000 * SECONDS)

    def run_over(self, step, settings=None, at_least=0, at_most=1):
        prepared = step.setup and step.setup.config
        if not prepared and "learning_rate" in (settings or {}):
            slider = self.page.get_by_role("slider", name="Learning rate")
            while float(slider.get_attribute("aria-valuetext") or "nan") < float(settings["learning_rate"]):
                value = slider.get_attribute("aria-valuetext")
                slider.press("ArrowRight")
                self.expect(slider).not_to_have_attribute("aria-valuetext", value)
            self.visitor.idle()
        self.start()

    def gap(self, step, at_least):
        self.start()

    def seeds_over(self, step, seeds):
        self.start()

    def compared(self, step, runs):
        """Tick the last rows of the table, which is painted on a canvas."""
        table = self.page.get_by_test_id("stDataFrame")
        table.scroll_into_view_if_needed()
        box, total = table.bounding_box(), table.locator("[role=row]").count() - 1
        for row in range(total - runs, total):
            self.page.mouse.click(box["x"] + 14, box["y"] + ROW * (row + 1.5))
            self.visitor.idle()
            self.page.wait_for_timeout(300)
