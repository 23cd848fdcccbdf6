"""The studio in a real browser: from a photograph to a downloaded, measured palsy, and what is refused.

They need the extra ``studio``, playwright and Chromium (``make browser``), and are skipped where one is missing.
"""

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from palsykit.photographs.mark import read_mark

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
if CHROMIUM is None:
    pytest.skip("found no Chromium on the PATH", allow_module_level=True)
pytest.importorskip("gradio", reason="the extra studio is not installed")
playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")

pytestmark = pytest.mark.browser

PASSWORD = "iris-11.77"
OPTIONS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
           "--disable-background-networking", "--disable-component-update", "--disable-sync"]  # fmt: skip
GRADIOS = '<button class="icon-button'
"""How the one serious fault begins that Gradio 6.31 has itself: the button for further files is inside another one."""
PATIENCE = 300_000
"""ms that a step may take; a synthesis takes seconds, and much longer on a machine that does other things."""


def free_port() -> int:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        return int(bound.getsockname()[1])


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A studio with the small shipped model, in a process of its own, with a password."""
    port, folder = free_port(), tmp_path_factory.mktemp("studio")
    command = [sys.executable, "-m", "palsykit", "studio", "cfcpalsy-64", "--no-open", "--port", str(port)]
    told = {"PALSYKIT_STUDIO_PASSWORD": PASSWORD, "TMPDIR": str(folder)}
    with (folder / "log").open("w") as log:
        server = subprocess.Popen(command, env=os.environ | told, stdout=log, stderr=log, cwd=folder)
    try:
        wait_for(f"http://127.0.0.1:{port}/en/login", server, folder / "log")
        yield f"http://127.0.0.1:{port}"
    finally:
        server.send_signal(signal.SIGINT)
        server.wait(60)
    assert list(folder.glob("palsykit-studio-*")) == [], "uploads are deleted at the end"


def wait_for(url: str, server: "subprocess.Popen[bytes]", log: Path) -> None:
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
def browser() -> Iterator[Any]:
    with playwright.sync_playwright() as started:
        opened = started.chromium.launch(executable_path=CHROMIUM, headless=True, args=OPTIONS)
        yield opened
        opened.close()


@pytest.fixture(scope="module")
def asked() -> list[str]:
    """Every address that any page asked for."""
    return []


@pytest.fixture(scope="module")
def visit(browser: Any, address: str, asked: list[str]) -> Callable[..., Any]:
    """Opens the studio as a new user who knows the password."""

    def opened(language: str = "en", **options: Any) -> Any:
        page = browser.new_context(locale="en-GB", **options).new_page()
        page.set_default_timeout(PATIENCE)
        page.on("request", lambda request: asked.append(request.url))
        page.goto(f"{address}/{language}/")
        log_in(page, PASSWORD)
        page.wait_for_selector("#photograph")
        return page

    return opened


@pytest.fixture(scope="module")
def page(visit: Callable[..., Any], portrait: Path) -> Any:
    """A page with the portrait's face found."""
    opened = visit()
    upload(opened, portrait)
    says(opened, "#found-status", "Face found")
    return opened


def log_in(page: Any, password: str) -> None:
    page.wait_for_selector("input[type=password]")
    page.locator("input").first.fill("somebody")
    page.locator("input[type=password]").fill(password)
    page.locator("button").first.click()


def upload(page: Any, file: Path, where: str = "#photograph") -> None:
    page.set_input_files(f"{where} input[type=file]", str(file))


def go(page: Any, tab: str) -> None:
    """Open a tab, and let it come to life: what a script chooses in its first moment is not heard."""
    page.get_by_role("tab", name=tab).click()
    page.wait_for_timeout(2000)


def says(page: Any, where: str, words: str) -> str:
    """Wait until a line of the page has these words; the whole line."""
    return str(page.locator(f"{where} [role=status], {where} [role=alert]").filter(has_text=words).inner_text())


def made(page: Any, folder: Path) -> Path:
    """Synthesise, wait, download."""
    page.evaluate("document.querySelector('#status [role=status]')?.remove()")
    page.click("#make")
    says(page, "#status", "Done.")
    with page.expect_download() as download:
        page.click("#download")
    file = folder / download.value.suggested_filename
    download.value.save_as(file)
    return file


def test_a_wrong_password_opens_nothing(browser: Any, address: str) -> None:
    page = browser.new_context().new_page()
    page.set_default_timeout(PATIENCE)
    page.goto(f"{address}/en/")
    log_in(page, "wrong")
    page.get_by_text("Incorrect Credentials").wait_for()
    assert page.locator("#photograph").count() == 0
    assert page.request.get(f"{address}/en/config").status == 401


