"""Visitors without a browser: they speak the protocol of a Streamlit page, so that many fit beside the server.

``Visitor`` does what the browser does with any page: it learns the widgets from what the server sends, sends back their
values and the address, and reruns fragments when their timers say so. ``Artist`` draws as the canvas and its companion
(``ui/assets/companion.js``) do, ``Trainee`` uses the buttons of the Train page. ``Teacher`` and ``Donor`` are on the page
Class: the one shows a collection, and the other gives drawings to it.

They acknowledge what they receive at once. Linux would wait up to 40 ms, and a server whose sockets lack TCP_NODELAY, as
those of Streamlit 1.67, sends the rest of an answer only then. This is a matter of the network, not of the app's load.
"""

import asyncio
import json
import math
import os
import re
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import AsyncExitStack, contextmanager, suppress
from itertools import pairwise
from pathlib import Path
from time import perf_counter, sleep
from typing import Any, NamedTuple, Self
from urllib.request import urlopen

from streamlit.proto.AutoRerun_pb2 import AutoRerun
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.Delta_pb2 import Delta
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from streamlit.proto.WidgetStates_pb2 import WidgetState
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed
from websockets.typing import Origin, Subprotocol

PATIENCE = 120.0  # seconds after which something that was waited for is given up
CANVAS, COMPANION = "canvas", "companion"  # keys of the two components that report strokes
MIN_INTERVAL, MAX_INTERVAL = 0.05, 0.5  # seconds between two messages of the companion
REPORT_SECONDS = 0.2  # from the end of a stroke to the canvas's report
FINISHED_EARLY = ForwardMsg.ScriptFinishedStatus.FINISHED_EARLY_FOR_RERUN

Point = tuple[float, float]


class Server(NamedTuple):
    """A running app: its process, and the port of 127.0.0.1 that it listens at."""

    pid: int
    port: int


