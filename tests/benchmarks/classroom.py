"""Whether one machine serves a class: people who draw beside trainings and donating phones, and thirty who press Start.

    python tests/benchmarks/classroom.py [drawing phones start watched memory] [--before FOLDER] [--people 1 20 60]
        [--json FILE]

Each scenario starts the app anew, and visits it over its own protocol, without browsers (``visitor.py``). With ``--before``,
another checkout takes its turn in the same run. The exit status is 1 if this one, or ``--app``, misses an aim. The store is
an empty one, unless ``INKLING_STORE`` names another.

- drawing: people who draw a stroke every three seconds each, alone and beside trainings. How long it takes from sending a
  message to the end of the answer that contains it: for the canvas's report of a finished stroke, and for the companion's
  messages during a stroke. Nobody begins a stroke before the last one was answered.
- phones: the same, alone and beside phones that give ten drawings a minute each to a class collection, whose teacher shows
  the wall; and how long it takes from pressing Next on a phone until the drawing is kept.
- start: visitors who all press Start within a few seconds, with the default settings. How long it takes until each page
  shows it, and until all trainings are done: compared with the same trainings one after another on all cores, by ``Trainer``
  alone in a process for each core, before and after. The earlier checkout is asked only for the first.
- watched: steps per second of a training that is watched, between Resume and Pause, and of ``Trainer`` alone, in turn.
- memory: what the server and its children hold, with shared pages counted once: after its start, after a first visit to both
  pages (all modules and data are loaded), with a class, and after everybody has left.
"""

import argparse
import asyncio
import gzip
import json
import math
import os
import random
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import AsyncExitStack, contextmanager, suppress
from pathlib import Path
from statistics import mean, median
from time import perf_counter
from typing import Any

from visitor import Artist, Donor, Point, Server, Teacher, Trainee, serve

ROOT = Path(__file__).resolve().parents[2]
STROKES = ROOT.parent / "shared" / "strokes" / "pen_digits.jsonl.gz"
CORES = len(os.sched_getaffinity(0))
PERIOD, STROKE_SECONDS = 3.0, 0.25  # from one stroke of a person to the next, and how long a stroke takes
GIVE_PERIOD = 6.0  # seconds from one drawing of a phone to the next
SETTLE_SECONDS = 3.0  # after everybody has come
MANY_EPOCHS = 100_000  # so that a training does not end
MAX_SLOWDOWN, MAX_START, MAX_ALL_DONE, MIN_WATCHED, MAX_GROWTH = 1.25, 1.0, 1.15, 0.95, 50  # seconds, megabytes
PATIENCE = 1200.0  # seconds after which trainings that have not ended are given up
NOTHING = "-"  # in a cell of a table
NOW = "now"  # the checkout whose aims count


@contextmanager
def fresh_server(app: Path, **environment: str) -> Iterator[Server]:
    """The app, with an empty store that is removed afterwards."""
    with tempfile.TemporaryDirectory() as store, serve(app, XDG_DATA_HOME=store, **environment) as server:
        yield server


def percentile(values: Sequence[float], percent: float) -> float:
    ordered = sorted(values)
    return ordered[math.ceil(percent / 100 * len(ordered)) - 1] if ordered else math.nan


def load_strokes(limit: int = 500) -> list[list[Point]]:
    """The first strokes of real pen-drawn digits, or a line if they are not on this machine, in canvas pixels."""
    if not STROKES.is_file():
        return [[(60.0 + 7 * step, 60.0) for step in range(20)]]
    with gzip.open(STROKES, "rt") as file:
        digits = [json.loads(line)["strokes"] for line, _ in zip(file, range(limit), strict=False)]
    return [_on_canvas(strokes[0]) for strokes in digits if len(strokes[0]) > 5]


def _on_canvas(points: list[list[float]]) -> list[Point]:
    width, height = (max(values) - min(values) for values in zip(*points, strict=True))
    left, top = (min(values) for values in zip(*points, strict=True))
    scale = 200 / max(width, height, 1)
    return [(round(40 + scale * (x - left), 1), round(40 + scale * (y - top), 1)) for x, y in points]


