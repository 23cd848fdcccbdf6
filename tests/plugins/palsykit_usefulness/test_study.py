"""Studies whose answer is known: synthetic faces that are real ones, and ones whose labels say nothing."""

import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from palsykit.cli import main
from palsykit.errors import PalsykitError
from palsykit.faces.joined import Joined
from palsykit.faces.records import FaceRecord
from palsykit.faces.vocabulary import EXPRESSIONS, FaceLabels, Side
from palsykit.interfaces import MetricCard
from palsykit.measure.statistics import mean_of
from palsykit.recipe import Recipe, load_recipe
from palsykit.registry import Entry, registry
from palsykit_usefulness.command import numbers
from palsykit_usefulness.sets import balance, draw_people
from palsykit_usefulness.study import BOTH, REAL, SYNTHETIC, Bench, study, trainings
from palsykit_usefulness.writing import panels, tables, write

ROOT = Path(__file__).parents[3]
RECIPE = ROOT / "recipes" / "usefulness.yaml"
NAMES = tuple(EXPRESSIONS)[:4]


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def face(person: str, expression: int, side: Side) -> np.ndarray:
    """A bar at the expression's height that leans to the side, on a colour that is the person's."""
    rng = np.random.default_rng(sum(person.encode()))
    picture = np.full((16, 16, 3), rng.integers(30, 90, 3), np.uint8)
    columns = slice(2, 8) if side is Side.LEFT else slice(8, 14)
    picture[2 + 3 * expression : 4 + 3 * expression, columns] = 250
    return picture


class Bars:
    """Real people: ``train`` and ``test``, each in four expressions on both sides."""

    def __init__(self, image_size: int, cache: Path, *, train: int = 6, test: int = 4) -> None:
        self.image_size, self.rejected, self.attribution = image_size, (), "drawn"
        self.records = []
        for split, count in (("train", train), ("test", test)):
            for person in range(count):
                for number, name in enumerate(NAMES):
                    for side in (Side.LEFT, Side.RIGHT):
                        labels = FaceLabels(f"{split}{person}", name, side, 3.0 + number % 3)
                        self.records.append(FaceRecord(f"{split}{person}-{name}-{side}", labels, split=split))

    def image(self, record: FaceRecord) -> np.ndarray:
        labels = record.labels
        return face(str(labels.subject), NAMES.index(str(labels.expression)), labels.side or Side.NONE)


