"""Names in a prepared folder, and what makes two of them the same."""

import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from palsykit.errors import PalsykitError
from palsykit_datasets.picture_names import picture_names
from palsykit_datasets.plan import Plan


@pytest.mark.parametrize(
    ("key", "start"),
    [
        ("fs0-000001-02", "images/fs0-000001-02.png"),
        ("anna/Rest 1.jpg", "images/anna-rest-1-"),
        ("../../etc/passwd", "images/etc-passwd-"),
        ("\udcff", "images/picture-"),
        ("", "images/picture-"),
        ("test-01", "images/testx-01-"),
        ("Val/eval 2/contest.jpg", "images/valx-evalx-2-contest-"),
        ("x" * 500, "images/" + "x" * 64 + "-"),
    ],
)
def test_a_name_is_the_key_as_far_as_file_systems_allow(key: str, start: str) -> None:
    assert picture_names([key])[key].startswith(start)


@given(st.sets(st.text(st.characters(codec=None), max_size=100) | st.sampled_from(["a", "A", "a.png", "a.jpg", "a-"])))
def test_every_name_is_its_keys_own_on_any_file_system(keys: set[str]) -> None:
    names = picture_names(sorted(keys))
    assert len({name.lower() for name in names.values()}) == len(keys)
    for key, name in names.items():
        assert name.isascii()
        assert name == picture_names([key])[key], "other records change no name"
        assert Path(name).parent == Path("images")
        assert len(name) < 120


def test_two_records_of_one_name_are_refused() -> None:
    hashed = Path(picture_names(["A"])["A"]).stem
    with pytest.raises(PalsykitError, match=f"records 'A' and '{hashed}' of the data set would both be images/"):
        picture_names(["A", hashed])


def test_the_state_follows_every_file_that_a_key_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("palsykit_datasets.plan.origins", lambda part: {})
    photographs, splits = tmp_path / "photographs", tmp_path / "splits.csv"
    (photographs / "anna").mkdir(parents=True)
    (photographs / "anna" / "a.jpg").write_bytes(b"1")
    (photographs / "loop").symlink_to(photographs)
    (photographs / "gone").symlink_to(tmp_path / "nothing")
    splits.write_text("x")
    part: dict[str, Any] = {"use": "d", "root": str(photographs), "nested": {"splits": [str(splits)]}, "text": "a.jpg"}
    plan = Plan(part, 64, 0)
    assert plan.sources() == [photographs, splits]
    states = [plan.state()]
    assert plan.state() == states[0]

    def changed() -> bool:
        states.append(plan.state())
        return states[-1] not in states[:-1]

    os.utime(photographs / "anna" / "a.jpg", (1, 1))
    assert changed()
    (photographs / "anna" / "b\udcff.jpg").write_bytes(b"2")
    assert changed()
    splits.write_text("xy")
    assert changed()
    assert Plan(part, 65, 0).state() != states[-1]