@contextmanager
def serve(app: Path, **environment: str) -> Iterator[Server]:
    """Run the checkout ``app`` on a free port, within a context."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "streamlit", "run", "streamlit_app.py", "--server.port", str(port)]
    environment = os.environ | environment
    process = subprocess.Popen(command, cwd=app, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        deadline = perf_counter() + PATIENCE
        while process.poll() is None and perf_counter() < deadline:
            with suppress(OSError), urlopen(f"http://127.0.0.1:{port}/_stcore/health", timeout=1):
                break
            sleep(0.1)
        else:
            raise RuntimeError(f"the app in {app} does not answer; `streamlit run streamlit_app.py` in it shows why")
        yield Server(process.pid, port)
    finally:
        process.terminate()
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


class Widget(NamedTuple):
    """What is needed to use a widget: its id, and the fragment that it reruns ("" for the whole page)."""

    id: str
    fragment: str


class Visitor:
    """A page of the app in a session of its own, within an ``async with``."""

    path = ""

    def __init__(self, server: Server) -> None:
        self.port = server.port
        self.widgets: dict[str, Widget] = {}  # by label and by key
        self._states: dict[str, WidgetState] = {}  # values that the visitor has set, by widget id
        self._query = self._page_hash = ""
        self._timers: dict[str, tuple[float, asyncio.Task]] = {}  # interval and task by fragment
        self._waiting: list[tuple[Callable[[], object], asyncio.Future]] = []
        self._outbox: asyncio.Queue[bytes] = asyncio.Queue()
        self._is_idle = False
        self._exit = AsyncExitStack()

    async def __aenter__(self) -> Self:
        address, origin = f"ws://127.0.0.1:{self.port}/_stcore/stream", Origin(f"http://127.0.0.1:{self.port}")
        options: dict[str, Any] = {"max_size": None, "compression": None, "ping_interval": None, "open_timeout": PATIENCE}
        self._socket: ClientConnection = await self._exit.enter_async_context(
            connect(address, subprotocols=[Subprotocol("streamlit")], origin=origin, **options)
        )
        for work in (self._receive(), self._send()):
            self._exit.callback(asyncio.create_task(work).cancel)
        self._exit.callback(self._stop_timers)
        self.rerun()
        await self.until(lambda: self._is_idle)
        return self

    async def __aexit__(self, *error: object) -> None:
        await self._exit.aclose()

    async def until(self, condition: Callable[[], object], seconds: float = PATIENCE) -> None:
        """Wait until the condition holds, which is checked with each message of the server."""
        if not condition():
            future = asyncio.get_running_loop().create_future()
            self._waiting.append((condition, future))
            await asyncio.wait_for(future, seconds)

    def rerun(self, fragment: str = "", trigger: str = "", is_auto: bool = False) -> None:
        """Ask the server to run a fragment, or the whole page. ``trigger`` is the id of a button that was clicked."""
        message = BackMsg()
        state = message.rerun_script
        state.query_string, state.page_script_hash, state.fragment_id = self._query, self._page_hash, fragment
        state.page_name = "" if self._page_hash else self.path
        state.is_auto_rerun = is_auto
        state.context_info.timezone, state.context_info.locale = "UTC", "en"
        state.context_info.url = f"http://127.0.0.1:{self.port}/{self.path}{self._query and '?' + self._query}"
        state.widget_states.widgets.extend(self._states.values())
        if trigger:
            state.widget_states.widgets.add(id=trigger, trigger_value=True)
        self._outbox.put_nowait(message.SerializeToString())

    def click(self, label: str) -> None:
        self.rerun(self.widgets[label].fragment, self.widgets[label].id)

    def set_value(self, name: str, **value: Any) -> None:
        """Change a widget's value: ``set_value("Epochs", int_value=5)``."""
        widget = self.widgets[name]
        self._states[widget.id] = WidgetState(id=widget.id, **value)
        self.rerun(widget.fragment)

    def take_element(self, name: str, element: Any) -> None:
        """Called with each element, and the name of its kind."""

    def take_answer(self) -> None:
        """Called when a run of the script has ended."""

    async def _send(self) -> None:
        with suppress(ConnectionClosed):
            while True:
                await self._socket.send(await self._outbox.get())

    async def _receive(self) -> None:
        with suppress(ConnectionClosed):
            async for data in self._socket:
                self._acknowledge()
                self._take(ForwardMsg.FromString(data if isinstance(data, bytes) else data.encode()))
                still_waiting = []
                for condition, future in self._waiting:
                    if future.done():  # given up
                        continue
                    if condition():
                        future.set_result(None)
                    else:
                        still_waiting.append((condition, future))
                self._waiting = still_waiting
        for _, future in self._waiting:
            if not future.done():
                future.set_exception(ConnectionError("the server has closed the connection"))

    def _acknowledge(self) -> None:
        if hasattr(socket, "TCP_QUICKACK"):  # Linux; it holds only for a while
            self._socket.transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)

    def _take(self, message: ForwardMsg) -> None:
        kind = message.WhichOneof("type")
        if kind == "delta":
            self._take_delta(message.delta)
        elif kind == "new_session":
            self._is_idle = False
            self._page_hash = message.new_session.page_script_hash
            if not message.metadata.run.fragment_ids:  # the whole page, which sends its timers again
                self._stop_timers()
        elif kind == "navigation":
            self._page_hash = message.navigation.page_script_hash
        elif kind == "page_info_changed":
            self._query = message.page_info_changed.query_string
        elif kind == "auto_rerun":
            self._start_timer(message.auto_rerun)
        elif kind == "stop_auto_rerun":
            self._stop_timers(message.stop_auto_rerun.fragment_ids)
        elif kind == "script_finished":
            self._is_idle = message.script_finished != FINISHED_EARLY
            self.take_answer()

    def _take_delta(self, delta: Delta) -> None:
        kind = delta.new_element.WhichOneof("type") if delta.WhichOneof("type") == "new_element" else None
        if kind is None:
            return
        element = getattr(delta.new_element, kind)
        if id := getattr(element, "id", ""):
            key = id.split("-", 2)[-1]
            self.widgets[key] = self.widgets[getattr(element, "label", key)] = Widget(id, delta.fragment_id)
        self.take_element(kind, element)

    def _start_timer(self, timer: AutoRerun) -> None:
        if timer.fragment_id not in self._timers or self._timers[timer.fragment_id][0] != timer.interval:
            self._stop_timers([timer.fragment_id])
            task = asyncio.create_task(self._tick(timer.fragment_id, timer.interval))
            self._timers[timer.fragment_id] = timer.interval, task

    async def _tick(self, fragment: str, interval: float) -> None:
        while True:
            await asyncio.sleep(interval)
            self.rerun(fragment, is_auto=True)

    def _stop_timers(self, fragments: Sequence[str] | None = None) -> None:
        """Stop the timers of these fragments, or all."""
        for fragment in list(self._timers) if fragments is None else fragments:
            if fragment in self._timers:
                self._timers.pop(fragment)[1].cancel()


