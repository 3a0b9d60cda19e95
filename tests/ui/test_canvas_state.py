"""Whatever the browser says is the state of the canvas, the Draw page works on."""

import pytest
from pages import SEVEN, draw, open_app

from ui.current_drawing import CANVAS, COMPANION


@pytest.mark.parametrize("key", [CANVAS, COMPANION])
@pytest.mark.parametrize(
    "state", [{"drawing": 5}, {"drawing": [1]}, {"drawing": None}, {"message": 7}, {"drawing": {"raw": 3}}]
)
def test_a_wrong_state_of_a_component_is_ignored(key, state):
    app = open_app()
    app.session_state[key] = state
    assert not app.run().exception
    assert not draw(app, SEVEN).exception
