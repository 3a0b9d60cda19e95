"""Whether the Train page stays as light and as quick through a long training as it was at its beginning.

    python tests/benchmarks/endurance.py [--minutes 20] [--panel Curves] [--json FILE]

A real browser looks at a small network that trains for thousands of epochs. Every half a minute: megabytes that the server
holds, megabytes and DOM nodes of the page after a garbage collection, how often the page was refreshed in a second, and how
long a change of panels and back takes (the median of five). Growth is counted from the second minute, when curves are full.
"""

import argparse
import json
import sys
from pathlib import Path
from statistics import median
from time import monotonic, sleep

from clicks import Bench, open_page

sys.path.insert(0, str(Path(__file__).parents[2]))

import engine
from engine.data import default_source

EVERY = 30.0  # seconds
WARM_UP = 90.0  # seconds
AIM = 20  # megabytes that the server may grow by
SMALL = engine.Config(layers=engine.dense_layers((16,)), images=1_000, epochs=100_000, batch_size=8)
COUNT_REFRESHES = """() => {
  window.refreshes = 0
  const words = () => document.querySelector('[data-testid=stProgress]')?.innerText
  let last = words()
  new MutationObserver(() => {
    const now = words()
    if (now !== last) { window.refreshes++; last = now }
  }).observe(document.body, { subtree: true, childList: true, characterData: true })
}"""


def sample(bench, server, cdp, since):
    """One row of figures; ``since`` is when refreshes were last counted."""
    refreshes = bench.page.evaluate("() => { const n = window.refreshes; window.refreshes = 0; return n }")
    rate = refreshes / (monotonic() - since)
    took = [bench.panel("Layers") + bench.panel("Curves") for _ in range(5)]
    cdp.send("HeapProfiler.collectGarbage")
    metrics = {metric["name"]: metric["value"] for metric in cdp.send("Performance.getMetrics")["metrics"]}
    pages = int(Path(f"/proc/{server}/statm").read_text().split()[1])
    headline = bench.page.get_by_test_id("stProgress").inner_text()
    return {
        "server_mb": pages * 4096 / 1e6,
        "heap_mb": metrics["JSHeapUsedSize"] / 1e6,
        "nodes": metrics["Nodes"],
        "refreshes_per_second": rate,
        "panels_ms": median(took),
        "headline": " ".join(headline.split()),
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=20.0)
    parser.add_argument("--panel", default="Curves", help="that is open in between")
    parser.add_argument("--json", type=Path, metavar="FILE")
    options = parser.parse_args()
    rows = []
    with open_page(f"/train?data={default_source()}&config={SMALL.to_link()}") as (page, server):
        bench, cdp = Bench(page), page.context.new_cdp_session(page)
        cdp.send("Performance.enable")
        bench.control("Start").click()
        bench.control("Pause").wait_for()
        page.get_by_test_id("stVegaLiteChart").nth(1).wait_for()
        page.evaluate(COUNT_REFRESHES)
        print(
            "| minute | server, MB | page, MB | nodes | refreshes/s | panels, ms | training |\n|---|---|---|---|---|---|---|"
        )
        started = monotonic()
        while monotonic() - started < 60 * options.minutes:
            page.get_by_role("tab", name=options.panel, exact=True).click()
            since = monotonic()
            page.evaluate("() => { window.refreshes = 0 }")
            sleep(EVERY)
            row = {"minute": (monotonic() - started) / 60} | sample(bench, server, cdp, since)
            rows.append(row)
            print(
                f"| {row['minute']:.1f} | {row['server_mb']:.1f} | {row['heap_mb']:.1f} | {row['nodes']:.0f} | "
                f"{row['refreshes_per_second']:.2f} | {row['panels_ms']:.0f} | {row['headline']} |",
                flush=True,
            )
    first, last = next((row for row in rows if row["minute"] > WARM_UP / 60), rows[0]), rows[-1]
    grown = {name: last[name] - first[name] for name in ("server_mb", "heap_mb", "nodes")}
    print(
        f"from minute {first['minute']:.1f} to {last['minute']:.1f}: the server grew by {grown['server_mb']:+.1f} MB "
        f"(aim: less than {AIM}), the page by {grown['heap_mb']:+.1f} MB and {grown['nodes']:+.0f} nodes"
    )
    if options.json:
        options.json.write_text(json.dumps({"rows": rows, "grown": grown}, indent=1))


if __name__ == "__main__":
    main()