async def trainees(stack: AsyncExitStack, server: Server, number: int, epochs: int = 0) -> list[Trainee]:
    """Visitors who have opened the Train page and set the epochs, if not 0, but have not pressed Start."""
    visitors = [await stack.enter_async_context(Trainee(server)) for _ in range(number)]
    for visitor in visitors:
        await visitor.until_measured()
        if epochs:
            await visitor.set_epochs(epochs)
    return visitors


async def draw_for(artist: Artist, strokes: list[list[Point]], phase: float, seconds: float) -> None:
    """Draw a stroke every three seconds, or when the last one was answered if that takes longer."""
    rng, started = random.Random(phase), perf_counter()
    due = started + phase
    while due < started + seconds:
        await asyncio.sleep(due - perf_counter())
        await artist.draw(rng.choice(strokes), STROKE_SECONDS)
        await artist.until(lambda: not artist.num_unanswered)
        due = max(due + PERIOD, perf_counter())


async def give_for(donor: Donor, strokes: list[list[Point]], phase: float, seconds: float) -> None:
    """Give a drawing every six seconds, or when the last one is kept if that takes longer."""
    rng, started = random.Random(phase), perf_counter()
    due = started + phase
    while due < started + seconds:
        await asyncio.sleep(due - perf_counter())
        await donor.give([(x + rng.uniform(-5, 5), y) for x, y in rng.choice(strokes)])  # never the same twice
        due = max(due + GIVE_PERIOD, perf_counter())


async def draw_class(server: Server, people: int, seconds: float, trainings: int = 0, phones: int = 0) -> dict[str, Any]:
    """Milliseconds until each finished stroke, and each message during one, was answered; and how many strokes in time.

    Beside so many trainings, and phones; ``given`` are the milliseconds until each of their drawings was kept.
    """
    rng, strokes = random.Random(people), load_strokes()
    async with AsyncExitStack() as stack:
        class_ = await trainees(stack, server, trainings, MANY_EPOCHS)
        for trainee in class_:
            await trainee.start()
        async with Artist(server) as first:  # the server's first answers take longer
            await draw_for(first, strokes, 0, PERIOD + 1)
        donors: list[Donor] = []
        if phones:
            teacher = await stack.enter_async_context(Teacher(server))
            donors = [await stack.enter_async_context(Donor(server, teacher.code)) for _ in range(phones)]
        artists = [await stack.enter_async_context(Artist(server)) for _ in range(people)]
        await asyncio.sleep(SETTLE_SECONDS)
        ended = asyncio.gather(
            *(draw_for(artist, strokes, rng.uniform(0, PERIOD), seconds) for artist in artists),
            *(give_for(donor, strokes, rng.uniform(0, GIVE_PERIOD), seconds) for donor in donors),
        )
        await asyncio.sleep(seconds)
        answers = sum(len(artist.finished) for artist in artists)
        await ended
        for trainee in class_:
            await trainee.stop()
    finished = [1000 * value for artist in artists for value in artist.finished]
    return {
        "finished": finished,
        "during": [1000 * value for artist in artists for value in artist.in_stroke],
        "given": [1000 * value for donor in donors for value in donor.given],
        "answers": answers,
    }


async def start_class(server: Server, visitors: int, within: float, epochs: int, to_end: bool) -> dict[str, Any]:
    """Seconds from pressing Start until each page shows it, and from the first Start until all trainings are done."""

    async def press(trainee: Trainee, delay: float) -> float:
        await asyncio.sleep(delay)
        return await trainee.start()

    async with AsyncExitStack() as stack:
        class_ = await trainees(stack, server, visitors, epochs)
        rng, started = random.Random(visitors), perf_counter()
        waits = await asyncio.gather(*(press(trainee, rng.uniform(0, within)) for trainee in class_))
        if not to_end:
            return {"waits": waits}
        with suppress(TimeoutError):
            await asyncio.gather(*(trainee.until(lambda trainee=trainee: trainee.done_at, PATIENCE) for trainee in class_))
        finished = sum("finished" in trainee.progress for trainee in class_)
        return {"waits": waits, "all_done": perf_counter() - started, "finished": finished}


