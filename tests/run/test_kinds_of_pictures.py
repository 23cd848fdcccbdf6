"""One photograph, stored in several ways, gives one result; and every generated file says that it is synthetic."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import palsykit as package
from palsykit.photographs.mark import read_mark
from palsykit.run.folder import RunFolder

PIXELS = np.random.default_rng(0).integers(0, 256, (32, 32), dtype=np.uint8)


@pytest.fixture(scope="module")
def model(finished: RunFolder) -> package.Model:
    return package.load(finished.path)


def test_sixteen_bits_transparency_and_a_turned_camera_change_no_result(model: package.Model, tmp_path: Path) -> None:
    grey = Image.fromarray(PIXELS)
    grey.save(tmp_path / "plain.png")
    Image.fromarray(PIXELS.astype(np.uint16) * 257).save(tmp_path / "sixteen.png")
    exif = Image.Exif()
    exif[0x0112] = 6
    grey.rotate(90).save(tmp_path / "turned.tif", exif=exif)
    one = np.asarray(model.generate(identity=tmp_path / "plain.png", driver=tmp_path / "plain.png"))
    for name in ("sixteen.png", "turned.tif"):
        assert np.array_equal(one, model.generate(identity=tmp_path / name, driver=tmp_path / "plain.png")), name

    on_white = PIXELS.copy()
    on_white[:9] = 255
    Image.fromarray(on_white).save(tmp_path / "white.png")
    alpha = np.full_like(PIXELS, 255)
    alpha[:9] = 0
    Image.merge("LA", (grey, Image.fromarray(alpha))).save(tmp_path / "cut.png")
    white, cut = (
        np.asarray(model.generate(identity=tmp_path / name, driver=tmp_path / "plain.png"))
        for name in ("white.png", "cut.png")
    )
    assert np.array_equal(white, cut)
    assert not np.array_equal(white, one)


def test_generated_files_of_a_run_say_what_made_them(finished: RunFolder) -> None:
    lines = (finished.images / "metadata.jsonl").read_text(encoding="utf-8").splitlines()
    row = json.loads(lines[0])
    mark = read_mark(finished.images / row["file_name"])
    assert mark is not None
    assert mark["synthetic"] is True
    assert mark["recipe"] == finished.state()["recipe_hash"]
    assert (mark["seed"], mark["expression"]) == (row["seed"], row["expression"])