class Artist(Visitor):
    """Somebody on the Draw page. Times are in seconds, from sending a message to the end of the answer that contains it."""

    def __init__(self, server: Server) -> None:
        super().__init__(server)
        self.in_stroke: list[float] = []
        self.finished: list[float] = []
        self.num_reports = 0  # of finished strokes that were sent
        self._data: dict[str, Any] = {}  # of the companion
        self._objects: list[dict[str, Any]] = []  # on the canvas
        self._live: list[dict[str, Any]] = []  # strokes that the canvas has not reported yet
        self._begun = self._sequence = 0
        self._last_sent = 0.0
        self._changed = False
        self._timer: asyncio.TimerHandle | None = None
        self._sent: list[tuple[str, int, float]] = []  # which number the answer must have reached, and when it was sent

    async def __aenter__(self) -> Self:
        await super().__aenter__()
        await self.until(lambda: self._data)
        self._sequence = self._data["sequence"]
        self._exit.callback(lambda: self._timer and self._timer.cancel())
        return self

    async def draw(self, points: Sequence[Point], seconds: float) -> None:
        """Draw a stroke, evenly over these seconds, and wait until the canvas has reported it (not for the answer)."""
        self._begun += 1
        stroke = {"number": self._begun, "points": [], "ended": False}
        stroke |= {name: self._data[name] for name in ("width", "colour")}
        self._live.append(stroke)
        started = perf_counter()
        for position, point in enumerate(points):
            await asyncio.sleep(started + seconds * position / len(points) - perf_counter())
            stroke["points"].append(point)
            self._mark_changed()
        await asyncio.sleep(started + seconds - perf_counter())
        stroke["ended"] = True
        self._mark_changed()
        await asyncio.sleep(REPORT_SECONDS)
        self._objects.append(_fabric_path(stroke))
        self.num_reports += 1
        self._sent.append(("reported", self.num_reports, perf_counter()))
        raw = {"version": "7.0.0", "objects": self._objects, "background": "#000000"}
        self.set_value(CANVAS, json_value=json.dumps({"drawing": {"raw": raw, "data": None}}))

    @property
    def num_unanswered(self) -> int:
        """How many finished strokes still wait for their answer."""
        return sum(name == "reported" for name, _, _ in self._sent)

    def take_element(self, name: str, element: Any) -> None:
        if name == "bidi_component" and element.id.endswith(f"-{COMPANION}"):
            self._data = json.loads(element.json or element.mixed.json)
            self._live = [stroke for stroke in self._live if stroke["number"] > self._data["reported"]]
            self._send_when_due()

    def take_answer(self) -> None:
        now, unanswered = perf_counter(), []
        for name, number, since in self._sent:
            if self._data[name] < number:
                unanswered.append((name, number, since))
            else:
                (self.finished if name == "reported" else self.in_stroke).append(now - since)
        self._sent = unanswered

    def _mark_changed(self) -> None:
        self._changed = True
        self._send_when_due()

    def _send_when_due(self) -> None:
        """As the companion does: soon after the answer to the last message, or a while after that was sent."""
        if self._timer:
            self._timer.cancel()
        if not self._changed:
            return
        answered = self._data["sequence"] >= self._sequence
        wait = self._last_sent + (MIN_INTERVAL if answered else MAX_INTERVAL) - perf_counter()
        if wait > 0:
            self._timer = asyncio.get_running_loop().call_later(wait, self._send_when_due)
            return
        self._changed, self._last_sent = False, perf_counter()
        self._sequence += 1
        if self._live:  # the canvas's report comes before the rest
            self._sent.append(("sequence", self._sequence, self._last_sent))
        message = {
            "revision": self._data["revision"],
            "sequence": self._sequence,
            "begun": self._begun,
            "strokes": self._live,
        }
        self.set_value(COMPANION, json_value=json.dumps({"message": message}))


def _fabric_path(stroke: dict[str, Any]) -> dict[str, Any]:
    """The stroke as the canvas reports it."""
    points = stroke["points"] if len(stroke["points"]) > 1 else 2 * stroke["points"]
    curves = [["Q", x, y, (x + to_x) / 2, (y + to_y) / 2] for (x, y), (to_x, to_y) in pairwise(points)]
    left, top = (min(values) for values in zip(*points, strict=True))
    right, bottom = (max(values) for values in zip(*points, strict=True))
    return {
        **{"type": "Path", "version": "7.0.0", "originX": "left", "originY": "top", "left": left, "top": top},
        **{"width": right - left, "height": bottom - top, "fill": None, "stroke": stroke["colour"]},
        **{"strokeWidth": stroke["width"], "strokeDashArray": None, "strokeLineCap": "round", "strokeDashOffset": 0},
        **{"strokeLineJoin": "round", "strokeUniform": False, "strokeMiterLimit": 10, "scaleX": 1, "scaleY": 1},
        **{"angle": 0, "flipX": False, "flipY": False, "opacity": 1, "shadow": None, "visible": True},
        **{"backgroundColor": "", "fillRule": "nonzero", "paintFirst": "fill", "skewX": 0, "skewY": 0},
        **{"globalCompositeOperation": "source-over", "path": [["M", *points[0]], *curves, ["L", *points[-1]]]},
    }