async def watch(server: Server, app: Path, rounds: int, seconds: float) -> list[tuple[float, float]]:
    """Steps per second, watched and bare, of each round. From Resume to Pause, which are answered in the same way."""
    pairs = []
    async with AsyncExitStack() as stack:
        (trainee,) = await trainees(stack, server, 1, MANY_EPOCHS)
        await trainee.start()
        await asyncio.sleep(SETTLE_SECONDS)
        step = await trainee.pause()
        for _ in range(rounds):
            (bare,) = await asyncio.to_thread(alone, app, "speed", seconds)
            started = perf_counter()
            trainee.resume()
            await asyncio.sleep(seconds)
            took, before = perf_counter() - started, step
            step = await trainee.pause()
            pairs.append(((step - before) / took, bare))
    return pairs


async def remember(server: Server, people: int, seconds: float, gone_seconds: float) -> dict[str, float]:
    """Megabytes that the server holds. Each of the people has both pages open, draws, and trains once."""

    async def visit(number: int) -> float:
        async with AsyncExitStack() as stack:
            class_ = await trainees(stack, server, number)
            artists = [await stack.enter_async_context(Artist(server)) for _ in range(number)]
            rng, strokes = random.Random(number), load_strokes()
            drawing = [draw_for(artist, strokes, rng.uniform(0, PERIOD), seconds) for artist in artists]
            await asyncio.gather(*(trainee.start() for trainee in class_), *drawing)
            return held(server.pid)

    figures = {"started": held(server.pid)}
    await visit(1)
    await asyncio.sleep(gone_seconds)
    figures["fresh"] = held(server.pid)
    figures["class"] = await visit(people)
    await asyncio.sleep(gone_seconds)
    return figures | {"gone": held(server.pid)}


def held(pid: int) -> float:
    """Megabytes of memory of a process and its children; pages that several share count once.

    Pages of files, such as a library's code, are left out: what they count depends on which other programs use them.
    """
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
        children = [task.read_text().split() for task in Path(f"/proc/{pid}/task").glob("*/children")]
    except OSError:  # it has ended
        return 0.0
    kilobytes = sum(int(line.split()[1]) for line in lines if line.startswith(("Pss_Anon:", "Pss_Shmem:")))
    return kilobytes * 1024 / 1e6 + sum(held(int(child)) for task in children for child in task)


def alone(app: Path, name: str, value: float, processes: int = 1) -> list[float]:
    """The results of a measurement in ``ALONE`` by so many processes at once, with the ``Trainer`` of this checkout."""
    command = [sys.executable, __file__, "--app", str(app), "--alone", name, str(value)]
    running = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(processes)]
    return [float(process.communicate()[0]) for process in running]


def train_alone(epochs: float) -> float:
    """Seconds of a training of so many epochs and its test; of the default settings if 0."""
    engine, trainer, test_set = _default_trainer(int(epochs))
    started = perf_counter()
    for _ in trainer:
        pass
    engine.metrics.evaluate(trainer.network, test_set)
    return perf_counter() - started


def speed_alone(seconds: float) -> float:
    """Steps per second."""
    _, trainer, _ = _default_trainer(MANY_EPOCHS)
    started = perf_counter()
    for _ in trainer:
        if perf_counter() - started >= seconds:
            break
    return trainer.step / (perf_counter() - started)


def _default_trainer(epochs: int) -> tuple[Any, Any, Any]:
    """The engine of the checkout at the start of ``sys.path``, a trainer with its default settings, and the test set."""
    from threadpoolctl import threadpool_limits

    import engine
    import engine.metrics
    from engine.data import default_source, load_data

    threadpool_limits(1, user_api="blas")  # as in the app
    train_set, test_set = load_data(default_source())
    config = engine.Config(epochs=epochs) if epochs else engine.Config()
    return engine, engine.Trainer.from_config(config, train_set), test_set


ALONE = {"training": train_alone, "speed": speed_alone}


class Report:
    """Prints Markdown tables, and remembers whether all aims were met."""

    def __init__(self) -> None:
        self.all_met = True

    def header(self, *titles: str) -> None:
        print(f"\n| {' | '.join(titles)} | aim | |\n|{'---|' * (len(titles) + 2)}", flush=True)

    def row(self, *cells: str, aim: str = NOTHING, met: bool | None = None) -> None:
        """``met`` is None for a row without an aim."""
        self.all_met &= met is not False
        result = NOTHING if met is None else "met" if met else "missed"
        print(f"| {' | '.join(cells)} | {aim} | {result} |", flush=True)


