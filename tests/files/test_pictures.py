"""Pictures of rows in a folder: resumed batch by batch, existing files left alone."""

from pathlib import Path

import numpy as np
import pytest

from palsykit import __version__
from palsykit.files.pictures import read_png, save_png, synthesise_to
from palsykit.photographs.mark import read_mark


def grey(rows: range) -> np.ndarray:
    return np.stack([np.full((4, 4, 3), i, np.uint8) for i in rows])


def test_a_stopped_synthesis_is_resumed_and_existing_files_stay(tmp_path: Path) -> None:
    files = [tmp_path / "pictures" / f"{i}.png" for i in range(7)]
    made, told = [], []

    def synthesise(rows: range) -> np.ndarray:
        made.append(rows)
        if len(made) == 2:
            raise KeyboardInterrupt
        return grey(rows)

    with pytest.raises(KeyboardInterrupt):
        synthesise_to(files, synthesise, 3, "test", told.append)
    assert [file.exists() for file in files] == [True] * 3 + [False] * 4
    files[1].unlink()
    save_png(np.zeros((4, 4, 3), np.uint8), files[2])
    assert synthesise_to(files, synthesise, 3, "test", told.append) == 5
    assert made[2:] == [range(0, 3), range(3, 6), range(6, 7)], "a batch that lacks a file is made whole"
    assert told == [[0, 1, 2], [1], [3, 4, 5], [6]]
    assert [read_png(file).max() for file in files] == [0, 1, 0, 3, 4, 5, 6], "and a file that is there is kept"
    assert synthesise_to(files, synthesise, 3, "test") == 0
    assert len(made) == 5


def test_files_that_are_not_a_whole_png_are_made_again_and_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    files = [tmp_path / f"{i}.png" for i in range(6)]
    synthesise_to(files, grey, 6, "test")
    before = [file.read_bytes() for file in files]
    files[0].write_bytes(before[0][:60])
    files[1].write_bytes(before[1][:-12])
    files[2].write_bytes(b"")
    middle = len(before[3]) // 2
    files[3].write_bytes(before[3][:middle] + bytes([before[3][middle] ^ 1]) + before[3][middle + 1 :])
    assert synthesise_to(files, grey, 6, "test") == 4
    assert [file.read_bytes() for file in files] == before
    assert f"{tmp_path}: 0.png, 1.png, 2.png and 1 more: not a whole PNG; made again" in capsys.readouterr().err


def test_synthetic_pictures_say_so_and_others_do_not(tmp_path: Path) -> None:
    files = [tmp_path / "0.png", tmp_path / "1.png"]
    synthesise_to(files, grey, 2, "test", facts=lambda row: {"seed": 7 + row})
    assert [read_mark(file) for file in files] == [
        {"synthetic": True, "palsykit": __version__, "seed": 7},
        {"synthetic": True, "palsykit": __version__, "seed": 8},
    ]
    save_png(np.zeros((4, 4, 3), np.uint8), tmp_path / "real.png")
    assert read_mark(tmp_path / "real.png") is None


def test_too_few_pictures_are_an_error(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="shorter"):
        synthesise_to([tmp_path / "a.png", tmp_path / "b.png"], lambda rows: grey(rows)[:1], 2, "test")
