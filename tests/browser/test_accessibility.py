"""The pages without a mouse and without sight: axe's rules, the order of focus, and what a screen reader reads out."""

import pytest
from browsing import Visitor, need_axe
from helpers import ROOT

from browser.test_picture import CROSS, SEVEN, page_of, show

pytestmark = pytest.mark.browser
expect = pytest.importorskip("playwright.sync_api").expect

RECORD_SPEECH = """() => {
  window.spoken = [];
  window.barChanges = 0;
  const status = document.querySelector("[role=status].inkling-spoken");
  new MutationObserver(() => status.textContent && spoken.push(status.textContent))
    .observe(status, { childList: true, characterData: true, subtree: true });
  new MutationObserver(() => barChanges++)
    .observe(document.querySelector(".inkling-bars"), { attributes: true, subtree: true });
}"""
FOCUSED = """() => {
  const focused = document.activeElement;
  const around = [focused, focused.parentElement, focused.closest("[data-rac]")].filter(Boolean);
  const styles = around.map((element) => getComputedStyle(element));
  const ring = styles.some(({ outlineStyle, boxShadow }) => outlineStyle !== "none" || boxShadow !== "none");
  return [focused.matches("button, input") ? focused.getAttribute("aria-label") || focused.innerText : "", ring];
}"""


@pytest.fixture
def axe():
    """A function that returns what axe complains about on a visitor's page."""
    need_axe()
    return Visitor.violations


def test_axe_finds_no_violation_on_the_draw_page(visit, axe):
    visitor = visit()
    visitor.canvas()

    assert axe(visitor) == []
    visitor.stroke(*SEVEN)
    expect(visitor.page.locator(".inkling-spoken")).not_to_be_empty()
    assert axe(visitor) == []
    for panel in ("Why", "Inside", "Side by side", "Number"):
        visitor.page.get_by_role("tab", name=panel).click()
        expect(visitor.page.get_by_role("tabpanel", name=panel).locator("img, .inkling-ten").first).to_be_visible()
        assert axe(visitor) == []
    visitor.page.get_by_text("Draw with keys").click()
    expect(visitor.page.locator(".inkling-grid")).to_be_visible()
    assert axe(visitor) == []
    visitor.page.get_by_role("button", name="Picture").click()
    expect(visitor.page.get_by_text("PNG, JPEG or another image format")).to_be_visible()
    assert axe(visitor) == []
    visitor.page.get_by_text("The camera").click()
    expect(visitor.page.get_by_test_id("stCameraInput")).to_be_visible()
    assert axe(visitor) == []


def test_axe_finds_no_violation_with_a_picture(visit, axe):
    paper = page_of((SEVEN, 250, 80), (SEVEN, 250, 360), (CROSS, 420, 360))
    paper[520:528, 230:620] = 40  # an underline
    visitor = show(visit(), paper)
    for kind in ("sure", "not-sure", "left-out"):
        expect(visitor.page.locator(f".inkling-picture .marks .{kind}").first).to_be_visible()
    visitor.picture("picture-kinds")
    assert axe(visitor) == []


def test_axe_finds_no_violation_on_the_train_page(visit, axe):
    visitor = visit("/train")
    page, controls = visitor.page, visitor.page.locator(".st-key-controls button")
    controls.filter(has_text="Start").wait_for()

    assert axe(visitor) == []
    for folded, inside in {
        "More settings": "Number of seeds",
        "Network": "New layer",
        "Continue from a file": "A network or",
    }.items():
        page.locator("summary").filter(has_text=folded).click()
        expect(page.get_by_text(inside).first).to_be_visible()
    assert axe(visitor) == []
    controls.filter(has_text="1 epoch").click()
    expect(page.get_by_text("epoch 1 of").or_(page.get_by_text("epoch 2 of")).filter(has_text="paused at")).to_be_visible()
    for over in (False, True):
        if over:
            controls.filter(has_text="Stop").click()
            expect(page.get_by_text("test images right")).to_be_visible()
        for panel in ("Curves", "What it learned", "Map", "Predictions", "Mistakes", "Save and share"):
            page.get_by_role("tab", name=panel, exact=True).click()
            expect(page.get_by_role("tabpanel", name=panel, exact=True).locator("*").first).to_be_visible()
            assert axe(visitor) == [], panel