def report_drawing(trees: dict[str, Path], options: argparse.Namespace, report: Report) -> Any:
    """The table of ``draw_class`` beside trainings."""
    return _report_beside("trainings", options.trainings, trees, options, report)


def report_phones(trees: dict[str, Path], options: argparse.Namespace, report: Report) -> Any:
    """The table of ``draw_class`` beside phones."""
    return _report_beside("phones", options.phones, trees, options, report)


def _report_beside(what: str, number: int, trees: dict[str, Path], options: argparse.Namespace, report: Report) -> Any:
    """The table of ``draw_class``, alone and beside so many of ``what`` in turn, for each number of people."""
    report.header(
        *("people", "checkout", what, "finished stroke: p50 / p95 / longest", "during a stroke: p50 / p95 / longest"),
        *(f"strokes answered in {options.seconds:g} s", "drawing of a phone kept: number, p50 / p95 / longest"),
        f"p95, times that without {what}: finished, during",
    )
    results = []
    for people in options.people:
        for tree, app in trees.items():
            runs = {0: [], number: []}
            with fresh_server(app) as server:
                for _ in range(options.rounds):
                    for beside, rounds in runs.items():
                        rounds.append(asyncio.run(draw_class(server, people, options.seconds, **{what: beside})))
            p95 = {}
            for beside, rounds in runs.items():
                cells, result = [], {"people": people, "checkout": tree, what: beside}
                for name in ("finished", "during"):
                    values = [value for run in rounds for value in run[name]]
                    result[name] = [percentile(values, percent) for percent in (50, 95, 100)]
                    cells.append(" / ".join(f"{value:,.0f}" for value in result[name]) + " ms")
                    p95.setdefault(name, []).append(result[name][1])
                result["answers"] = mean(run["answers"] for run in rounds)
                result["ratios"] = [with_ / without for without, *rest in p95.values() for with_ in rest]
                given = [value for run in rounds for value in run["given"]]
                result["given"] = [len(given), *(percentile(given, percent) for percent in (50, 95, 100))]
                kept = (
                    f"{len(given)}, {' / '.join(f'{value:,.0f}' for value in result['given'][1:])} ms" if given else NOTHING
                )
                judged = tree == NOW and people == max(options.people) and bool(beside)
                report.row(
                    *(str(people), tree, str(beside), *cells, f"{result['answers']:.0f}", kept),
                    ", ".join(f"{ratio:.2f}" for ratio in result["ratios"]) or NOTHING,
                    aim=f"at most {MAX_SLOWDOWN}" if judged else NOTHING,
                    met=max(result["ratios"]) <= MAX_SLOWDOWN if judged else None,
                )
                results.append(result)
    return results


def report_start(trees: dict[str, Path], options: argparse.Namespace, report: Report) -> Any:
    """The table of ``start_class``. The earlier checkout, which has no queue, is asked only for the waits."""
    report.header(f"{options.visitors} visitors press Start within {options.within:g} s", "checkout", "measured")
    results = []
    for tree, app in trees.items():
        is_now = tree == NOW
        serial = [alone(app, "training", options.epochs, CORES)] if is_now else []
        with fresh_server(app) as server:
            result = asyncio.run(start_class(server, options.visitors, options.within, options.epochs, is_now))
        waits = result["waits"]
        results.append({"checkout": tree, **result})
        report.row(
            *("until the page shows it: p50 / p95 / longest", tree),
            " / ".join(f"{percentile(waits, percent):.2f}" for percent in (50, 95, 100)).replace("inf", "never") + " s",
            aim=f"longest at most {MAX_START:g} s" if is_now else NOTHING,
            met=max(waits) <= MAX_START if is_now else None,
        )
        if is_now:
            serial.append(alone(app, "training", options.epochs, CORES))
            bare = mean(map(mean, serial)) * options.visitors / CORES
            ratio = result["all_done"] / bare
            results[-1] |= {"bare": bare, "bare_rounds": serial}
            report.row(
                *(f"until all are done, to {CORES} at a time without the app ({bare:.0f} s)", tree),
                f"{result['all_done']:.0f} s, {ratio:.2f} times",
                aim=f"at most {MAX_ALL_DONE} times",
                met=ratio <= MAX_ALL_DONE,
            )
            report.row(
                *("trainings that finished", tree, str(result["finished"])),
                aim=str(options.visitors),
                met=result["finished"] == options.visitors,
            )
    return results


