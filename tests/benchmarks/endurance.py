"""Whether the Train page stays as light and as fast during a long training as it was at the beginning.

    python tests/benchmarks/endurance.py [--minutes 20] [--panel Curves] [--json FILE]

A real browser shows a small network that trains for thousands of epochs. Every half a minute: megabytes that the server
holds, megabytes and DOM nodes of the page after a garbage collection, how many times per second the page was refreshed, and
how long it takes to change to another panel and back (the median of five). Growth is counted from the second minute on,
when the curves are full.
"""

import argparse
import json
import sys
from pathlib import Path
from statistics import median
from time import monotonic, sleep
from typing import Any

from clicks import PANELS, Bench, open_page, train_path

sys.path.insert(0, str(Path(__file__).parents[2]))

import engine

SAMPLE_SECONDS = 30.0  # between two samples
WARM_UP = 90.0  # seconds
MAX_GROWTH = 20  # megabytes that the server may grow by
SMALL = engine.Config(layers=engine.dense_layers((16,)), train_size=1_000, epochs=100_000, batch_size=8)
COUNT_REFRESHES = """() => {
  window.refreshes = 0
  const headline = () => document.querySelector('[data-testid=stProgress]')?.innerText
  let last = headline()
  new MutationObserver(() => {
    const now = headline()
    if (now !== last) { window.refreshes++; last = now }
  }).observe(document.body, { subtree: true, childList: true, characterData: true })
}"""


def sample(bench: Bench, server: int, cdp: Any, since: float) -> dict[str, Any]:
    """One row of figures; ``since`` is when the count of refreshes began."""
    refreshes = bench.page.evaluate("() => { const n = window.refreshes; window.refreshes = 0; return n }")
    rate = refreshes / (monotonic() - since)
    milliseconds = [sum(map(bench.panel, PANELS)) for _ in range(5)]
    cdp.send("HeapProfiler.collectGarbage")
    metrics = {metric["name"]: metric["value"] for metric in cdp.send("Performance.getMetrics")["metrics"]}
    pages = int(Path(f"/proc/{server}/statm").read_text().split()[1])
    headline = bench.page.get_by_test_id("stProgress").inner_text()
    return {
        "server_mb": pages * 4096 / 1e6,
        "heap_mb": metrics["JSHeapUsedSize"] / 1e6,
        "nodes": metrics["Nodes"],
        "refreshes_per_second": rate,
        "panels_ms": median(milliseconds),
        "headline": " ".join(headline.split()),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--minutes", type=float, default=20.0)
    parser.add_argument("--panel", default="Curves", help="that is open between two samples")
    parser.add_argument("--json", type=Path, metavar="FILE")
    options = parser.parse_args()
    rows = []
    with open_page(train_path(SMALL)) as (page, server):
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
            sleep(SAMPLE_SECONDS)
            row = {"minute": (monotonic() - started) / 60} | sample(bench, server, cdp, since)
            rows.append(row)
            print(
                f"| {row['minute']:.1f} | {row['server_mb']:.1f} | {row['heap_mb']:.1f} | {row['nodes']:.0f} | "
                f"{row['refreshes_per_second']:.2f} | {row['panels_ms']:.0f} | {row['headline']} |",
                flush=True,
            )
    first, last = next((row for row in rows if row["minute"] > WARM_UP / 60), rows[0]), rows[-1]
    growth = {name: last[name] - first[name] for name in ("server_mb", "heap_mb", "nodes")}
    print(
        f"from minute {first['minute']:.1f} to {last['minute']:.1f}: the server grew by {growth['server_mb']:+.1f} MB "
        f"(target: less than {MAX_GROWTH}), the page by {growth['heap_mb']:+.1f} MB and {growth['nodes']:+.0f} nodes"
    )
    if options.json:
        options.json.write_text(json.dumps({"rows": rows, "grown": growth}, indent=1))


if __name__ == "__main__":
    main()
