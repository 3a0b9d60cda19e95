"""What the server does besides the pages: from its start to its end, and which requests it answers.

It answers those to a name in ``server.allowedHosts``, made by the app's own pages. Otherwise a page anywhere that points
its own name at this machine (DNS rebinding) could use the app. Streamlit checks the names only for its websocket.
"""

import asyncio
import logging
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

import streamlit as st
from starlette.datastructures import Headers
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.responses import JSONResponse, PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from starlette.websockets import WebSocketClose

from engine.checks import InklingError
from engine.jobs import default_pool
from engine.memory import keep_little_memory, return_memory
from ui import PATHS, compat, studies
from ui.server_status import status_in_log
from ui.workspace import CLEAN_EVERY, workspaces

FORGET_EVERY = 15.0  # seconds between two looks for sessions that have ended
MAX_UPLOADS = 10  # of the largest size, in memory at once

log = logging.getLogger(__name__)


@asynccontextmanager
async def lifespan(_: st.App) -> AsyncIterator[None]:
    """Open the store and start the worker processes before the first visitor comes; at the end, save what is new."""
    try:
        workspaces()
    except InklingError as error:  # to be mended, or started again when the database is there
        sys.stderr.write(f"Inkling cannot start: {error}\n")
        os._exit(1)
    keep_little_memory()
    compat.send_at_once()
    tasks = [asyncio.create_task(forget_sessions()), asyncio.create_task(clean_sweeps())]
    with status_in_log(trainings):
        yield
    for task in tasks:
        task.cancel()
    workspaces().close()
    default_pool().close()


async def forget_sessions() -> None:
    """Again and again, give back the memory of the sessions whose browsers have gone for good."""
    while True:
        await asyncio.sleep(FORGET_EVERY)
        try:
            if compat.forget_sessions():
                await asyncio.to_thread(return_memory)
        except Exception:
            log.exception("sessions that have ended were not forgotten")


async def clean_sweeps() -> None:
    """Again and again, delete the sweeps of workspaces that have expired."""
    while studies.is_installed():
        await asyncio.sleep(CLEAN_EVERY)
        try:
            await asyncio.to_thread(studies.clean)
        except Exception:
            log.warning("old sweeps were not deleted", exc_info=True)


def trainings() -> str:
    """How many trainings there are, for the log."""
    running, waiting = default_pool().counts()
    return f"{running} training{'s' * (running != 1)}, {waiting} waiting"


def middleware() -> list[Middleware]:
    """For ``st.App``: refuse unknown names, other sites' websockets, uploads without room, and late requests."""
    hosts = [f"[{name}]" if ":" in name else name for name in st.get_option("server.allowedHosts")] or ["*"]  # [IPv6]
    return [
        Middleware(TrustedHostMiddleware, allowed_hosts=hosts, www_redirect=False),
        Middleware(OwnPagesOnly),
        Middleware(LimitedUploads),
        Middleware(CurrentPageOnly),
        Middleware(AddressOfPages),
    ]


class OwnPagesOnly:
    """Refuse a websocket whose Origin is neither the Host nor in ``server.corsAllowedOrigins``.

    Streamlit refuses it too, but first asks another machine for this one's address, and all visitors wait for the answer.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket" and _is_foreign(Headers(scope=scope)):
            await WebSocketClose(1008)(scope, receive, send)  # policy violation
        else:
            await self.app(scope, receive, send)


def _is_foreign(headers: Headers) -> bool:
    origin = headers.get("origin")
    if origin is None:  # not a browser
        return False
    return urlsplit(origin).netloc != headers.get("host") and origin not in st.get_option("server.corsAllowedOrigins")


class LimitedUploads:
    """Refuse an upload if, with the other ones of its session or of all, it takes too much memory.

    Streamlit limits one file. It keeps all files of a session until the session ends, unless a page drops them. An upload
    that is being received counts with the length that it announces, or else as the largest that is allowed.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app
        self._receiving: list[tuple[str, int]] = []  # the session and size of each upload that is being received

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] != "PUT":
            return await self.app(scope, receive, send)
        *_, session, _ = ["", "", *scope["path"].split("/")]
        limit = 1_000_000 * st.get_option("server.maxUploadSize")
        length = Headers(scope=scope).get("content-length", "")
        upload = session, min(int(length), limit) if length.isdecimal() else limit
        of_session, of_all = compat.upload_bytes(session)
        receiving = [*self._receiving, upload]
        of_session += sum(size for other, size in receiving if other == session)
        of_all += sum(size for _, size in receiving)
        if of_session > limit or of_all > MAX_UPLOADS * limit:
            response = PlainTextResponse("too many files were uploaded at once: try again in a minute", 413)
            return await response(scope, receive, send)
        self._receiving.append(upload)
        try:
            await self.app(scope, receive, send)
        finally:
            self._receiving.remove(upload)


class CurrentPageOnly:
    """Drop a request to run a fragment of a page that the visitor has just left by a link.

    The canvas reports a stroke some time after it has ended, and a fragment runs again by a timer. Such a request may leave
    the browser before the new page has arrived there. Streamlit would then go back to the old page, or show an empty one.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "websocket":
            return await self.app(scope, receive, send)
        page = left_page = ""

        async def receive_current() -> Message:
            nonlocal page, left_page
            while True:
                message = await receive()
                request = compat.run_request(message.get("bytes") or b"")
                if request is None:
                    return message
                if request.is_fragment and request.page == left_page != "":
                    continue
                if request.page != page:
                    left_page = page if request.is_page_link else ""  # otherwise the server has changed the page
                    page = request.page
                elif not request.is_page_link:  # the browser shows the new page, so it sends nothing of the old one any more
                    left_page = ""
                return message

        await self.app(scope, receive_current, send)


class AddressOfPages:
    """Answer a page that asks whether the app's address is the page's own; without an answer the browser reports errors.

    A page opened at ``/train`` tries ``/train`` first, and then the address above it. It takes no configuration, ``null``,
    for a no: with a real one it would take ``/train/train`` for the address of the page.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["path"] in self.paths():
            await JSONResponse(None)(scope, receive, send)
        else:
            await self.app(scope, receive, send)

    @staticmethod
    def paths() -> list[str]:
        """What the pages ask for, from the root of the server."""
        base = compat.base_path()
        return [f"{base}/{page}/_stcore/{name}" for page in PATHS.values() for name in ("health", "host-config")]
