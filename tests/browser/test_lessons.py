"""Every lesson in a real browser, from its link to its end; the panel on phones; a class and its teacher."""

import pytest
from lesson_walk import Walker

from ui.lessons.lesson import ENGLISH, TEXTS, load_lessons

pytestmark = pytest.mark.browser
expect = pytest.importorskip("playwright.sync_api").expect

LESSONS = load_lessons(TEXTS, ENGLISH)
PHONE = {"width": 360, "height": 640, "touch": True}
SIZES = [{"width": 360, "height": 640}, {"width": 390, "height": 844}]
STEP_SECONDS = 120  # that a training may take on a busy machine
WIDE = "document.querySelector('.st-key-lesson').scrollWidth > innerWidth"


def next_button(visitor):
    return visitor.page.locator(".st-key-lesson-next button")


def bar(visitor):
    return visitor.page.locator(".st-key-lesson-bar label")


def body(visitor):
    return visitor.page.locator(".st-key-lesson-body")


@pytest.mark.parametrize("name", LESSONS)
def test_every_lesson_can_be_gone_through_to_its_end(visit, name):
    lesson = LESSONS[name]
    visitor = visit(f"/?lesson={name}")
    walker = Walker(visitor, expect)
    for number, step in enumerate(lesson.steps, 1):
        expect(body(visitor)).to_contain_text(f"Step {number} of {len(lesson.steps)}", timeout=60_000)
        visitor.idle()
        expect(next_button(visitor)).to_have_count(0)
        walker.do(step)
        expect(next_button(visitor)).to_be_visible(timeout=1000 * STEP_SECONDS)
        next_button(visitor).click()
    visitor.page.get_by_text(lesson.question.choices[lesson.question.right], exact=True).click()
    expect(body(visitor)).to_contain_text(lesson.question.answer[:40])
    expect(visitor.page.locator(".inkling-lesson-dots .done")).to_have_count(lesson.num_parts)
    if lesson.next:
        expect(body(visitor)).to_contain_text(f"Next lesson: {LESSONS[lesson.next].title}")


def test_on_a_phone_the_bar_covers_neither_the_square_nor_the_answer(visit):
    visitor = visit("/?lesson=pixels", **PHONE)
    visitor.stroke((60, 60), (200, 60), (120, 230))
    expect(visitor.digit()).to_have_text("7")
    for size in SIZES:
        visitor.page.set_viewport_size(size)
        top = visitor.page.locator(".st-key-lesson-bar").bounding_box()["y"]
        for part in (visitor.canvas(), visitor.page.locator(".inkling-bars")):
            box = part.bounding_box()
            assert box["y"] + box["height"] <= top
        expect(body(visitor)).to_be_hidden()
        assert not visitor.page.evaluate(WIDE)
        bar(visitor).click()
        expect(body(visitor)).to_be_visible()
        assert body(visitor).bounding_box()["y"] >= 0
        visitor.picture(f"lesson-{size['width']}")
        visitor.page.locator(".st-key-lesson-bar input").focus()
        visitor.page.keyboard.press("Space")
        expect(body(visitor)).to_be_hidden()
    visitor.go_to("Train")
    expect(visitor.page.locator(".st-key-controls button").first).to_be_visible()
    for size in SIZES:
        visitor.page.set_viewport_size(size)
        lesson, controls = (visitor.page.locator(part).bounding_box() for part in (".st-key-lesson", ".st-key-controls"))
        assert lesson["y"] + lesson["height"] <= controls["y"] + 1


@pytest.mark.parametrize(("width", "height"), [(360, 640), (1280, 800)])
def test_axe_finds_no_violation_in_a_lesson_and_on_its_page(visit, width, height):
    visitor = visit("/?lesson=pixels", width=width, height=height)
    visitor.canvas()
    assert visitor.violations() == []
    if width < 1200:
        bar(visitor).click()
    num_steps = len(LESSONS["pixels"].steps)
    for number in range(1, num_steps + 1):
        expect(body(visitor)).to_contain_text(f"Step {number} of {num_steps}")
        visitor.button("Skip this step").click()
    question = LESSONS["pixels"].question
    visitor.page.get_by_text(question.choices[question.right], exact=True).click()
    expect(body(visitor)).to_contain_text("What to read next")
    assert visitor.violations() == []
    if width < 1200:
        bar(visitor).click()
    visitor.go_to("Lessons")
    expect(visitor.page.locator(".inkling-card-title")).to_have_count(len(LESSONS) + 1)
    assert visitor.violations() == []
    visitor.page.get_by_role("button", name="Link").first.click()
    expect(visitor.page.get_by_text("This link opens the lesson")).to_be_visible()
    assert visitor.violations() == []
    assert not visitor.page.evaluate(WIDE)


def test_a_step_ticks_itself_by_keyboard_alone_and_the_lesson_survives_a_reload(visit):
    visitor = visit("/?lesson=loss-and-gradient")
    page = visitor.page
    expect(visitor.page.locator(".st-key-controls button").filter(has_text="1 batch")).to_be_enabled(timeout=30_000)
    page.keyboard.press("b")
    expect(next_button(visitor)).to_be_visible(timeout=60_000)
    next_button(visitor).focus()
    page.keyboard.press("Enter")
    expect(body(visitor)).to_contain_text("Step 2 of 4")
    page.wait_for_timeout(2_500)  # what has changed is stored every two seconds
    page.reload()
    expect(body(visitor)).to_contain_text("Step 2 of 4")
    page.get_by_role("button", name="Close the lesson").focus()
    page.keyboard.press("Enter")
    expect(body(visitor)).to_have_count(0)


def test_a_teacher_sees_a_phone_go_on(visit):
    teacher = visit("/class")
    teacher.button("Open a collection").click()
    expect(teacher.page.locator(".inkling-class-qr")).to_be_visible()
    teacher.go_to("Lessons")
    teacher.page.get_by_role("button", name="Link").first.click()
    link = teacher.page.get_by_test_id("stCode").inner_text().strip()
    teacher.page.keyboard.press("Escape")
    teacher.page.get_by_role("tab", name="How far is the class?").click()
    expect(teacher.page.get_by_text("No phone of this class")).to_be_visible()
    phone = visit("/?" + link.partition("?")[2], **PHONE)
    bar(phone).click()
    expect(body(phone)).to_contain_text("My teacher sees how far I am")
    row = teacher.page.locator(".inkling-class-lessons tbody tr")
    expect(row).to_contain_text("0 of 6", timeout=15_000)
    assert phone.violations() == []
    phone.picture("lesson-class-phone")
    bar(phone).click()
    for stroke in ([(100, 50), (60, 150), (200, 150)], [(150, 90), (150, 230)]):
        phone.stroke(*stroke)
    expect(row).to_contain_text("1 of 6", timeout=15_000)
    expect(row).to_contain_text("Phone 1")
    assert teacher.violations() == []
    teacher.picture("lesson-teacher")
    bar(phone).click()
    phone.page.get_by_text("My teacher sees how far I am").click()
    expect(teacher.page.get_by_text("No phone of this class")).to_be_visible(timeout=15_000)