class Trainee(Visitor):
    """Somebody on the Train page. ``begun_at`` and ``done_at`` are when the page first showed that its training, or its
    waiting for one, had begun, and that it was over."""

    path = "train"

    def __init__(self, server: Server) -> None:
        super().__init__(server)
        self.progress = ""  # the line above the progress bar
        self.begun_at = self.done_at = None
        self._pressed = False

    async def set_epochs(self, epochs: int) -> None:
        self.set_value("Epochs", int_value=epochs)
        self._is_idle = False
        await self.until(lambda: self._is_idle)

    async def until_measured(self) -> None:
        """Wait until the page has no more timers: it has measured how long an epoch takes."""
        with suppress(TimeoutError):
            await self.until(lambda: not self._timers, 20)

    async def start(self) -> float:
        """Press Start, wait until the page shows its effect, and return the seconds that it took; infinity if it did not."""
        pressed_at, self._pressed = perf_counter(), True
        self.click("Start")
        with suppress(TimeoutError):
            await self.until(lambda: self.begun_at)
        return (self.begun_at or math.inf) - pressed_at

    async def pause(self) -> int:
        """Pause the training, and return its step."""
        self.click("Pause")
        await self.until(lambda: "paused at step" in self.progress)
        found = re.search(r"step ([\d,]+)", self.progress)
        return int(found[1].replace(",", "")) if found else 0

    async def stop(self) -> None:
        self.click("Stop")
        await self.until(lambda: self.done_at)

    def resume(self) -> None:
        self.progress = ""
        self.click("Resume")

    def take_element(self, name: str, element: Any) -> None:
        shows_run = name == "progress"
        if shows_run:
            self.progress = element.text
            if re.search(r" · \w+ after ", element.text):  # "finished after 5 s"
                self.done_at = self.done_at or perf_counter()
        elif name == "button":
            shows_run = element.label == "Pause" or (element.label == "Stop" and not element.disabled)
        if shows_run and self._pressed:
            self.begun_at = self.begun_at or perf_counter()


class Teacher(Visitor):
    """Somebody who has opened a collection on the page Class, and shows its wall. ``code`` is that of the collection."""

    path = "class"
    code = ""

    async def __aenter__(self) -> Self:
        await super().__aenter__()
        self.click("Open a collection")
        await self.until(lambda: self.code and self._timers)
        return self

    def take_element(self, name: str, element: Any) -> None:
        if name == "html" and (found := re.search(r"inkling-class-code\">(\w{4})-(\w{4})<", element.body)):
            self.code = found[1] + found[2]


class Donor(Visitor):
    """A phone in a collection. ``given`` are the seconds from pressing Next until the phone says that a drawing was kept."""

    path = "class"
    canvas = "donate-canvas"

    def __init__(self, server: Server, code: str) -> None:
        super().__init__(server)
        self._query = f"c={code}"
        self.given: list[float] = []
        self._num_kept = 0

    async def __aenter__(self) -> Self:
        await super().__aenter__()
        self.click("I agree: let me draw")
        await self.until(lambda: "Next" in self.widgets and self.canvas in self.widgets and self._is_idle)
        return self

    async def give(self, points: Sequence[Point]) -> None:
        """Draw a stroke, press Next, and wait until it is kept."""
        stroke = {"points": points, "colour": "#FFFFFF", "width": 18}
        raw = {"version": "7.0.0", "objects": [_fabric_path(stroke)], "background": "#000000"}
        self.set_value(self.canvas, json_value=json.dumps({"drawing": {"raw": raw, "data": None}}))
        await asyncio.sleep(REPORT_SECONDS)
        before, pressed_at = self._num_kept, perf_counter()
        self.click("Next")
        await self.until(lambda: self._num_kept > before)
        self.given.append(perf_counter() - pressed_at)

    def take_element(self, name: str, element: Any) -> None:
        if name == "html" and (found := re.search(r"inkling-total\"><b>(\d+) drawing", element.body)):
            self._num_kept = int(found[1])
