"""A picture of a sweep: what its trials got wrong, and when, and at which learning rate."""

import io

import matplotlib
import matplotlib.pyplot as plt
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator
from optuna.trial import TrialState
from PIL import Image

matplotlib.use("agg")

BLUE, LIGHT_BLUE, GREY, LIGHT_GREY, ORANGE = "#0b5cad", "#9cc4ec", "#8b949e", "#d3d8de", "#b3430b"
TICKS = (1, 2, 3, 5, 10, 20, 50, 100)  # percent of errors
STYLE = {"font.size": 11, "axes.spines.top": False, "axes.spines.right": False, "axes.axisbelow": True}


def draw(trials, quick, path):
    """Write a PNG file of trials that were measured by validation accuracy; ``quick`` is that of the recipe."""
    trials = [trial for trial in trials if trial.intermediate_values]
    with plt.rc_context(STYLE):
        figure, (left, right) = plt.subplots(1, 2, figsize=(10, 4.2), sharey=True, width_ratios=(3, 2), layout="constrained")
        left.set_yscale("log")
        left.set_ylim(0.8 * min(errors[-1] for errors in map(_errors, trials)), 110)
        left.yaxis.set_major_locator(FixedLocator(TICKS))
        left.yaxis.set_minor_locator(NullLocator())
        left.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g} %"))
        for axes in (left, right):
            axes.axhline(_percent_wrong(quick), color=ORANGE, linestyle="--", label="the recipe quick")
            axes.grid(axis="y", color="#e6e9ed")
        _draw_over_time(left, trials)
        _draw_learning_rates(right, trials)
        left.legend(loc="upper right", framealpha=1, fontsize=10)
        file = io.BytesIO()
        figure.savefig(file, dpi=150, facecolor="white")
        plt.close(figure)
    with Image.open(file) as image:
        image.convert("RGB").quantize(64, dither=Image.Dither.NONE).save(path, optimize=True)


def _errors(trial):
    """The percentage of validation images that it read wrong, after each epoch."""
    return [_percent_wrong(accuracy) for accuracy in trial.intermediate_values.values()]


def _percent_wrong(accuracy):
    return 100 * (1 - accuracy)


def _draw_over_time(axes, trials):
    start = min(trial.datetime_start for trial in trials)

    def minutes(moment):
        return (moment - start).total_seconds() / 60

    complete = [trial for trial in trials if trial.state == TrialState.COMPLETE]
    labels = {True: "a trial, after each epoch", False: "a trial that was ended early"}
    for trial in sorted(trials, key=lambda trial: trial.state == TrialState.COMPLETE):
        is_complete = trial.state == TrialState.COMPLETE
        errors = _errors(trial)
        begin, end = minutes(trial.datetime_start), minutes(trial.datetime_complete)
        times = [begin + (end - begin) * (position + 1) / len(errors) for position in range(len(errors))]
        axes.plot(times, errors, ".-", color=LIGHT_BLUE if is_complete else LIGHT_GREY, label=labels.pop(is_complete, None))
    found = sorted((minutes(trial.datetime_complete), _percent_wrong(trial.value)) for trial in complete)
    bests = [min(error for _, error in found[: position + 1]) for position in range(len(found))]
    last = max(minutes(trial.datetime_complete) for trial in trials)
    axes.step([*(moment for moment, _ in found), last], [*bests, bests[-1]], where="post", color=BLUE, label="best so far")
    axes.set(xlabel="minutes", title="Errors on the validation images", xlim=(0, None))


def _draw_learning_rates(axes, trials):
    for is_complete, color in ((False, GREY), (True, BLUE)):
        chosen = [trial for trial in trials if (trial.state == TrialState.COMPLETE) == is_complete]
        axes.scatter(
            [trial.params["learning_rate"] for trial in chosen],
            [_errors(trial)[-1] for trial in chosen],
            s=22,
            color=color,
        )
    axes.set(xscale="log", xlabel="learning rate", title="The same by learning rate")
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
