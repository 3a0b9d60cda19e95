"""A real browser behind the proxy: nothing that the pages need is refused, and a visitor survives the death of a replica."""

import re

import pytest
from servers import HOST, ask, look_up, wait_until

pytestmark = pytest.mark.browser
expect = pytest.importorskip("playwright.sync_api").expect

SEVEN = [(60, 60), (200, 60), (120, 230)]
PANELS = ("What it sees", "Why", "Inside", "Side by side", "Number")
CHECKPOINTS = "SELECT count(*) FROM run_files WHERE name = 'training'"
TIMEOUT = 60_000  # milliseconds: a training shares the machine with two replicas and a browser


def refusals(visitor):
    """What the browser says that it refused because of the content security policy."""
    return [line for line in visitor.console if "Content Security Policy" in line]


def start_training(visitor, epochs):
    visitor.page.get_by_label("Epochs", exact=True).fill(str(epochs))
    visitor.page.get_by_label("Epochs", exact=True).press("Enter")
    visitor.idle()
    visitor.page.locator(".st-key-controls button").filter(has_text="Start").click()
    visitor.page.get_by_text("images/s").wait_for()


def test_the_draw_page_works_within_the_content_security_policy(deployment, visit):
    visitor = visit(f"https://{HOST}:{deployment.port}")
    visitor.stroke(*SEVEN)
    expect(visitor.digit()).to_be_visible(timeout=TIMEOUT)
    for panel in PANELS:
        visitor.page.get_by_role("tab", name=panel).click()
        visitor.idle()
    visitor.page.get_by_role("button", name="Picture").click()
    visitor.page.locator("input[type=file]").set_input_files(
        {"name": "fake.png", "mimeType": "image/png", "buffer": b"this is text"}
    )
    expect(visitor.page.get_by_text("fake.png is not an image that Inkling can read")).to_be_visible(timeout=TIMEOUT)
    with visitor.page.expect_download() as download:
        visitor.page.get_by_role("button", name="28 x 28 version").click()
    assert download.value.failure() is None
    assert not (lines := refusals(visitor)), "\n".join(lines)
    assert visitor.errors == []
    assert visitor.outside == []


def test_the_train_page_works_within_the_content_security_policy(deployment, visit):
    visitor = visit(f"https://{HOST}:{deployment.port}", "/train")
    start_training(visitor, 50)
    expect(visitor.page.get_by_test_id("stVegaLiteChart").locator("canvas, svg").first).to_be_visible(timeout=TIMEOUT)
    visitor.page.locator(".st-key-controls button").filter(has_text="Stop").click()
    visitor.idle()
    for name in visitor.page.get_by_role("tab").all_inner_texts():
        visitor.page.get_by_role("tab", name=name).click()
        visitor.idle()
    with visitor.page.expect_download() as download:
        visitor.page.get_by_test_id("stDownloadButton").locator("button").first.click()
    assert download.value.failure() is None
    assert not (lines := refusals(visitor)), "\n".join(lines)
    assert visitor.errors == []
    assert visitor.outside == []


def test_every_other_page_works_within_the_content_security_policy(deployment, visit):
    visitor = visit(f"https://{HOST}:{deployment.port}")
    visitor.canvas()
    titles = visitor.page.locator(".st-key-pages a").all_inner_texts()
    assert {"Draw", "Train"} <= {title.split()[-1] for title in titles}, titles
    for link in visitor.page.locator(".st-key-pages a").all()[2:]:
        link.click()
        visitor.page.get_by_role("heading", level=1).wait_for()
        visitor.idle()
    assert not (lines := refusals(visitor)), "\n".join(lines)


def test_only_the_own_site_may_show_the_app_in_a_frame(deployment, visit):
    url = f"https://{HOST}:{deployment.port}"
    page = visit(url, "/_stcore/health").page
    frame = f'<iframe src="{url}/?embed=true"></iframe>'
    page.set_content(frame)
    page.frame_locator("iframe").get_by_test_id("stApp").wait_for()
    page.goto("data:text/html,another site")
    page.set_content(frame)
    assert page.frames[1].url == "chrome-error://chromewebdata/"


def test_a_visitor_of_a_killed_replica_finds_the_work_on_the_other(own_deployment, visit):
    visitor = visit(f"https://{HOST}:{own_deployment.port}", "/train")
    start_training(visitor, 500)
    wait_until(lambda: look_up(own_deployment.store, CHECKPOINTS), "the first checkpoint in PostgreSQL")
    used, other = sorted(own_deployment.replicas, key=num_sessions, reverse=True)
    assert (num_sessions(used), num_sessions(other)) == (1, 0)
    used.process.kill()
    wait_until(lambda: num_sessions(other) == 1, "the visitor on the other replica")
    work_is_found_again(visitor)
    assert visitor.errors == []


def work_is_found_again(visitor):
    """The page of the other replica shows what the visitor had on the one that is gone, and continues it."""
    controls = visitor.page.locator(".st-key-controls button")
    expect(visitor.page.get_by_text("The server was restarted while this training ran.")).to_be_visible(timeout=TIMEOUT)
    stopped_at = paused_step(visitor)
    assert stopped_at > 0
    controls.filter(has_text="Resume").click()
    expect(controls.filter(has_text="Pause")).to_be_enabled(timeout=TIMEOUT)
    controls.filter(has_text="1 epoch").click()
    expect(controls.filter(has_text="Resume")).to_be_enabled(timeout=TIMEOUT)
    assert paused_step(visitor) > stopped_at


def paused_step(visitor):
    headline = visitor.page.get_by_text(re.compile("paused at step"))
    expect(headline.first).to_be_visible(timeout=TIMEOUT)
    return int(re.search(r"step ([\d,]+)", headline.first.inner_text())[1].replace(",", ""))


def num_sessions(replica):
    """How many tabs are connected to a replica."""
    return int(re.search(rb"^active_sessions (\d+)", ask(replica.port, "/_stcore/metrics").body, re.MULTILINE).group(1))