def test_axe_finds_no_violation_on_my_handwriting(visit, axe):
    visitor = visit("/handwriting")
    page = visitor.page
    visitor.canvas()
    assert axe(visitor) == []
    for count in range(1, 11):
        visitor.stroke(*SEVEN)
        visitor.button("Next").click()
        expect(page.locator(".inkling-total")).to_have_text(f"{count} drawing{'s' * (count > 1)}")
    assert axe(visitor) == []
    for part, inside in {
        "My drawings": ".inkling-wall button",
        "Test": ".inkling-judged",
        "Teach": "button[kind=primary]",
    }.items():
        page.get_by_role("tab", name=part, exact=True).click()
        expect(page.locator(inside).first).to_be_visible()
        if part == "My drawings":
            page.locator("summary").filter(has_text="Download and upload").click()
            page.locator(inside).first.click()
            expect(page.locator(".inkling-large")).to_be_visible()
        assert axe(visitor) == [], part


def test_axe_finds_no_violation_on_my_work_and_a_long_name_is_whole(visit, axe):
    visitor = visit(width=360, height=640)
    visitor.button("Understand it").click()
    expect(visitor.page.get_by_role("dialog")).to_be_visible()
    assert axe(visitor) == []
    visitor.page.keyboard.press("Escape")
    visitor.go_to("Train")
    visitor.page.locator(".st-key-drawer label").click()
    visitor.page.locator("summary").filter(has_text="Continue from a file").click()
    name = "my-network-of-monday-" + 10 * "morning"
    content = (ROOT / "pretrained" / "mlp.npz").read_bytes()
    file = {"name": f"{name}.npz", "mimeType": "application/octet-stream", "buffer": content}
    visitor.page.locator("input[type=file]").set_input_files(file)
    expect(visitor.page.get_by_text(name).first).to_be_attached()
    visitor.page.locator(".st-key-drawer label").click()
    visitor.go_to("My work")
    button = visitor.page.get_by_role("button", name=f"Delete the network {name}")
    button.scroll_into_view_if_needed()
    text = button.get_by_test_id("stMarkdownContainer")
    assert text.evaluate("(text) => text.scrollWidth <= text.clientWidth && text.clientHeight > 40")  # in several lines
    assert button.bounding_box()["x"] + button.bounding_box()["width"] <= 360
    assert axe(visitor) == []


def test_a_screen_reader_reads_out_one_prediction_a_stroke_and_not_every_change(visit):
    visitor = visit()
    visitor.canvas()
    visitor.page.evaluate(RECORD_SPEECH)
    visitor.stroke(*SEVEN, up=False)
    expect(visitor.digit()).to_have_text("7")
    visitor.page.mouse.move(*visitor.on_canvas((118, 240))[0], steps=4)
    assert visitor.page.evaluate("spoken") == []
    visitor.page.mouse.up()
    visitor.page.wait_for_function("spoken.length")
    visitor.stroke((118, 200), (118, 236))
    visitor.page.wait_for_function("spoken.length === 2")
    assert all(text.startswith("7, ") for text in visitor.page.evaluate("spoken"))
    assert visitor.page.evaluate("barChanges") > 2
    expect(visitor.page.get_by_role("img", name="Canvas to draw on")).to_be_visible()
    bars = visitor.page.get_by_role("list", name="Probability of each digit")
    expect(bars.get_by_role("listitem").filter(has_text="7").first).to_contain_text("%")


def test_tab_reaches_every_tool_in_the_order_of_the_page_and_the_focus_is_visible(visit):
    visitor = visit()
    visitor.stroke(*SEVEN)
    expect(visitor.page.locator(".inkling-spoken")).not_to_be_empty()
    visitor.stroke((90, 140), (200, 140))
    visitor.button("Undo").click()
    expect(visitor.button("Redo")).to_be_enabled()
    visitor.page.get_by_role("link", name="Train", exact=True).focus()
    reached = []
    while not reached or "Network" not in reached[-1]:
        assert len(reached) < 20, f"the choice of a network was not reached, but {reached}"
        visitor.page.keyboard.press("Tab")
        name, ring = visitor.page.evaluate(FOCUSED)
        reached.append(" ".join(name.split()))
        assert ring or not name, f"the focus on {name} is not visible"
    tools = ("Undo", "Redo", "Clear", "Pen", "Pen width", "Picture", "Draw with keys")
    named = [name for name in reached if not name.startswith("Help")]
    longest = [max((tool for tool in tools if tool in name), key=len, default="") for name in named]
    assert [name for name in longest if name] == list(tools)
