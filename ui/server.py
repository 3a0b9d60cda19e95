"""What the server does besides the pages: from its start to its end, and which requests it answers.

It answers those to a name in ``server.allowedHosts``, made by the app's own pages. Otherwise a page anywhere that points
its own name at this machine (DNS rebinding) could use the app. Streamlit checks the names only for its websocket.
"""

import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

import streamlit as st
from starlette.datastructures import Headers
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send
from starlette.websockets import WebSocketClose

from engine.checks import InklingError
from engine.jobs import default_pool
from ui import compat
from ui.server_status import status_in_log
from ui.workspace import workspaces

MAX_UPLOADS = 10  # of the largest size, in memory at once


@asynccontextmanager
async def lifespan(_: st.App) -> AsyncIterator[None]:
    """Open the store and start the worker processes before the first visitor comes; at the end, save what is new."""
    try:
        workspaces()
    except InklingError as error:  # to be mended, or started again when the database is there
        sys.stderr.write(f"Inkling cannot start: {error}\n")
        os._exit(1)
    compat.send_at_once()
    with status_in_log(trainings):
        yield
    workspaces().close()
    default_pool().close()


def trainings() -> str:
    """How many trainings there are, for the log."""
    running, waiting = default_pool().counts()
    return f"{running} training{'s' * (running != 1)}, {waiting} waiting"


def middleware() -> list[Middleware]:
    """For ``st.App``: refuse unknown names, websockets that other sites open, and uploads that there is no room for."""
    hosts = [f"[{name}]" if ":" in name else name for name in st.get_option("server.allowedHosts")] or ["*"]  # [IPv6]
    return [
        Middleware(TrustedHostMiddleware, allowed_hosts=hosts, www_redirect=False),
        Middleware(OwnPagesOnly),
        Middleware(LimitedUploads),
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
    """Refuse an upload while earlier ones, of its session or of all, take too much memory.

    Streamlit limits one file. It keeps all files of a session until the session ends, unless a page drops them.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["method"] == "PUT":
            *_, session, _ = ["", "", *scope["path"].split("/")]
            limit = 1_000_000 * st.get_option("server.maxUploadSize")
            of_session, of_all = compat.upload_bytes(session)
            if of_session >= limit or of_all >= MAX_UPLOADS * limit:
                response = PlainTextResponse("too many files were uploaded at once: try again in a minute", 413)
                return await response(scope, receive, send)
        await self.app(scope, receive, send)