def test_a_newcomer_gets_a_measured_palsy_whose_file_says_what_it_is(page: Any, tmp_path: Path) -> None:
    file = made(page, tmp_path)
    mark = read_mark(file)
    assert mark is not None
    assert (mark["expression"], mark["side"], mark["severity"]) == ("smile_full", "left", 4.0)
    with Image.open(file) as picture:
        assert picture.size == (900, 700)
    assert page.locator("#slider img").count() >= 2
    assert "mouth corner below eyes" in page.inner_text("#compared")


def test_a_dial_changes_the_picture(page: Any, tmp_path: Path) -> None:
    one = made(page, tmp_path).read_bytes()
    page.get_by_role("button", name="Finer dials").click()
    page.locator("#own").get_by_label("mouth").check()
    page.locator("#mouth input[type=number]").fill("-8")
    page.locator("#mouth input[type=number]").press("Enter")
    file = made(page, tmp_path)
    mark = read_mark(file)
    assert mark is not None
    assert mark["dials"] == {"mouth": "-8mm"}
    assert file.read_bytes() != one
    page.locator("#own").get_by_label("mouth").uncheck()


def test_a_row_can_be_stopped_and_the_page_works_on(page: Any, tmp_path: Path) -> None:
    page.click("#row")
    says(page, "#status", "of 6 pictures")
    page.click("#stop")
    says(page, "#status", "Stopped.")
    assert page.locator("#shown-sheet img").count() == 0
    assert made(page, tmp_path).is_file()


@pytest.mark.parametrize(
    ("name", "reason"),
    [("wall.png", "found no face in 300 x 200 px"), ("letter.jpg", "cannot be read as a picture"),
     ("bomb.png", "expected at most 50 megapixels")],
)  # fmt: skip
def test_what_cannot_be_used_is_refused_on_the_page(
    visit: Callable[..., Any], tmp_path: Path, name: str, reason: str
) -> None:
    Image.new("RGB", (300, 200), "grey").save(tmp_path / "wall.png")
    Image.new("1", (7200, 7200)).save(tmp_path / "bomb.png")
    (tmp_path / "letter.jpg").write_text("Dear colleague")
    page = visit()
    upload(page, tmp_path / name)
    words = says(page, "#found-status", reason)
    assert words.startswith("This photograph cannot be used.")
    page.click("#make")
    says(page, "#status", "First choose a photograph")
    page.context.close()


def test_of_several_faces_the_user_chooses(visit: Callable[..., Any], pair: Path, tmp_path: Path) -> None:
    page = visit()
    upload(page, pair)
    says(page, "#found-status", "found 2 faces")
    page.locator("#face").get_by_label("2").check()
    page.locator("#found-status").filter(has_not_text="found 2 faces").get_by_text("Face found").wait_for()
    with Image.open(pair) as before, Image.open(made(page, tmp_path)) as after:
        left = (0, 0, 900, before.height)
        assert before.crop(left).tobytes() == after.convert("RGB").crop(left).tobytes()
        assert before.tobytes() != after.convert("RGB").tobytes()
    page.context.close()


def test_a_file_of_30_mb_is_read_and_one_of_61_mb_is_not(
    visit: Callable[..., Any], portrait: Path, tmp_path: Path
) -> None:
    """A file may have 60 MB: what a camera writes fits, and a picture is as good with anything behind its end."""
    page = visit()
    for mb, name in ((61, "huge.jpg"), (30, "large.jpg")):
        (tmp_path / name).write_bytes(portrait.read_bytes() + b"\0" * (mb * 1_000_000))
    upload(page, tmp_path / "huge.jpg")
    page.get_by_text("maximum").first.wait_for()
    assert page.locator("#found-status").inner_text() == ""
    page.context.close()
    page = visit()
    upload(page, tmp_path / "large.jpg")
    says(page, "#found-status", "Face found, 900")
    page.context.close()


