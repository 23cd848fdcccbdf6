"""The small shipped model behind the studio's functions, and the studio itself in a real browser."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from palsykit_studio.engine import Engine
from palsykit_studio.photograph import Found, find

PORTRAIT = Path(__file__).parents[3] / "docs" / "portrait.jpg"
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
OPTIONS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
           "--disable-background-networking", "--disable-component-update", "--disable-sync"]  # fmt: skip
PASSWORD = "iris-11.77"
PATIENCE = 300_000
"""ms that a step may take; a synthesis takes seconds, and much longer on a machine that does other things."""


@pytest.fixture(scope="session")
def engine(one_cache: None) -> Engine:
    """The model for 64 px that ships with palsykit."""
    return Engine("cfcpalsy-64")


@pytest.fixture(scope="session")
def portrait() -> Path:
    """A photograph of a person who does not exist."""
    return PORTRAIT


@pytest.fixture(scope="session")
def pair(portrait: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A photograph with two faces: the portrait, and right of it the same at three quarters of its size."""
    with Image.open(portrait) as opened:
        both = Image.new("RGB", (opened.width * 7 // 4, opened.height), "lightgrey")
        both.paste(opened, (0, 0))
        both.paste(opened.resize((opened.width * 3 // 4, opened.height * 3 // 4)), (opened.width, 0))
    path = tmp_path_factory.mktemp("pair") / "pair.png"
    both.save(path)
    return path


@pytest.fixture(scope="session")
def found(engine: Engine, portrait: Path, tmp_path_factory: pytest.TempPathFactory) -> Found:
    """The portrait, its face found and measured."""
    return find(engine, portrait, tmp_path_factory.mktemp("found"))


class Window:
    """A page of the studio and what a user does with it; anything else is Playwright's page.

    Args:
        page: Playwright's.
    """

    def __init__(self, page: Any):
        self.page = page
        page.set_default_timeout(PATIENCE)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.page, name)

    def log_in(self, password: str) -> None:
        """Type any name and the password."""
        self.page.wait_for_selector("input[type=password]")
        self.page.locator("input").first.fill("visitor")
        self.page.locator("input[type=password]").fill(password)
        self.page.locator("button").first.click()

    def upload(self, *files: Path, where: str = "#photograph") -> None:
        """Choose files; a list of files shows the last one when they are there."""
        self.page.set_input_files(f"{where} input[type=file]", list(map(str, files)))
        if where != "#photograph":
            self.page.locator(f"{where} td.filename[aria-label='{files[-1].name}']").wait_for()

    def go(self, tab: str) -> None:
        """Open a tab, and let it come to life: what a script chooses in its first moment is not heard."""
        self.page.get_by_role("tab", name=tab).click()
        self.page.wait_for_timeout(2000)

    def turn(self, dial: str, value: str) -> None:
        """Type a dial's number."""
        self.page.locator(f"#{dial} input[type=number]").fill(value)
        self.page.locator(f"#{dial} input[type=number]").press("Enter")

    def says(self, where: str, words: str) -> str:
        """Wait until a line of the page has these words; the whole line."""
        lines = self.page.locator(f"{where} [role=status], {where} [role=alert]")
        return str(lines.filter(has_text=words).inner_text())

    def made(self, folder: Path) -> Path:
        """Synthesise, wait, download."""
        self.page.evaluate("document.querySelector('#status [role=status]')?.remove()")
        self.page.click("#make")
        self.says("#status", "Done.")
        self.page.wait_for_timeout(1000)  # the page moves to what was made
        return self.download("#download", folder)

    def download(self, button: str, folder: Path) -> Path:
        """Press a button that downloads a file; the file, in ``folder``."""
        with self.page.expect_download() as download:
            self.page.click(button)
        file = folder / str(download.value.suggested_filename)
        download.value.save_as(file)
        return file

    def close(self) -> None:
        """Leave."""
        self.page.context.close()


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that the studio is started in; its runs are in ``runs``."""
    return tmp_path_factory.mktemp("studio")


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """The system's Chromium; tests are skipped where it, the extra ``studio`` or playwright is missing."""
    if CHROMIUM is None:
        pytest.skip("found no Chromium on the PATH")
    pytest.importorskip("gradio", reason="the extra studio is not installed")
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    with playwright.sync_playwright() as started:
        opened = started.chromium.launch(executable_path=CHROMIUM, headless=True, args=OPTIONS)
        yield opened
        opened.close()


@pytest.fixture(scope="module")
def address(browser: Any, desk: Path) -> Iterator[str]:
    """A studio with the small shipped model, in a process of its own, with a password."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        port = int(bound.getsockname()[1])
    command = [sys.executable, "-m", "palsykit", "studio", "cfcpalsy-64", "--no-open", "--port", str(port)]
    told = {"PALSYKIT_STUDIO_PASSWORD": PASSWORD, "TMPDIR": str(desk)}
    with (desk / "log").open("w") as log:
        server = subprocess.Popen(command, env=os.environ | told, stdout=log, stderr=log, cwd=desk)
    try:
        _wait_for(f"http://127.0.0.1:{port}/en/login", server, desk / "log")
        yield f"http://127.0.0.1:{port}"
    finally:
        server.send_signal(signal.SIGINT)
        server.wait(60)
    assert list(desk.glob("palsykit-studio-*")) == [], "uploads are deleted at the end"


def _wait_for(url: str, server: "subprocess.Popen[bytes]", log: Path) -> None:
    for _ in range(PATIENCE // 1000):
        try:
            urllib.request.urlopen(url, timeout=20).close()
            return
        except urllib.error.HTTPError:
            return
        except OSError:
            assert server.poll() is None, log.read_text()
            time.sleep(1)
    raise AssertionError(log.read_text())


@pytest.fixture(scope="module")
def asked() -> list[str]:
    """Every address that any page asked for."""
    return []


@pytest.fixture(scope="module")
def knock(browser: Any, address: str, asked: list[str]) -> Callable[..., Window]:
    """Opens the studio's door as a new visitor."""

    def opened(language: str = "en", **options: Any) -> Window:
        page = browser.new_context(locale="en-GB", **options).new_page()
        page.on("request", lambda request: asked.append(request.url))
        window = Window(page)
        page.goto(f"{address}/{language}/")
        return window

    return opened


@pytest.fixture(scope="module")
def visit(knock: Callable[..., Window]) -> Callable[..., Window]:
    """Opens the studio as a new user who knows the password."""

    def opened(language: str = "en", **options: Any) -> Window:
        window = knock(language, **options)
        window.log_in(PASSWORD)
        window.page.wait_for_selector("#photograph")
        return window

    return opened


@pytest.fixture(scope="module")
def page(visit: Callable[..., Window], portrait: Path) -> Window:
    """A page with the portrait's face found."""
    opened = visit()
    opened.upload(portrait)
    opened.says("#found-status", "Face found")
    return opened
