"""The studio in a real browser: from a photograph to a downloaded, measured palsy, and what is refused.

They need the extra ``studio``, playwright and Chromium (``make browser``), and are skipped where one is missing. The
quickest ones are not marked as slow, so that ``make test`` runs them, too.
"""

import json
import shutil
import zipfile
from collections.abc import Callable
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from palsykit.photographs.mark import read_mark

pytestmark = pytest.mark.browser
slow = pytest.mark.slow

GRADIOS = '<button class="icon-button'
"""How the one serious fault begins that Gradio 6.31 has itself: the button for further files is inside another one."""


def test_a_wrong_password_opens_nothing(knock: Callable[..., Any], address: str) -> None:
    page = knock()
    page.log_in("wrong")
    page.get_by_text("Incorrect Credentials").wait_for()
    assert page.locator("#photograph").count() == 0
    assert page.request.get(f"{address}/en/config").status == 401
    page.close()


def test_a_newcomer_gets_a_measured_palsy_whose_file_says_what_it_is(page: Any, tmp_path: Path) -> None:
    file = page.made(tmp_path)
    mark = read_mark(file)
    assert mark is not None
    assert (mark["expression"], mark["side"], mark["severity"]) == ("smile_full", "left", 5.0)
    with Image.open(file) as picture:
        assert picture.size == (900, 700)
    assert page.locator("#slider img").count() >= 2
    page.wait_for_function("document.querySelector('#slider').getBoundingClientRect().bottom <= innerHeight + 1")
    assert "mouth corner below eyes" in page.inner_text("#compared")


@slow
def test_each_dial_changes_the_picture(page: Any, tmp_path: Path) -> None:
    made = {"as it opens": page.made(tmp_path).read_bytes()}
    page.get_by_role("button", name="Finer dials").click()
    for dial, usual, value in (("grade", "5", "2"), ("strength", "1", "0.5"), ("seed", "0", "7")):
        page.turn(dial, value)
        made[dial] = page.made(tmp_path).read_bytes()
        page.turn(dial, usual)
    for dial, value, marked in (
        ("brow", "-6", {"brow": "-6mm"}),
        ("eye", "5", {"eye": "5mm"}),
        ("mouth", "-8", {"mouth": "-8mm"}),
        ("synkinesis", "1", {"synkinesis_eye": 1.0, "synkinesis_mouth": 1.0}),
    ):
        page.locator("#own").get_by_label(dial).check()
        page.turn(dial, value)
        file = page.made(tmp_path)
        made[dial] = file.read_bytes()
        assert (read_mark(file) or {})["dials"] == marked
        page.locator("#own").get_by_label(dial).uncheck()
    page.locator("#side").get_by_label("right").check()
    made["side"] = page.made(tmp_path).read_bytes()
    page.locator("#expression input").click()
    page.get_by_role("option", name="brows raised").click()
    made["expression"] = page.made(tmp_path).read_bytes()
    same = [(one, two) for one, two in combinations(made, 2) if made[one] == made[two]]
    assert same == []


@slow
def test_a_row_can_be_stopped_and_the_page_works_on(page: Any, tmp_path: Path) -> None:
    page.click("#row")
    page.says("#status", "of 6 pictures")
    page.click("#stop")
    page.says("#status", "Stopped.")
    assert page.locator("#shown-sheet img").count() == 0
    assert page.made(tmp_path).is_file()


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("wall.png", "found no face in 300 x 200 px"),
        pytest.param("letter.jpg", "cannot be read as a picture", marks=slow),
        pytest.param("bomb.png", "expected at most 50 megapixels", marks=slow),
    ],
)
def test_what_cannot_be_used_is_refused_on_the_page(
    visit: Callable[..., Any], tmp_path: Path, name: str, reason: str
) -> None:
    Image.new("RGB", (300, 200), "grey").save(tmp_path / "wall.png")
    Image.new("1", (7200, 7200)).save(tmp_path / "bomb.png")
    (tmp_path / "letter.jpg").write_text("Dear colleague")
    page = visit()
    page.upload(tmp_path / name)
    words = page.says("#found-status", reason)
    assert words.startswith("This photograph cannot be used.")
    page.click("#make")
    page.says("#status", "First choose a photograph")
    page.close()


