"""How quickly the Draw page responds in a real browser to a real server, compared with our aims.

    python tests/benchmarks/drawing.py [--rounds 5]

- Pointer to bars: from each movement to the first frame with the bars that it changed.
- Undo and Clear: from the click to the first frame without the ink.
- Cold server: it has just started, and the browser has loaded nothing before. From opening the page to the first frame that
  names a digit, with a stroke of 0.3 s.
- Warm server: it has shown the page before, to another browser. From opening the page to the first frame with a canvas and
  the prediction panel, when the script has ended.
- Layout shift: while strokes are drawn and removed.
"""

import argparse
import sys
from itertools import pairwise
from pathlib import Path
from statistics import median, quantiles
from time import perf_counter, sleep

sys.path[:0] = [str(Path(__file__).parents[2]), str(Path(__file__).parents[1])]

from browsing import Visitor, launch, serve  # noqa: E402
from playwright.sync_api import sync_playwright  # noqa: E402

SEVEN = [(60, 60), (200, 60), (120, 230)]
MOVE_SECONDS = 0.016  # between two movements
RECORD = r"""
window.seen = { moves: [], sends: [], bars: [], shifts: [], drawable: 0, read: 0 };
const now = () => performance.now();
window.hosts = () => [...document.querySelectorAll(".st-key-canvas *")];
const look = () => {
  seen.drawable ||= hosts().some((host) => host.shadowRoot?.querySelector("canvas.upper-canvas"))
    && document.querySelector(".inkling-answer")
    && document.querySelector("[data-testid=stApp]").dataset.testScriptState !== "running" && now();
  seen.read ||= /\d/.test(document.querySelector(".inkling-digit")?.textContent) && now();
  requestAnimationFrame(look);
};
requestAnimationFrame(look);
const { send } = WebSocket.prototype;
WebSocket.prototype.send = function (data) { seen.sends.push(now()); return send.call(this, data); };
addEventListener("pointermove", (event) => event.buttons && seen.moves.push(now()), true);
new PerformanceObserver((list) => seen.shifts.push(...list.getEntries().map(({ value, startTime }) => [startTime, value])))
  .observe({ type: "layout-shift", buffered: true });
new MutationObserver((changes) => {
  if (changes.some(({ target }) => (target.closest ?? (() => target.parentElement?.closest(".inkling-bars")))
      .call(target, ".inkling-bars"))) requestAnimationFrame(() => seen.bars.push(now()));
}).observe(document, { subtree: true, childList: true, attributes: true, characterData: true });
"""
TIME_UNTIL_GONE = """(button) => new Promise((resolve) => {
  const canvas = hosts().map((host) => host.shadowRoot?.querySelector(".dc-canvas.lower-canvas")).find(Boolean);
  const ink = () => canvas.getContext("2d").getImageData(0, 0, 280, 280).data.filter((value) => value > 127).length;
  const before = ink();
  const start = performance.now();
  const look = () => {
    const waited = performance.now() - start;
    ink() < before || waited > 5000 ? resolve(waited) : requestAnimationFrame(look);
  };
  button.click();
  look();
})"""


def visit(browser, url):
    """The page of a new visitor, ready to draw on."""
    page = browser.new_context(viewport={"width": 1280, "height": 800}).new_page()
    page.add_init_script(RECORD)
    visitor = Visitor(page, url).open()
    page.wait_for_function("seen.drawable")
    return visitor


def stroke(visitor, points, seconds):
    """Draw through these points of the canvas, evenly over these seconds."""
    box = visitor.canvas().bounding_box()
    at = [(box["x"] + x, box["y"] + y) for x, y in points]
    visitor.page.mouse.move(*at[0])
    visitor.page.mouse.down()
    start, steps = perf_counter(), round(seconds / MOVE_SECONDS / (len(at) - 1))
    for leg, ((x, y), (to_x, to_y)) in enumerate(pairwise(at)):
        for step in range(1, steps + 1):
            visitor.page.mouse.move(x + (to_x - x) * step / steps, y + (to_y - y) * step / steps)
            sleep(max(0, start + (leg * steps + step) * MOVE_SECONDS - perf_counter()))
    visitor.page.mouse.up()


def latencies(seen, start):
    """Milliseconds from each movement since ``start`` to the bars that it changed, and how often bars changed meanwhile."""
    waits = []
    moves = [move for move in seen["moves"] if move > start]
    sends = [send for send in seen["sends"] if send > start]
    for move in moves:
        send = next((send for send in sends if send >= move), None)
        bars = send and next((bars for bars in seen["bars"] if bars >= send), None)
        after = next((later for later in sends if send and later > send), float("inf"))
        if bars and bars < after:  # else the message changed no bar
            waits.append(bars - move)
    return waits, sum(moves[0] < bars < moves[-1] for bars in seen["bars"])


def measure(rounds):
    with sync_playwright() as driver:
        browser = launch(driver)
        start = perf_counter()
        with serve({}) as (_, url):
            print(f"The server answers {perf_counter() - start:.1f} s after its start.")
            return measure_page(browser, url, rounds)


def measure_page(browser, url, rounds):
    figures = {}
    visitor = visit(browser, url)
    stroke(visitor, SEVEN, 0.3)
    figures["cold"] = visitor.page.wait_for_function("seen.read").json_value() / 1000
    visitor.page.locator(".inkling-digit", has_text="7").wait_for()
    waits, updates, gone, shift = [], [], {"Undo": [], "Clear": []}, 0
    page = visitor.page
    visitor.button("Clear").click()
    for _ in range(rounds):
        page.wait_for_timeout(500)
        start = page.evaluate("performance.now()")
        for name in ("Undo", "Clear"):
            began = page.evaluate("performance.now()")
            stroke(visitor, SEVEN, 2)
            stroke_waits, count = latencies(page.evaluate("seen"), began)
            waits += stroke_waits
            updates.append(count)
            page.wait_for_timeout(50)  # the canvas has not reported the stroke yet
            gone[name].append(visitor.button(name).evaluate(TIME_UNTIL_GONE))
            page.wait_for_timeout(500)
        shift = max(shift, sum(value for at, value in page.evaluate("seen.shifts") if at > start))
    page.context.close()
    warm = []
    for _ in range(rounds):
        visitor = visit(browser, url)
        warm.append(visitor.page.evaluate("seen.drawable") / 1000)
        visitor.page.context.close()
    figures["warm"] = median(warm)
    figures |= {name: median(times) for name, times in gone.items()}
    figures |= {"median": median(waits), "p90": quantiles(waits, n=10)[-1], "updates": min(updates), "shift": shift}
    return figures


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    figures = measure(parser.parse_args().rounds)
    rows = [
        ("pointer to bars, median", f"{figures['median']:.0f} ms", "at most 120 ms"),
        ("pointer to bars, 90th percentile", f"{figures['p90']:.0f} ms", ""),
        ("updates in a stroke of two seconds, fewest", f"{figures['updates']}", "at least 8"),
        ("Undo to ink gone, median", f"{figures['Undo']:.0f} ms", "at most 150 ms"),
        ("Clear to ink gone, median", f"{figures['Clear']:.0f} ms", "at most 150 ms"),
        ("layout shift while drawing", f"{figures['shift']:.4f}", "0"),
        ("cold server: opening to first prediction", f"{figures['cold']:.2f} s", "at most 3 s"),
        ("warm server: opening to drawable, median", f"{figures['warm']:.2f} s", "at most 1.5 s"),
    ]
    for row in (("", "measured", "aim"), *rows):
        print("{:44}{:>12}   {}".format(*row))


if __name__ == "__main__":
    main()