def report_watched(trees: dict[str, Path], options: argparse.Namespace, report: Report) -> Any:
    """The table of ``watch``."""
    report.header("a training with the default settings", "checkout", "watched, steps/s", "bare, steps/s", "ratio")
    results = []
    for tree, app in trees.items():
        with fresh_server(app) as server:
            pairs = asyncio.run(watch(server, app, options.rounds, options.watch_seconds))
        results.append({"checkout": tree, "rounds": pairs})
        ratio = median(watched / bare for watched, bare in pairs)
        report.row(
            *(f"median of {len(pairs)} rounds", tree),
            *(f"{median(values):,.0f}" for values in zip(*pairs, strict=True)),
            f"{ratio:.3f}",
            aim=f"at least {MIN_WATCHED}" if tree == NOW else NOTHING,
            met=ratio >= MIN_WATCHED if tree == NOW else None,
        )
    return results


def report_memory(trees: dict[str, Path], options: argparse.Namespace, report: Report) -> Any:
    """The table of ``remember``."""
    report.header("checkout", "started", "after a first visit", f"with {options.visitors} visitors", "all gone", "grown, MB")
    results = []
    for tree, app in trees.items():
        with fresh_server(app, INKLING_UNATTENDED_MINUTES="1") as server:
            figures = asyncio.run(remember(server, options.visitors, options.seconds, options.gone))
        results.append({"checkout": tree, **figures})
        growth = figures["gone"] - figures["fresh"]
        report.row(
            *(tree, *(f"{figures[name]:.0f}" for name in ("started", "fresh", "class", "gone"))),
            f"{growth:+.0f}",
            aim=f"at most {MAX_GROWTH}" if tree == NOW else NOTHING,
            met=growth <= MAX_GROWTH if tree == NOW else None,
        )
    return results


SCENARIOS = {
    "drawing": report_drawing,
    "phones": report_phones,
    "start": report_start,
    "watched": report_watched,
    "memory": report_memory,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("scenarios", nargs="*", metavar="scenario", help=f"of {', '.join(SCENARIOS)}; default: all")
    parser.add_argument("--app", type=Path, default=ROOT, help="the checkout that is measured")
    parser.add_argument("--before", type=Path, help="a checkout to compare it with")
    parser.add_argument("--people", type=int, nargs="+", default=[1, 20, 60], help="who draw")
    parser.add_argument("--trainings", type=int, default=3, help="beside those who draw")
    parser.add_argument("--phones", type=int, default=30, help="that give ten drawings a minute each, beside those who draw")
    parser.add_argument("--seconds", type=float, default=25.0, help="of drawing")
    parser.add_argument("--visitors", type=int, default=30, help="who press Start, and of the memory's class")
    parser.add_argument("--within", type=float, default=5.0, help="seconds in which they press Start")
    parser.add_argument("--epochs", type=int, default=0, help="of each of their trainings; default: as the page sets them")
    parser.add_argument("--rounds", type=int, default=3, help="of drawing, and of the watched training")
    parser.add_argument("--watch-seconds", type=float, default=8.0, help="of each of these rounds")
    parser.add_argument("--gone", type=float, default=240.0, help="seconds after which those who left are forgotten")
    parser.add_argument("--json", type=Path, metavar="FILE")
    parser.add_argument("--alone", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    mnist = ROOT.parent / "shared" / "mnist"
    if mnist.is_dir():
        os.environ.setdefault("INKLING_MNIST_DIR", str(mnist))
    if options.alone:
        sys.path.insert(0, str(options.app))
        print(ALONE[options.alone[0]](float(options.alone[1])))
        return
    if unknown := set(options.scenarios) - set(SCENARIOS):
        parser.error(f"expected scenarios of {', '.join(SCENARIOS)}, got {', '.join(sorted(unknown))}")
    trees = ({"before": options.before.resolve()} if options.before else {}) | {NOW: options.app.resolve()}
    report, results = Report(), {}
    for name in options.scenarios or SCENARIOS:
        results[name] = SCENARIOS[name](trees, options, report)
    if options.json:
        options.json.write_text(json.dumps(results, indent=1))
    sys.exit(not report.all_met)


if __name__ == "__main__":
    main()
