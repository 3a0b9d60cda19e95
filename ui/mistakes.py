"""What a run gets wrong: while it trains, the validation set's confusion by epoch; then the test images themselves."""

import numpy as np
import streamlit as st

from engine.metrics import expected_calibration_error, reliability
from engine.metrics import mistakes as find_mistakes
from ui import charts, pictures
from ui.words import percent

MOST = 24  # images shown at once
NEWEST = "the latest"


def mistakes(run, snapshot):
    """The panel."""
    if snapshot.test is None or snapshot.state == "diverged":
        by_epoch(run, snapshot)
    else:
        after(run, snapshot)


def dark():
    """Whether the page is shown in its dark theme."""
    return st.context.theme.type == "dark"


def by_epoch(run, snapshot):
    """The confusion matrix of the validation set, at the end of each epoch."""
    if not snapshot.confusions:
        st.caption("After the first epoch: which digits of the validation set it takes for which.")
        return
    *earlier, (latest, confusion) = snapshot.confusions
    epoch = latest
    if earlier:
        choices = {NEWEST: latest} | {str(epoch): epoch for epoch, _ in earlier[::-1]}
        epoch = choices[st.selectbox("After epoch", choices, key=f"epoch of {run.key}", width=140)]
        confusion = dict(snapshot.confusions)[epoch]
    wrong = int(confusion.sum() - np.trace(confusion))
    st.markdown(f"**{wrong:,} of {int(confusion.sum()):,}** validation images are read wrongly after epoch {epoch}.")
    st.vega_lite_chart(charts.cells(confusion), charts.confusion(dark()), key=f"confusion of {run.key}", width="stretch")


def after(run, snapshot):
    """The test images that it reads wrongly, and how much its confidence is worth."""
    test = snapshot.test
    images, labels = run.job.test_set.take(slice(None))
    readings = test.probabilities.argmax(axis=1)
    left, right = st.columns([3, 2])
    with left:
        st.markdown(f"**{test.errors:,} errors.** Press a cell to see its images.")
        event = st.vega_lite_chart(
            charts.cells(test.confusion),
            charts.confusion(dark(), selectable=True),
            key=f"test confusion of {run.key}",
            on_select="rerun",
            width="stretch",
            alt="Which digit is read as which",
        )
    with right:
        st.markdown("**Right, by digit**")
        st.html(by_digit(test.confusion))
    label, reading = cell(run, test.confusion, event)
    found = np.flatnonzero((labels == label) & (readings == reading))
    found = found[np.argsort(-test.probabilities[found, reading], kind="stable")]
    shown = f", the surest {MOST}" if len(found) > MOST else ""
    st.html(gallery(images, labels, test.probabilities, found[:MOST]))
    st.caption(f"{len(found):,} images of a {label} that it reads as {reading}{shown}.")

    st.markdown("**The mistakes that it was surest of**")
    worst = [mistake.position for mistake in find_mistakes(labels, test.probabilities)[:MOST]]
    st.html(gallery(images, labels, test.probabilities, worst))
    st.markdown("**Is it as sure as it should be?**")
    calibration(run, labels, test.probabilities)


def cell(run, confusion, event):
    """The (label, reading) to show: of the cell that was pressed, or of the list, which is there for the keyboard too."""
    off = confusion - np.diag(np.diag(confusion))
    order = np.argsort(-off, axis=None, kind="stable")[: max(np.count_nonzero(off), 1)]
    options = [tuple(map(int, divmod(place, 10))) for place in order]
    picked = event["selection"].get("cell") if event else None
    picked = (int(picked[0]["label"]), int(picked[0]["reading"])) if picked else None
    key = f"cell of {run.key}, seed {len(run.snapshots())}"
    seen = f"picked {key}"
    if picked and picked != st.session_state.get(seen):
        st.session_state[key] = picked
    st.session_state[seen] = picked
    now = st.session_state.get(key)
    if now is not None and now not in options:
        options.insert(0, now)
    return st.selectbox(
        "Images",
        options,
        format_func=lambda pair: f"{pair[0]} read as {pair[1]} ({confusion[pair]:,})",
        key=key,
        width=240,
        help="Which images to look at; pressing a cell of the matrix chooses too.",
    )


def by_digit(confusion):
    """The part of each digit's images that is read right, as bars; they begin at the worst ten percent steps below."""
    parts = np.diag(confusion) / np.maximum(confusion.sum(axis=1), 1)
    low = np.floor(10 * parts.min() - 1e-9) / 10
    worst = int(parts.argmin())
    rows = "".join(
        f'<li{" class=worst" if digit == worst else ""}><span>{digit}</span><span class="track"><i style="width:'
        f'{100 * (part - low) / max(1 - low, 1e-9):.1f}%"></i></span><span>{percent(part)}</span></li>'
        for digit, part in enumerate(parts)
    )
    return f'<ul class="inkling-parts">{rows}</ul><p class="inkling-note">Bars begin at {low:.0%}.</p>'


def gallery(images, labels, probabilities, positions):
    """These test images, each with what it is and what it was read as."""
    figures = []
    for position in positions:
        label, reading = int(labels[position]), int(probabilities[position].argmax())
        sure = percent(float(probabilities[position].max()))
        title = f"test image {position}: a {label}, read as {reading}, {sure}"
        caption = f"{label} → <b>{reading}</b><br><small>{sure}</small>"
        figures.append(pictures.digit(images[position], caption, reading != label, title))
    return pictures.digits(figures)


def calibration(run, labels, probabilities):
    """The reliability diagram, and what it says in words."""
    found = reliability(labels, probabilities)
    used = found.count > 0
    gap = expected_calibration_error(labels, probabilities)
    mean = float(probabilities.max(axis=1).mean())
    right = float((probabilities.argmax(axis=1) == labels).mean())
    tendency = "too sure of itself" if mean > right else "not sure enough"
    words = "Its confidence can be taken at its word" if gap < 0.01 else f"It is {tendency}"
    st.caption(
        f"{words}: it is {mean:.1%} sure on average and right in {right:.1%}; the expected calibration error is {gap:.2%}. "
        "On the dashed line the two agree; below it, it is too sure."
    )
    columns = {"confidence": found.confidence[used], "accuracy": found.accuracy[used], "images": found.count[used]}
    st.vega_lite_chart(columns, charts.reliability(), key=f"reliability of {run.key}", width="stretch")
