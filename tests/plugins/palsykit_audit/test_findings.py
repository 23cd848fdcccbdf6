"""What is said, written and shown: sentences that fit what was found, and a page that holds everything."""

import csv
import json
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
import torch

from palsykit.errors import PalsykitError
from palsykit.recipe.schema import ConditionBlock, FitBlock, PartBlock
from palsykit.run.folder import RunFolder
from palsykit_audit.audit import Audit
from palsykit_audit.faces import Synthesis, of_run, populations
from palsykit_audit.findings import findings
from palsykit_audit.measures import Membership, Reader, membership, reader, resemblance
from palsykit_audit.release import card
from palsykit_audit.writing import write

Made = Callable[..., Synthesis]


@pytest.fixture
def audited(patterns: Any, parts_of: Callable[..., Any], read: Reader) -> Callable[..., Audit]:
    def made(*pictures: Synthesis, attacked: Membership | None = None) -> Audit:
        parts = parts_of(patterns)
        people = populations(parts)
        found = resemblance(parts, read, people, list(pictures))
        said = findings(found, attacked, people.cautions)
        facts = {"recognition network": "judge, SHA-256 0"}
        return Audit("Audit <of> tests", people, found, attacked, said, facts, "drawn")

    return made


def sentences(audit: Audit) -> dict[str, list[str]]:
    return {level: [f.text for f in audit.findings if f.level == level] for level in ("bad", "look", "good")}


def test_sentences_fit_what_was_found(audited: Callable[..., Audit], synthesis: Made) -> None:
    fine = sentences(audited(synthesis("test0", "test0", 9)))
    assert fine["bad"] == []
    assert fine["good"][0].startswith("None of 1 generated faces is nearer to a training person than held-out people")
    bad = sentences(audited(synthesis("test0", "train3", 1), synthesis("train4", "train4", 9)))
    assert bad["bad"] == [
        "1 of 2 generated pictures copy a training photograph, pixel by pixel: test0-as-train3-1.png."
    ]
    assert any("1 of 2 generated faces look like a training person because the photograph" in t for t in bad["look"])
    unknown = sentences(audited(synthesis("x", "stranger", 9, known=False)))
    assert any(text.startswith("The identity photographs of 1 people are not known (x)") for text in unknown["look"])


def test_an_attack_fails_only_with_a_short_interval(
    audited: Callable[..., Audit], patterns: Any, parts_of: Callable[..., Any], read: Reader, synthesis: Made
) -> None:
    class Apart:
        """A synthesiser whose error is what it is told."""

        def __init__(self, error: Callable[[str], float]):
            self.error = error

        def generate(self, batch: Any, seeds: Any) -> Any:
            errors = [self.error(str(labels.subject)) for labels in batch.target.labels]
            return batch.target.image + torch.tensor(errors)[:, None, None, None]

    def said(error: Callable[[str], float]) -> dict[str, list[str]]:
        parts = parts_of(patterns, synthesiser=PartBlock(use="apart"))
        parts.synthesiser = lambda model: Apart(error)
        return sentences(audited(synthesis("test0", "test0", 9), attacked=membership(parts, read, None, 32)))

    assert said(lambda p: 0.1 if p.startswith("train") else 0.2)["bad"][0].startswith("The model gives away who it was")
    assert any("does not tell who was trained on" in text for text in said(lambda p: 0.1)["good"])
    assert any("Undecided whether" in text for text in said(lambda p: 0.1 + int(p[-1]) / 10)["look"])


class Pictures(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[dict[str, str | None]] = []
        self.elsewhere: list[str] = []

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        if tag == "img":
            self.found.append(dict(attributes))
        links = [v for k, v in attributes if k in ("src", "href") and v is not None]
        self.elsewhere += [v for v in links if not v.startswith(("data:", "#"))]


def test_everything_is_written(
    audited: Callable[..., Audit], patterns: Any, parts_of: Callable[..., Any], read: Reader, synthesis: Made,
    model_of: Callable[..., Any], tmp_path: Path,
) -> None:  # fmt: skip
    attacked = membership(parts_of(patterns), read, model_of().eval(), 8)
    pictures = [synthesis("test0", "train3", 1), *(synthesis(f"test{i}", f"test{i}", 9) for i in range(6))]
    audit = audited(*pictures, synthesis("x", "stranger", 2, known=False), attacked=attacked)
    assert audit.membership is not None
    page = write(audit, tmp_path)
    text = page.read_text()
    assert "Audit &lt;of&gt; tests" in text
    assert "HELD BACK: copies a training photograph" in text
    words = " ".join(text.split())
    assert f"nearest stranger, {audit.resemblance.yardstick.threshold:.3f}." in words
    assert f"A ratio below {audit.resemblance.copy_limit:.2f} is a copy." in words
    steps = ", ".join(f"{step} {value:.2f}" for step, value in audit.membership.attack.by_step.items())
    assert f"arXiv:2302.03262); AUC by step: {steps}. The attack knows" in words
    seen = Pictures()
    seen.feed(text)
    assert seen.elsewhere == []
    assert all(picture["alt"] for picture in seen.found)
    assert sum("synthesis:" in str(picture["alt"]) for picture in seen.found) >= 7
    written = json.loads((tmp_path / "audit.json").read_text())
    assert written["flagged"][0]["file"] == "test0-as-train3-1.png"
    assert written["membership"]["attack"] == "loss"
    assert written["threshold"]["cosine"] == audit.resemblance.yardstick.threshold
    with (tmp_path / "audit.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["flag"] for row in rows] == ["copy", *[""] * 7]
    assert rows[0]["training_photograph"] == "train3-1"


def test_a_released_data_set_names_no_person(audited: Callable[..., Audit], synthesis: Made) -> None:
    audit = audited(synthesis("test0", "train3", 1), synthesis("train4", "train4", 9))
    text = card(audit, "keep", 0)
    assert "1 flagged pictures were released all the same, because the maker decided so" in text
    assert not any(person in text for person in ("train3", "train4", "test0"))


def test_a_judge_that_conditions_a_model_is_named(parts_of: Callable[..., Any], patterns: Any, read: Reader) -> None:
    condition = ConditionBlock(use="identity", source="identity", parameters={"network": "recognition"})
    parts = parts_of(patterns, conditions={"identity": condition})
    parts.networks = {"recognition": read.network}
    assert "conditions or trains the model, so it judges its own work" in reader(parts).cautions[0]
    parts.networks["judge_recognition"] = read.network
    assert reader(parts).cautions == []
    parts.fits = [FitBlock(network="judge_recognition", trainer=PartBlock(use="x"))]
    assert "was fitted on this run's own people" in reader(parts).cautions[0]
    with pytest.raises(PalsykitError, match=r"patterns: no network 'other' \(it has recognition, judge_recognition\)"):
        reader(parts, "other")


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (None, "cannot be read .*expected a finished run, or a folder of palsykit synthesize"),
        ("", "no pictures in metadata.jsonl"),
        ("{}\n", "not the metadata of generated pictures .*file_name"),
        ("nothing\n", "not the metadata of generated pictures"),
    ],
)
def test_folders_without_pictures(
    parts_of: Callable[..., Any], patterns: Any, tmp_path: Path, lines: str | None, message: str
) -> None:
    if lines is not None:
        (tmp_path / "images").mkdir()
        (tmp_path / "images" / "metadata.jsonl").write_text(lines)
    with pytest.raises(PalsykitError, match=message):
        of_run(RunFolder(tmp_path), parts_of(patterns))