@slow
def test_of_several_faces_the_user_chooses(visit: Callable[..., Any], pair: Path, tmp_path: Path) -> None:
    page = visit()
    page.upload(pair)
    page.says("#found-status", "found 2 faces")
    page.locator("#face").get_by_label("2").check()
    page.locator("#found-status").filter(has_not_text="found 2 faces").get_by_text("Face found").wait_for()
    with Image.open(pair) as before, Image.open(page.made(tmp_path)) as after:
        left = (0, 0, 900, before.height)
        assert before.crop(left).tobytes() == after.convert("RGB").crop(left).tobytes()
        assert before.tobytes() != after.convert("RGB").tobytes()
    page.close()


@slow
def test_a_file_of_30_mb_is_read_and_one_of_61_mb_is_not(
    visit: Callable[..., Any], portrait: Path, tmp_path: Path
) -> None:
    """A file may have 60 MB: what a camera writes fits, and a picture is as good with anything behind its end."""
    page = visit()
    for mb, name in ((61, "huge.jpg"), (30, "large.jpg")):
        (tmp_path / name).write_bytes(portrait.read_bytes() + b"\0" * (mb * 1_000_000))
    page.upload(tmp_path / "huge.jpg")
    page.get_by_text("maximum").first.wait_for()
    assert page.locator("#found-status").inner_text() == ""
    page.close()
    page = visit()
    page.upload(tmp_path / "large.jpg")
    page.says("#found-status", "Face found, 900")
    page.close()


@slow
def test_pictures_that_unpack_to_gigabytes_are_left_out_of_a_set(
    visit: Callable[..., Any], portrait: Path, tmp_path: Path
) -> None:
    """Small files of 20,000 x 20,000 px each, in a ZIP, and beside a photograph that can be used."""
    names = [f"bomb{number}.png" for number in range(3)]
    Image.new("1", (20_000, 20_000)).save(tmp_path / names[0])
    for name in names[1:]:
        shutil.copy(tmp_path / names[0], tmp_path / name)
    shutil.copy(portrait, tmp_path / "rest.jpg")
    with zipfile.ZipFile(tmp_path / "bombs.zip", "w") as packed:
        for name in names:
            packed.write(tmp_path / name, name)
    page = visit()
    page.go("Measure")
    page.set_input_files("#measure-files input[type=file]", str(tmp_path / "bombs.zip"))
    page.get_by_text("Invalid file type: bombs.zip").wait_for()
    page.upload(*(tmp_path / name for name in (*names, "rest.jpg")), where="#measure-files")
    page.click("#measure-start")
    words = page.says("#measure-status", "Photographs measured: 1.")
    assert words.count("expected at most 50 megapixels") == 3
    page.close()


@slow
def test_the_german_page_says_it_in_german(visit: Callable[..., Any], tmp_path: Path) -> None:
    Image.new("RGB", (300, 200), "grey").save(tmp_path / "wand.png")
    page = visit("de")
    page.upload(tmp_path / "wand.png")
    assert "Es wurde kein Gesicht gefunden." in page.says("#found-status", "Dieses Foto kann nicht verwendet werden.")
    page.close()


@slow
def test_two_users_at_once_get_their_own_pictures(visit: Callable[..., Any], portrait: Path, tmp_path: Path) -> None:
    pages = [visit(), visit()]
    for number, page in enumerate(pages):
        own = tmp_path / f"user{number}.jpg"
        shutil.copy(portrait, own)
        page.upload(own)
    for page in pages:
        page.says("#found-status", "Face found")
        page.locator("#side").get_by_label("right").check()
    for page in pages:
        page.click("#make")
    for number, page in enumerate(pages):
        page.says("#status", "Done.")
        assert page.download("#download", tmp_path).name == f"user{number}-smile_full-right-5.png"
        page.close()


