"""The server: a page in each language under its own address, behind the guard, on one port."""

import threading
import webbrowser
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from secrets import compare_digest
from typing import Any

import gradio as gr
import uvicorn
from fastapi import FastAPI
from fastapi.responses import RedirectResponse, Response
from starlette.requests import Request

from palsykit_studio.engine import Engine
from palsykit_studio.guard import Guard
from palsykit_studio.page import CSS, build_page, theme
from palsykit_studio.runs import Runs
from palsykit_studio.sessions import Sessions
from palsykit_studio.studio import Studio
from palsykit_studio.texts import Texts, languages, preferred

MOST_FILE = 60_000_000
"""Bytes of one upload."""
MOST_REQUEST = 10 * MOST_FILE
"""Bytes of one request, which may hold several files."""


@dataclass(frozen=True)
class Settings:
    """How the studio was started.

    Attributes:
        run: a run's folder, or the name of a shipped model.
        host: the address to listen on.
        port: likewise.
        password: what a browser is asked for; None for nothing.
        language: of the first page; None: the browser's.
        runs: folder of the runs that are shown.
        folder: for uploads and results; deleted by the command.
        local: only this machine's own names are answered.
        open_browser: open the page here.
    """

    run: str
    host: str
    port: int
    password: str | None
    language: str | None
    runs: Path
    folder: Path
    local: bool
    open_browser: bool = False


def make_app(settings: Settings) -> Any:
    """The ASGI application."""
    engine = Engine(settings.run)
    studio = Studio(engine, Sessions(settings.folder / "sessions"), Runs(settings.runs))
    app = FastAPI(title="palsykit studio", docs_url=None, redoc_url=None, openapi_url=None)

    def first(request: Request) -> Any:
        chosen = settings.language or preferred(request.headers.get("accept-language", ""))
        return RedirectResponse(f"/{chosen}/")

    app.get("/")(first)
    app.get("/favicon.ico")(lambda: Response(status_code=204))  # asked for by browsers; there is none

    for code in languages():
        texts = Texts(code)
        app = gr.mount_gradio_app(
            app, build_page(studio, texts), path=f"/{code}", auth=password_check(settings.password),
            auth_message=texts("login"), max_file_size=MOST_FILE, run_history=False, footer_links=[], show_error=False,
            ssr_mode=False, pwa=False, mcp_server=False, enable_monitoring=False, theme=theme(), css=CSS,
        )  # fmt: skip
    return Guard(app, local=settings.local, most_bytes=MOST_REQUEST)


def password_check(password: str | None) -> Callable[[str, str], bool] | None:
    """What compares a password, in a time that does not depend on where it differs; None if none is asked for."""
    if password is None:
        return None
    wanted = password.encode()
    return lambda user, given: compare_digest(given.encode(), wanted)


def serve(settings: Settings) -> None:
    """Answer until Ctrl-C."""
    app = make_app(settings)
    config = uvicorn.Config(
        app, host=settings.host, port=settings.port, log_level="warning", access_log=False, server_header=False,
        timeout_graceful_shutdown=3,
    )  # fmt: skip
    if settings.open_browser:
        name = f"[{settings.host}]" if ":" in settings.host else settings.host
        threading.Timer(2.0, webbrowser.open, [f"http://{name}:{settings.port}/"]).start()
    uvicorn.Server(config).run()
