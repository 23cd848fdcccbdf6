"""The bias test reports errors that were put in, by side and size, and runs; its errors become intervals."""

import json
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from palsykit.errors import PalsykitError
from palsykit.faces.measures import eye_line
from palsykit.faces.vocabulary import Side
from palsykit_measure.intervals import ErrorTable

Script = Callable[[str], ModuleType]
SIDE = 128


@pytest.fixture
def figures(script: Script) -> ModuleType:
    return script("benchmarks/bias_figures.py")


@pytest.fixture
def samples(script: Script, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list:
    """Two rendered people, nine pictures each."""
    return script("benchmarks/bias_samples.py").rendered_samples(SIDE, 2, 5)


def truth_of(samples: list) -> np.ndarray:
    return np.stack([sample.truth for sample in samples])


def test_samples_are_a_healthy_face_and_eight_with_a_palsy(samples: list) -> None:
    assert len(samples) == 18
    assert [sample.neutral for sample in samples] == [number % 9 == 0 for number in range(18)]
    assert {sample.labels.side for sample in samples if not sample.neutral} <= {Side.LEFT, Side.RIGHT}
    one = samples[3]
    assert one.px_per_mm == pytest.approx(eye_line(one.truth) / 61)
    assert one.flip(one.flip(one.truth)) == pytest.approx(one.truth, abs=1e-4)
    assert np.array_equal(one.mirrored[:, 0], one.picture[:, -1])


def test_the_truth_has_no_errors(figures: ModuleType, samples: list) -> None:
    truth = truth_of(samples)
    found = figures.figures_of(samples, truth, truth, True)
    assert found["missed"] == 0
    assert {row["median"] for row in found["points"].values()} == {0}
    assert found["mirror"]["most"] == 0
    assert found["neutral"]["all"] == 0
    unturned = figures.figures_of(samples, truth, np.full_like(truth, np.nan), True)
    assert (unturned["missed"], unturned["mirror"]["n"]) == (0, 0)
    assert figures.reached(unturned)["mirror"] == "not measured"
    for rows in (*found["asymmetry"].values(), found["lid gap"]):
        assert all(row["error"] == 0 and row["found"] == row["true"] for row in rows if row["n"])
    assert all(verdict.startswith(("reached", "not measured")) for verdict in figures.reached(found).values())


def test_errors_are_those_that_were_put_in(figures: ModuleType, samples: list) -> None:
    """The affected corner is found 3 mm too high, so asymmetry is missed by 3 mm where a corner droops."""
    truth = truth_of(samples)
    wrong = truth.copy()
    for number, sample in enumerate(samples):
        eyes = (sample.truth[[36, 45]] + sample.truth[[39, 42]]) / 2
        across = (eyes[1] - eyes[0]) / np.linalg.norm(eyes[1] - eyes[0])
        up = 3 * sample.px_per_mm * np.array([across[1], -across[0]])
        if sample.labels.side in (Side.LEFT, Side.RIGHT):
            wrong[number, 48 if sample.labels.side is Side.RIGHT else 54] += up
    found = figures.figures_of(samples, wrong, truth, False)
    corner = found["points"]["corner"]
    assert (corner["affected"], corner["other"]) == (pytest.approx(3), 0)
    assert found["points"]["brow"]["median"] == 0
    large = found["asymmetry"]["mouth corners' height"][-2]
    assert large["true"] - large["found"] == pytest.approx(3, abs=1e-6), "droops are seen too small"
    assert found["mirror"]["most"] == pytest.approx(3)
    assert "neutral" not in found
    assert figures.reached(found)["mirror"].startswith("missed: 3.00 mm")
    sides = found["sides"]["mouth corners' height"]
    assert {side: value for side, value in sides.items() if value is not None} == {
        side: pytest.approx({"right": 3, "left": -3}[side]) for side, value in sides.items() if value is not None
    }


def test_faces_that_are_not_found_are_counted(figures: ModuleType, samples: list) -> None:
    truth = truth_of(samples)
    some = truth.copy()
    some[4] = np.nan
    assert figures.figures_of(samples, some, truth, False)["missed"] == 1
    assert figures.figures_of(samples, np.full_like(truth, np.nan), truth, False) == {"missed": 18}


def test_the_errors_become_intervals_that_hold_the_truth(figures: ModuleType, samples: list) -> None:
    rng = np.random.default_rng(0)
    truth = truth_of(samples)
    found = truth + rng.normal(0.5, 1, truth.shape)
    facts = figures.error_table(samples, found)
    assert (facts["pictures"], facts["people"]) == (18, 2)
    assert set(facts["measures"]["corner_excursion"]) == {"side", "difference"}
    assert set(facts["measures"]["lid_gap"]) == {"side", "difference"}
    low, high = facts["measures"]["facial_asymmetry_index"]["whole"]
    assert low == -high, "no side is favoured"
    table = ErrorTable({**facts, "weights": "a"}, "a")
    lengths = [figures.measure_face(figures.Face(p, s.px_per_mm)) for s, p in zip(samples, found, strict=True)]
    true = [figures.measure_face(figures.Face(s.truth, s.px_per_mm)) for s in samples]
    inside = []
    for one, known in zip(lengths, true, strict=True):
        for side in ("right", "left"):
            low, high = table.interval("brow_height", side, one["brow_height"][side]) or (0, 0)
            inside.append(low <= known["brow_height"][side] + 0.01 and known["brow_height"][side] - 0.01 <= high)
    assert np.mean(inside) >= 0.9


def test_it_runs(
    script: Script, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    bias = script("benchmarks/landmark_bias.py")
    monkeypatch.setattr(bias, "real_samples", lambda size, people: None)
    files = {name: tmp_path / name for name in ("figures.json", "errors.json", "page.md")}
    keys = ["--people", "1", "--size", "128", "--json", files["figures.json"], "--errors", files["errors.json"]]
    bias.main([str(key) for key in (*keys, "--page", files["page.md"])])
    *lines, last = capsys.readouterr().out.splitlines()
    found = json.loads(last)
    assert found == json.loads(files["figures.json"].read_text())
    assert list(found["sets"]) == ["rendered"]
    finders = found["sets"]["rendered"]["finders"]
    network = "points_256 of palsykit_weights:points_256.safetensors"
    assert list(finders) == [f"palsykit measure, {network}", f"{network} alone", "detector mediapipe"]
    corner = finders[f"palsykit measure, {network}"]["points"]["corner"]["median"]
    assert f"{corner:.2f}" in "\n".join(lines)
    assert corner < finders["detector mediapipe"]["points"]["corner"]["median"]
    errors = json.loads(files["errors.json"].read_text())
    assert ErrorTable(errors, errors["weights"]).fits
    assert errors["command"] == "python benchmarks/landmark_bias.py --people 1 --size 128", "no place on a machine"
    assert "### rendered: 9 pictures of 1 people at 128 px" in files["page.md"].read_text()


def test_what_cannot_be_measured_is_said(script: Script) -> None:
    with pytest.raises(PalsykitError, match="--people 0: expected 1 or more"):
        script("benchmarks/landmark_bias.py").main(["--people", "0"])
    with pytest.raises(PalsykitError, match="expected RECIPE:NAME"):
        script("benchmarks/bias_finders.py").network_finder("points")
