"""``Model.generate(expression=...)``: the driver is the identity photograph as the poser poses it."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

import palsykit as package
from palsykit.errors import PalsykitError
from palsykit.faces.dials import Dials, Length
from palsykit.faces.vocabulary import EXPRESSIONS, FaceLabels, Side
from palsykit.recipe import Recipe
from palsykit.registry import Entry, registry
from palsykit.run.folder import RunFolder
from palsykit.run.parts import Parts

CALLS: list[tuple[Any, ...]] = []


class Shift:
    """A poser that darkens one half of the picture by the severity, and says what it was asked."""

    def __init__(self, *, depth: int = 20):
        self.depth = depth

    def pose(self, photograph: Any, landmarks: Any, labels: FaceLabels, strength: float = 1.0) -> tuple[Any, Any]:
        CALLS.append((photograph, landmarks, labels, strength))
        if labels.expression == "lip_pucker":
            raise ValueError("lips that cannot be posed")
        picture, half = photograph.copy(), photograph.shape[1] // 2
        columns = slice(half, None) if labels.side is Side.LEFT else slice(0, half)
        amount = int(self.depth * (labels.severity - 1) + 8 * list(EXPRESSIONS).index(labels.expression))
        picture[:, columns] = np.maximum(picture[:, columns].astype(int) - int(strength * amount), 0)
        return picture, np.asarray(landmarks, np.float32) + labels.severity


@pytest.fixture
def posers(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Installs posers of these names, and no others."""

    def install(*names: str) -> None:
        for key in [key for key in registry().entries if key[0] == "posers"]:
            monkeypatch.delitem(registry().entries, key)
        for name in names:
            monkeypatch.setitem(registry().entries, ("posers", name), Entry("posers", name, "fake", "fake", "1", Shift))

    CALLS.clear()
    return install


@pytest.fixture
def model(finished: RunFolder, posers: Callable[..., None]) -> package.Model:
    posers("shift")
    return package.load(finished.path)


@pytest.fixture(scope="session")
def who(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("faces") / "who.png"
    noise = np.random.default_rng(0).integers(60, 256, (48, 48, 3), dtype=np.uint8)
    Image.fromarray(noise).save(path)
    return path


def test_the_driver_is_the_identity_with_the_requested_pose(model: package.Model, who: Path) -> None:
    picture = model.generate(identity=who, expression="big smile", side="left", severity=4, strength=0.5)
    photograph, landmarks, labels, strength = CALLS.pop()
    assert labels == FaceLabels(expression="smile_full", side=Side.LEFT, severity=4)
    assert strength == 0.5
    with Image.open(who) as image:
        seen = np.asarray(image.resize((32, 32), Image.Resampling.LANCZOS))
    assert np.array_equal(photograph, seen)
    network = model.parts.points_network()
    assert network is not None
    points = network(torch.from_numpy(seen.copy()).permute(2, 0, 1)[None].float() / 127.5 - 1).points
    assert points is not None
    assert np.allclose(landmarks, points[0].detach().numpy(), atol=1e-4)
    driver, _ = Shift().pose(photograph, landmarks, labels, 0.5)
    assert np.array_equal(picture, model.generate(identity=who, driver=driver)), "the same as its picture as a driver"


def test_side_and_severity_change_the_picture(model: package.Model, who: Path) -> None:
    def made(**asked: Any) -> np.ndarray:
        return np.asarray(model.generate(identity=who, expression="smile_full", **asked))

    healthy = made()
    assert np.array_equal(healthy, made(side="left", severity=1))
    assert not np.array_equal(healthy, made(side="left", severity=6))
    assert not np.array_equal(made(side="right", severity=6), made(side="left", severity=6))


def test_the_dial_is_a_row_of_the_single_pictures(model: package.Model, who: Path) -> None:
    asked = {"identity": who, "expression": "smile_full", "side": "left", "seed": 5}
    row, pictures = model.dial(severities=[1, 2.5, 6], **asked)
    for severity, picture in zip([1, 2.5, 6], pictures, strict=True):
        single = np.asarray(model.generate(severity=severity, **asked))
        assert np.abs(single.astype(int) - np.asarray(picture)).max() <= 1
    drawn = np.asarray(row)
    assert row.width > 4 * 128
    enlarged = np.asarray(pictures[-1].resize((128, 128), Image.Resampling.LANCZOS))
    assert any(
        np.array_equal(drawn[top : top + 128, left : left + 128], enlarged)
        for top in range(drawn.shape[0] - 127)
        for left in (drawn.shape[1] - 8 - 4 - 128, drawn.shape[1] - 8 - 128)
    ), "the last picture is at the row's end"


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({}, "neither a driver nor an expression; give one"),
        ({"expression": "rest", "driver": "x.png"}, "both a driver and an expression; give one"),
        (
            {"driver": "x.png", "side": "left"},
            "side or severity with a driver, whose photograph shows them; leave them out",
        ),
        ({"expression": "rest", "severity": 3}, "severity 3 without a side"),
        ({"expression": "rest", "strength": 1.5}, r"strength 1\.5: expected 0 \(no movement\) to 1 \(full\)"),
        ({"expression": "lip_pucker"}, "posing lip_pucker, none, 1: lips that cannot be posed"),
    ],
)
def test_what_is_refused(model: package.Model, who: Path, asked: dict[str, Any], message: str) -> None:
    with pytest.raises(PalsykitError, match=message):
        model.generate(identity=who, **asked)