def test_pictures_that_unpack_to_gigabytes_are_left_out_of_a_set(
    visit: Callable[..., Any], portrait: Path, tmp_path: Path
) -> None:
    """Small files of 20,000 x 20,000 px each, beside a photograph that can be used."""
    names = [f"bomb{number}.png" for number in range(3)]
    for name in names:
        Image.new("1", (20_000, 20_000)).save(tmp_path / name)
    shutil.copy(portrait, tmp_path / "rest.jpg")
    page = visit()
    go(page, "Measure")
    page.set_input_files("#measure-files input[type=file]", [str(tmp_path / name) for name in (*names, "rest.jpg")])
    page.get_by_text("bomb2.png").first.wait_for()
    page.click("#measure-start")
    words = says(page, "#measure-status", "Photographs measured: 1.")
    assert words.count("expected at most 50 megapixels") == 3
    page.context.close()


def test_the_german_page_says_it_in_german(visit: Callable[..., Any], tmp_path: Path) -> None:
    Image.new("RGB", (300, 200), "grey").save(tmp_path / "wand.png")
    page = visit("de")
    upload(page, tmp_path / "wand.png")
    assert "Es wurde kein Gesicht gefunden." in says(page, "#found-status", "Dieses Foto kann nicht verwendet werden.")
    page.context.close()


def test_two_users_at_once_get_their_own_pictures(visit: Callable[..., Any], portrait: Path, tmp_path: Path) -> None:
    pages = [visit(), visit()]
    for number, page in enumerate(pages):
        own = tmp_path / f"user{number}.jpg"
        shutil.copy(portrait, own)
        upload(page, own)
    for page in pages:
        says(page, "#found-status", "Face found")
        page.locator("#side").get_by_label("right").check()
    for page in pages:
        page.click("#make")
    for number, page in enumerate(pages):
        says(page, "#status", "Done.")
        with page.expect_download() as download:
            page.click("#download")
        assert download.value.suggested_filename == f"user{number}-smile_full-right-4.png"
        page.context.close()


def test_several_photographs_are_a_table_and_a_csv(page: Any, portrait: Path, tmp_path: Path) -> None:
    shutil.copy(portrait, tmp_path / "rest.jpg")
    Image.new("RGB", (300, 200), "grey").save(tmp_path / "wall.png")
    go(page, "Measure")
    files = [str(tmp_path / name) for name in ("rest.jpg", "wall.png")]
    page.set_input_files("#measure-files input[type=file]", files)
    page.get_by_text("wall.png").first.wait_for()
    page.click("#measure-start")
    words = says(page, "#measure-status", "Photographs measured: 1.")
    assert "wall.png: found no face" in words
    assert "palpebral fissure left" in page.inner_text("#measure-table")
    with page.expect_download() as download:
        page.click("#measure-csv")
    assert "palpebral_fissure" in Path(download.value.path()).read_text(encoding="utf-8")
    go(page, "Photograph")


def test_a_data_set_is_a_zip(page: Any, portrait: Path) -> None:
    go(page, "Data set")
    upload(page, portrait, "#people")
    page.get_by_text("portrait.jpg").first.wait_for()
    page.locator("#data-grades").get_by_label("IV", exact=True).uncheck()
    page.click("#data-start")
    says(page, "#data-status", "Done. Pictures: 4, people: 1.")
    with page.expect_download() as download:
        page.click("#data-download")
    with zipfile.ZipFile(download.value.path()) as packed:
        assert "metadata.jsonl" in packed.namelist()
    go(page, "Photograph")


def test_axe_finds_no_serious_fault(page: Any) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe-playwright-python is not installed")
    serious = set()
    for tab in ("Data set", "Runs", "Measure", "Photograph"):
        go(page, tab)
        for fault in axe.Axe().run(page).response["violations"]:
            if fault["impact"] in ("serious", "critical"):
                serious |= {(tab, fault["id"], node["html"][:300]) for node in fault["nodes"]}
    ours = {one for one in serious if not (one[1] == "nested-interactive" and one[2].startswith(GRADIOS))}
    assert ours == set(), "\n".join(map(str, sorted(ours)))


def test_a_phone_scrolls_in_one_direction(visit: Callable[..., Any]) -> None:
    page = visit(viewport={"width": 390, "height": 844})
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    page.context.close()


def test_no_page_asked_another_machine(asked: list[str], address: str) -> None:
    assert len(asked) > 50
    assert [url for url in asked if not url.startswith((f"{address}/", "data:", "blob:"))] == []


def test_a_face_that_does_not_exist_needs_no_photograph(visit: Callable[..., Any], tmp_path: Path) -> None:
    page = visit()
    page.click("#person")
    says(page, "#found-status", "Face found, 512")
    mark = read_mark(made(page, tmp_path))
    assert mark is not None
    assert mark["synthetic"] is True
    page.context.close()