@slow
def test_several_photographs_are_a_table_and_a_csv(page: Any, portrait: Path, tmp_path: Path) -> None:
    shutil.copy(portrait, tmp_path / "rest.jpg")
    Image.new("RGB", (300, 200), "grey").save(tmp_path / "wall.png")
    page.go("Measure")
    page.upload(tmp_path / "rest.jpg", tmp_path / "wall.png", where="#measure-files")
    page.click("#measure-start")
    words = page.says("#measure-status", "Photographs measured: 1.")
    assert "wall.png: found no face" in words
    assert "palpebral fissure left" in page.inner_text("#measure-table")
    assert "palpebral_fissure" in page.download("#measure-csv", tmp_path).read_text(encoding="utf-8")
    page.go("Photograph")


@slow
def test_a_data_set_is_a_zip(page: Any, portrait: Path, tmp_path: Path) -> None:
    page.go("Data set")
    page.upload(portrait, where="#people")
    page.locator("#data-grades").get_by_label("IV", exact=True).uncheck()
    page.click("#data-start")
    page.says("#data-status", "Done. Pictures: 4, people: 1.")
    with zipfile.ZipFile(page.download("#data-download", tmp_path)) as packed:
        assert "metadata.jsonl" in packed.namelist()
    page.go("Photograph")


@slow
def test_a_training_is_followed_while_it_runs(visit: Callable[..., Any], desk: Path) -> None:
    """A run that began after the page was opened; its live page is shown again when a look has written it again."""
    page = visit()
    run = desk / "runs" / "palsy"
    run.mkdir(parents=True)
    (run / "state.json").write_text('{"recipe_hash": "x", "stages": {"prepare": {}}}')
    lines = [json.dumps({"job": "train", "step": step, "loss": 1 / (step + 1)}) for step in range(1, 21)]
    (run / "log.jsonl").write_text("\n".join(lines))
    (run / "live.html").write_text("<h1>step 10</h1>")
    page.go("Runs")
    page.says("#runs-status", "Finished stages: prepare")
    live = page.frame_locator("#live-page iframe")
    live.get_by_text("step 10").wait_for()
    page.locator("#curve canvas, #curve svg").first.wait_for()
    (run / "live.html").write_text("<h1>step 20</h1><script>document.body.innerText = 'bad'</script>")
    live.get_by_text("step 20").wait_for()
    page.close()


@slow
def test_axe_finds_no_serious_fault(page: Any) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe-playwright-python is not installed")
    serious = set()
    for tab in ("Data set", "Runs", "Measure", "Photograph"):
        page.go(tab)
        for fault in axe.Axe().run(page.page).response["violations"]:
            if fault["impact"] in ("serious", "critical"):
                serious |= {(tab, fault["id"], node["html"][:300]) for node in fault["nodes"]}
    ours = {one for one in serious if not (one[1] == "nested-interactive" and one[2].startswith(GRADIOS))}
    assert ours == set(), "\n".join(map(str, sorted(ours)))


@slow
def test_a_phone_scrolls_in_one_direction(visit: Callable[..., Any]) -> None:
    page = visit(viewport={"width": 390, "height": 844})
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    page.close()


def test_no_page_asked_another_machine(asked: list[str], page: Any, address: str) -> None:
    assert len(asked) > 50
    assert [url for url in asked if not url.startswith((f"{address}/", "data:", "blob:"))] == []


@slow
def test_a_face_that_does_not_exist_needs_no_photograph(visit: Callable[..., Any], tmp_path: Path) -> None:
    page = visit()
    page.click("#person")
    page.says("#found-status", "Face found, 512")
    mark = read_mark(page.made(tmp_path))
    assert mark is not None
    assert mark["synthetic"] is True
    page.close()