class FineShift(Shift):
    """A poser with finer dials."""

    def pose(
        self, photograph: Any, landmarks: Any, labels: FaceLabels, strength: float = 1.0, dials: Any = None
    ) -> Any:
        CALLS.append((dials,))
        return super().pose(photograph, landmarks, labels, strength)


def test_dials_reach_a_poser_that_has_them(
    finished: RunFolder, posers: Callable[..., None], who: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    posers()
    entry = Entry("posers", "fine", "fake", "fake", "1", FineShift)
    monkeypatch.setitem(registry().entries, ("posers", "fine"), entry)
    asked = {"identity": who, "expression": "rest", "side": "left", "severity": 4}
    package.load(finished.path).generate(**asked, brow=0.2, mouth="-4mm", synkinesis="eye=0.5")
    assert CALLS[0] == (Dials(brow=0.2, mouth=Length(-4.0), synkinesis_eye=0.5),)
    package.load(finished.path).generate(**asked)
    assert CALLS[2] == (None,)


def test_dials_are_refused_by_a_poser_that_has_none(model: package.Model, who: Path) -> None:
    with pytest.raises(PalsykitError, match=r"dials \(mouth\): the poser Shift has none, .*no parameter dials; leave"):
        model.generate(identity=who, expression="rest", side="left", severity=4, mouth=0.5)
    with pytest.raises(PalsykitError, match="mouth 4: expected a share, 0 to 1, or a length"):
        model.generate(identity=who, expression="rest", side="left", severity=4, mouth=4)
    assert not CALLS


def test_one_installed_poser_is_taken_and_of_several_one_is_named(
    finished: RunFolder, posers: Callable[..., None], who: Path
) -> None:
    posers()
    model = package.load(finished.path)
    with pytest.raises(
        PalsykitError, match=r"no installed plugin has one; .*give --driver IMAGE instead; .*poser: \{use"
    ):
        model.generate(identity=who, expression="rest")
    posers("shift", "other")
    with pytest.raises(PalsykitError, match=r"several are installed \(other, shift\); name one with --poser"):
        package.load(finished.path).generate(identity=who, expression="rest")
    named = package.load(finished.path, poser="other")
    assert named.poser_block().use == "other"
    named.generate(identity=who, expression="rest")


def test_the_recipes_poser_and_its_keys_count(tiny: Callable[..., Recipe], posers: Callable[..., None]) -> None:
    posers("shift", "other")
    parts = Parts(tiny("poser={use: other, depth: 33}"))
    assert parts.poser_block().use == "other"
    assert package.Model(parts, None).poser.depth == 33  # type: ignore[attr-defined]
    assert package.Model(parts, None, "shift").poser.depth == 20  # type: ignore[attr-defined]
    assert tiny().settings.poser is None
    with pytest.raises(PalsykitError, match=r"poser\.deep: found an unknown key, expected one of use, depth"):
        tiny("poser={use: other, deep: 33}")


def test_a_run_without_a_landmark_network_says_so(
    tiny: Callable[..., Recipe], posers: Callable[..., None], who: Path
) -> None:
    posers("shift")
    parts = Parts(tiny())
    model = package.Model(parts, parts.model())
    del parts.networks["points"]
    with pytest.raises(
        PalsykitError, match=r"no network of this run finds them; use a run whose networks have a landm"
    ):
        model.generate(identity=who, expression="rest")
