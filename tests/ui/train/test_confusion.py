"""The panel of mistakes."""

import numpy as np
from pages import button

from tests.ui.train.steps import WAIT, evaluation, html, open_panel, open_train, run_to_end, runs, says, start


def test_the_images_behind_a_cell_are_those_that_were_read_so(sets):
    app = open_train()
    start(app, Epochs=1)
    run = run_to_end(app)
    open_panel(app, "Mistakes")
    test, labels = evaluation(run), sets[1].labels
    predicted = test.probabilities.argmax(axis=1)
    off_diagonal = test.confusion - np.diag(np.diag(test.confusion))
    label, prediction = divmod(int(off_diagonal.argmax()), 10)
    count = int(((labels == label) & (predicted == prediction)).sum())
    assert count
    assert says(app.caption, f"{count:,} images of a {label} that it reads as {prediction}")
    gallery = next(block.proto.body for block in app.get("html") if "inkling-digits" in block.proto.body)
    assert gallery.count("<figure") == min(count, 24)


def test_the_errors_of_each_digit_are_its_row_of_the_matrix(sets):
    app = open_train()
    start(app, Epochs=2)
    run = run_to_end(app)
    open_panel(app, "Mistakes")
    confusion = evaluation(run).confusion
    table = next(frame.value for frame in app.dataframe if "Digit" in frame.value)
    assert list(table["Digit"]) == list(map(str, range(10)))
    np.testing.assert_allclose(table["Wrong"], 100 * (1 - np.diag(confusion) / confusion.sum(axis=1)))


def test_the_matrix_of_an_earlier_epoch_can_be_chosen(sets):
    app = open_train()
    for _ in range(2):
        button(app, "1 epoch").click().run()
        assert runs(app)[0].series.wait_until_still(WAIT)
    open_panel(app, "Mistakes")
    assert says(app.markdown, "after epoch 2")
    box = next(box for box in app.selectbox if box.label == "After epoch")
    assert box.options == ["the latest", "1"]
    box.select("1").run()
    assert says(app.markdown, "after epoch 1")


def test_confidence_is_never_rounded_up_to_certainty(sets):
    app = open_train()
    start(app, Epochs=1)
    run_to_end(app)
    open_panel(app, "Mistakes")
    assert "100.0 %" not in html(app, "inkling-digits")