@pytest.fixture(autouse=True)
def bars(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(registry().entries, ("datasets", "bars"), Entry("datasets", "bars", "fake", "fake", "1", Bars))


def recipe_of(*changes: str) -> Callable[[int], Recipe]:
    small = ["image_size=16", "data={use: bars}", "networks.classifier.width=0.125", "networks.classifier.embedding=16"]
    small += ["fits.0.steps=30", "fits.0.batch_size=16", "fits.0.warmup=0", "fits.0.ema=0", "fits.0.decay=none"]
    small += ["fits.0.trainer.augment=false", "fits.0.lr=4e-3", "fits.0.precision=fp32"]
    return lambda seed: load_recipe(RECIPE, [*small, *changes, f"seed={seed}"])


def written(folder: Path, people: tuple[str, ...], shuffled: bool = False) -> Path:
    """Synthetic people as an imagefolder; with labels that say nothing where they are shuffled."""
    folder.mkdir()
    rng, lines = np.random.default_rng(0), []
    for person in people:
        for number, _ in enumerate(NAMES):
            for side in (Side.LEFT, Side.RIGHT):
                file = f"{person}-{number}-{side}.png"
                Image.fromarray(face(person, number, side)).save(folder / file)
                shown = rng.integers(4) if shuffled else number
                leans = rng.choice(["left", "right"]) if shuffled else str(side)
                said = {"expression": NAMES[shown], "side": leans, "severity": 3.0 + shown % 3}
                lines.append(json.dumps({"file_name": file, "subject": person, **said}))
    (folder / "metadata.jsonl").write_text("\n".join(lines))
    return folder


GOOD = tuple(f"synthetic{i}" for i in range(6))


@pytest.fixture(scope="module")
def studied(tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, Path]:
    """A study with synthetic faces that are like real ones."""
    folder = tmp_path_factory.mktemp("study")
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(registry().entries, ("datasets", "bars"), Entry("datasets", "bars", "fake", "fake", "1", Bars))
        bench = Bench(recipe_of(), written(folder / "synthetic", GOOD), folder / "work")
        return study(bench, [1, 6], [0]), folder


def at(found: Any, system: str, people: int) -> Any:
    return next(p for p in found.points if (p.system, p.people) == (system, people))


def test_synthetic_faces_that_are_real_ones_are_worth_as_much(studied: tuple[Any, Path]) -> None:
    found, _ = studied
    assert found.failed == {}
    assert found.test == (32, 4)
    synthetic, real = at(found, SYNTHETIC, 0), at(found, REAL, 6)
    for figure in ("expression_accuracy", "side_accuracy"):
        assert synthetic.figures[figure].value > 0.9
        assert synthetic.figures[figure].value == pytest.approx(real.figures[figure].value, abs=0.1)
    assert synthetic.figures["expression_accuracy"].value > found.constant["expression_accuracy"] == 0.25
    assert found.constant["side_accuracy"] == 0.5
    assert at(found, BOTH, 1).pictures == {"real": 8, "synthetic": 48}


def test_synthetic_faces_whose_labels_say_nothing_teach_nothing(tmp_path: Path) -> None:
    bench = Bench(recipe_of(), written(tmp_path / "synthetic", GOOD, shuffled=True), tmp_path / "work")
    found = study(bench, [6], [0])
    synthetic = at(found, SYNTHETIC, 0).figures
    assert synthetic["expression_accuracy"].value < 0.5
    assert synthetic["expression_accuracy"].value + 0.3 < at(found, REAL, 6).figures["expression_accuracy"].value
    gain = at(found, BOTH, 6).gain["expression_accuracy"]
    assert gain.value <= 0, "they take nothing away but what noise takes"


def test_a_gain_is_paired_with_as_many_real_people(studied: tuple[Any, Path]) -> None:
    found, _ = studied
    for people in (1, 6):
        both, real = at(found, BOTH, people), at(found, REAL, people)
        for name, gain in both.gain.items():
            assert gain.value == pytest.approx(both.figures[name].value - real.figures[name].value, abs=1e-6)
            assert gain.low is not None
        assert real.gain == {}


def test_finished_trainings_are_reused_and_those_with_other_settings_refused(
    studied: tuple[Any, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    found, folder = studied
    weights = {path: path.stat().st_mtime_ns for path in (folder / "work").rglob("classifier.safetensors")}
    assert len(weights) == 1 + 2 * 2
    monkeypatch.setattr("palsykit_usefulness.study.fit_network", lambda *job: pytest.fail("trained again"))
    again = study(Bench(recipe_of(), folder / "synthetic", folder / "work"), [1, 6], [0])
    assert [p.figures for p in again.points] == [p.figures for p in found.points]
    other = study(Bench(recipe_of("fits.0.lr=1e-3"), folder / "synthetic", folder / "work"), [1], [0])
    assert other.points == []
    assert "made with other settings" in other.failed["real-1-seed0"]
    assert "recipe: " in other.failed["real-1-seed0"]


def test_a_point_is_the_mean_over_the_seeds_that_could_be_trained(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench = Bench(recipe_of(), written(tmp_path / "synthetic", GOOD[:2]), tmp_path / "work")
    card = MetricCard("a", "a", "", "higher", "")

    def tested(one: Any) -> dict[str, Any]:
        if (one.system, one.seed) == (REAL, 2):
            raise RuntimeError("out of memory")
        value = one.seed + 10 * (one.system == BOTH)
        return {"expression_accuracy": mean_of(card, [float(value)] * len(bench.subjects))}

    monkeypatch.setattr(bench, "test", tested)
    found = study(bench, [2], [0, 1, 2])
    assert found.failed == {"real-2-seed2": "RuntimeError: out of memory"}
    assert "out of memory" in (tmp_path / "work" / "errors" / "real-2-seed2.txt").read_text()
    real, both = at(found, REAL, 2), at(found, BOTH, 2)
    assert (real.seeds, real.figures["expression_accuracy"].value) == ([0, 1], 0.5)
    assert (both.seeds, both.figures["expression_accuracy"].value) == ([0, 1, 2], 11)
    assert both.gain["expression_accuracy"].value == 10, "of the seeds that both have"


def test_the_tables_and_the_curves(studied: tuple[Any, Path], tmp_path: Path) -> None:
    found, _ = studied
    text = write(found, tmp_path, "palsykit usefulness x", {"commit": "abc"}, "Who they are.")
    assert text.startswith("## Are synthetic faces of use?\n\nWho they are.\n\n    palsykit usefulness x\n\n")
    assert "tested on 32 photographs of 4 real people" in text
    assert "| synthetic alone (TSTR) | 48 synthetic |" in text
    assert "| 1 real people + synthetic | 8 real, 48 synthetic |" in text
    assert "| best constant |  | 0.250 | 0.500 |" in text
    assert text.index("| 1 real people |") < text.index("| 6 real people |")
    assert (tmp_path / "usefulness.md").read_text() == text + "\n"
    lines = [json.loads(line) for line in (tmp_path / "usefulness.jsonl").read_text().splitlines()]
    assert {(line["system"], line["real_people"]) for line in lines} == {
        (SYNTHETIC, 0), (REAL, 1), (REAL, 6), (BOTH, 1), (BOTH, 6),
    }  # fmt: skip
    drawn = (tmp_path / "usefulness.svg").read_text()
    write(found, tmp_path, "palsykit usefulness x", {"commit": "abc"}, "Who they are.")
    assert (tmp_path / "usefulness.svg").read_text() == drawn
    assert [panel.series[0].people for panel in panels(found)] == [[1, 6]] * 3
    found.failed["real-9-seed0"] = "RuntimeError: out of memory"
    assert "- real-9-seed0: RuntimeError: out of memory" in tables(found, "x", {}, "")
    found.failed.clear()


def test_more_people_begin_with_the_same_and_sets_are_met_equally_often(tmp_path: Path) -> None:
    real, other = Bars(16, tmp_path), Bars(16, tmp_path, train=1)
    train = [r for r in real.records if r.split == "train"]
    few_people, more = (draw_people(train, count, 3) for count in (2, 4))
    assert {r.labels.subject for r in few_people} < {r.labels.subject for r in more}
    assert len(few_people) == 2 * 8
    joined = Joined({"real": (real, train), "synthetic": (other, other.records[:8])})
    pairs = balance(joined, 0)
    kinds = [one.record.key.split(":")[0] for one in pairs]
    assert kinds.count("real") == kinds.count("synthetic") == 48
    assert all(one.identity.labels.subject == one.record.labels.subject for one in pairs)
    assert len({r.key for r in joined.records}) == 56, "the same names in both sets are different people"
    assert np.array_equal(joined.image(joined.records[0]), real.image(train[0]))
    with pytest.raises(PalsykitError, match="9 real people to train on, but the recipe's data has 6"):
        draw_people(train, 9, 0)
    with pytest.raises(ValueError, match=r"image sizes .*expected one"):
        Joined({"real": (real, train), "synthetic": (Bars(32, tmp_path), train)})


def test_every_classifier_of_a_study() -> None:
    todo = trainings([5, 10], [0, 1])
    assert len(todo) == 2 * (1 + 2 * 2)
    assert todo[0].name == "synthetic-0-seed0"
    assert todo[2].name == "real-synthetic-5-seed0"


def test_what_is_refused(tmp_path: Path) -> None:
    with pytest.raises(PalsykitError, match=r"1 people are in the test split and among the synthetic faces \(test0\)"):
        Bench(recipe_of(), written(tmp_path / "leak", ("test0", "anna")), tmp_path / "work")
    with pytest.raises(PalsykitError, match="nowhere"):
        Bench(recipe_of(), tmp_path / "nowhere", tmp_path / "work")
    good = written(tmp_path / "good", GOOD[:2])
    with pytest.raises(PalsykitError, match="no people in the split 'test'"):
        Bench(recipe_of("data.test=0"), good, tmp_path / "work")
    renamed = ["networks={other: {use: ir, heads: {expression: 8}}, classifier: null}", "metrics=null"]
    with pytest.raises(PalsykitError, match="no network 'classifier' that is fitted"):
        Bench(recipe_of(*renamed, "fits=[{network: other, trainer: {use: expression}}]"), good, tmp_path / "work")


def test_the_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    good = written(tmp_path / "good", GOOD[:2])
    changes = ["image_size=16", "data={use: bars}", "networks.classifier.width=0.125", "fits.0.steps=1"]
    arguments = [argument for change in changes for argument in ("--set", change)]
    arguments = ["usefulness", str(good), "--recipe", str(RECIPE), "--subjects", "1", "--seeds", "0", *arguments,
                 "--work", str(tmp_path / "work"), "--page", str(tmp_path / "results.md")]  # fmt: skip
    monkeypatch.setattr(sys, "argv", ["palsykit", *arguments])
    with pytest.raises(SystemExit) as done:
        main()
    assert done.value.code == 0
    *_, last = capsys.readouterr().out.splitlines()
    found = json.loads(last)
    assert found["benchmark"] == "usefulness"
    assert [point["system"] for point in found["points"]] == [SYNTHETIC, REAL, BOTH]
    assert (tmp_path / "work" / "usefulness.svg").is_file()
    assert "## Are synthetic faces of use?" in (tmp_path / "results.md").read_text()


@pytest.mark.parametrize("text", ["", "5,", "5 20", "-1", "five"])
def test_numbers_that_are_none(text: str) -> None:
    with pytest.raises(PalsykitError, match=r"--seeds .*expected whole numbers separated by commas"):
        numbers("--seeds", text)
