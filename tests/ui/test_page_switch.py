"""Late requests of a page that the visitor has left. tests/browser/test_draw.py does the same in a browser."""

import asyncio

import pytest
from streamlit.proto.BackMsg_pb2 import BackMsg

from ui import server


def request(page, fragment="", values=False):
    message = BackMsg()
    message.rerun_script.page_script_hash = page
    message.rerun_script.fragment_id = fragment
    if values:
        message.rerun_script.widget_states.widgets.add(id="a", bool_value=True)
    return message.SerializeToString()


def received(*messages):
    """Which of these messages of one connection reach the app."""
    waiting = [{"type": "websocket.receive", "bytes": message} for message in messages] + [{"type": "websocket.disconnect"}]
    arrived = []

    async def receive():
        return waiting.pop(0)

    async def app(scope, receive, send):
        while (message := await receive())["type"] == "websocket.receive":
            arrived.append(message["bytes"])

    asyncio.run(server.CurrentPageOnly(app)({"type": "websocket"}, receive, None))
    return arrived


OPEN, STROKE = request(""), request("draw", "canvas", True)
TO_TRAIN, TO_DRAW = request("train"), request("draw")
REFRESH, START = request("train", "curves"), request("train", values=True)


@pytest.mark.parametrize(
    ("messages", "late"),
    [
        ([OPEN, STROKE, STROKE], []),
        ([OPEN, STROKE, TO_TRAIN, STROKE, REFRESH], [3]),
        ([OPEN, STROKE, TO_TRAIN, TO_TRAIN, STROKE, STROKE, START], [4, 5]),
        ([TO_DRAW, STROKE, TO_TRAIN, REFRESH, TO_DRAW, REFRESH, STROKE, TO_TRAIN, STROKE], [5, 8]),
        ([OPEN, STROKE, TO_TRAIN, START, STROKE, REFRESH, STROKE], []),  # with st.switch_page
        ([OPEN, STROKE, TO_TRAIN, REFRESH, STROKE, TO_TRAIN, STROKE, REFRESH], [6]),
    ],
)
def test_a_request_of_the_page_that_was_left_is_dropped(messages, late):
    assert received(*messages) == [message for index, message in enumerate(messages) if index not in late]


def test_other_messages_pass():
    stop = BackMsg(stop_script=True).SerializeToString()
    assert received(OPEN, STROKE, TO_TRAIN, stop, b"", b"no message", b"\xff" * 9) == [
        OPEN,
        STROKE,
        TO_TRAIN,
        stop,
        b"",
        b"no message",
        b"\xff" * 9,
    ]
