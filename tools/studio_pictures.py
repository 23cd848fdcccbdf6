"""Make the pictures of docs/studio.md: ``python tools/studio_pictures.py docs --runs RUNS``.

It opens the studio in Chromium as a user does, with the portrait of a person who does not exist. RUNS is a folder with
runs of computed faces; the two that went on last have pictures of the same names. It needs what ``make browser``
installs.
"""

import argparse
import shutil
import signal
import socket
import subprocess
import sys
import time
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from PIL import Image
from playwright.sync_api import sync_playwright

from palsykit import load

WIDTH, PATIENCE = 1100, 600_000
"""px of the page; ms for a step."""
PALSY: dict[str, Any] = {"side": "left", "severity": 5}
SMILE = 5
"""Number of the full smile among the expressions."""
TABS = {"photograph": "Photograph", "data": "Data set", "runs": "Runs", "measure": "Measure"}
"""Name of a picture -> the tab that it shows."""


def photographs(portrait: Path, folder: Path) -> list[str]:
    """The portrait at rest and with a full smile, named by what they show."""
    model = load()
    shutil.copy(portrait, folder / "rest.jpg")
    smile = model.generate(identity=portrait, expression="smile_full", **PALSY)
    smile.save(folder / "smile_full.jpg", quality=95)
    return [str(folder / name) for name in ("rest.jpg", "smile_full.jpg")]


def wait_for(page: Any, where: str, words: str) -> None:
    """Wait until a line of the page says so."""
    page.locator(f"{where} [role=status]").filter(has_text=words).wait_for()


def fill_photograph(page: Any, files: list[str]) -> None:
    """One synthesis, grade VI."""
    page.set_input_files("#photograph input[type=file]", files[0])
    wait_for(page, "#found-status", "Face found")
    page.locator("#grade input[type=number]").fill("6")
    page.locator("#grade input[type=number]").press("Enter")
    page.click("#make")
    wait_for(page, "#status", "Done.")


def fill_data(page: Any, files: list[str]) -> None:
    """Rest and full smile, grades I, IV and VI."""
    page.set_input_files("#people input[type=file]", files[0])
    page.locator("#people td.filename").wait_for()
    page.locator("#data-grades").get_by_label("VI", exact=True).check()
    page.click("#data-start")
    wait_for(page, "#data-status", "Done.")


def choose(page: Any, where: str, number: int) -> None:
    """Choose from a menu."""
    page.locator(f"{where} input").click()
    page.locator(f"{where} [role=option]").nth(number).click()


def fill_runs(page: Any, files: list[str]) -> None:
    """The two runs that are named first, picture by picture."""
    for number, place in enumerate(("#run", "#other-run")):
        choose(page, place, number)
    page.locator("#run-slider img").first.wait_for()
    choose(page, "#run-picture", SMILE)
    page.wait_for_timeout(2000)


def fill_measure(page: Any, files: list[str]) -> None:
    """Two photographs of one person."""
    page.set_input_files("#measure-files input[type=file]", files)
    page.locator("#measure-files td.filename").nth(1).wait_for()
    page.click("#measure-start")
    wait_for(page, "#measure-status", "Photographs measured: 2.")


def shoot(address: str, files: list[str], folder: Path, chosen: list[str]) -> None:
    """A picture of each tab, as long as the page."""
    fill = {"photograph": fill_photograph, "data": fill_data, "runs": fill_runs, "measure": fill_measure}
    with sync_playwright() as started:
        chromium = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))))
        browser = started.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        for name in chosen:
            page = browser.new_context(locale="en-GB", viewport={"width": WIDTH, "height": 700}).new_page()
            page.set_default_timeout(PATIENCE)
            page.goto(f"{address}/en/")
            page.wait_for_selector("#photograph")
            page.get_by_role("tab", name=TABS[name]).click()
            page.wait_for_timeout(2000)
            fill[name](page, files)
            page.evaluate("scrollTo(0, document.body.scrollHeight)")  # pictures are loaded when they come into view
            page.wait_for_timeout(3000)
            with Image.open(BytesIO(page.screenshot(full_page=True))) as picture:
                picture.convert("RGB").save(folder / f"studio-{name}.jpg", quality=88)
            page.context.close()
        browser.close()


def main() -> None:
    """Start a studio, take the pictures, stop it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--runs", type=Path, required=True)
    parser.add_argument("--tabs", default=",".join(TABS))
    options = parser.parse_args()
    with socket.socket() as bound, TemporaryDirectory() as work:
        bound.bind(("127.0.0.1", 0))
        port = bound.getsockname()[1]
        bound.close()
        files = photographs(options.folder / "portrait.jpg", Path(work))
        command = [sys.executable, "-m", "palsykit", "studio", "--no-open", "--port", str(port)]
        server = subprocess.Popen([*command, "--runs", options.runs.name], cwd=options.runs.absolute().parent)
        try:
            for _ in range(PATIENCE // 1000):
                with socket.socket() as tried:
                    if tried.connect_ex(("127.0.0.1", port)) == 0:
                        break
                time.sleep(1)
            shoot(f"http://127.0.0.1:{port}", files, options.folder, options.tabs.split(","))
        finally:
            server.send_signal(signal.SIGINT)
            server.wait(60)


if __name__ == "__main__":
    main()
