"""The examination of a system: the same held-out people, protocol and judges for all; an interrupted one resumes."""

import hashlib
import json
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from torch import Tensor

from palsykit.errors import PalsykitError
from palsykit.faces.pairing import Pair
from palsykit.faces.views import batch
from palsykit.files.atomic import write_text
from palsykit.files.claims import Claim
from palsykit.interfaces import FaceBatch, Images, Synthesiser
from palsykit.measure.passes import check_needs, further_passes, synthesise_pass
from palsykit.measure.statistics import Statistic, measure
from palsykit.metrics import needs
from palsykit.run.evaluate import build_metrics
from palsykit.run.generate import row_seed
from palsykit.run.parts import Parts
from palsykit_benchmark.protocols import SELF, Protocol

FIRST, SECONDS, MARKER = "generated", "seconds.json", "made.json"


@dataclass(frozen=True)
class Examination:
    """The rows of an examination and the judges.

    Attributes:
        judges: parts whose metrics measure.
        pairs: N rows.
        faces: the rows, with their truth if the protocol has one.
        needs: passes that the metrics need after the first.
    """

    judges: Parts
    protocol: Protocol
    pairs: Sequence[Pair]
    faces: FaceBatch
    needs: frozenset[str] = field(default_factory=frozenset)

    @property
    def rows_name(self) -> str:
        """A folder name for the rows' pictures; protocols that need the same pictures share it."""
        rows = json.dumps([_row(pair) for pair in self.pairs])
        return f"rows-{hashlib.sha256(rows.encode()).hexdigest()[:10]}"

    @property
    def subjects(self) -> list[str]:
        """The person that each row should show; the bootstrap draws a person's rows together."""
        return [str(pair.identity.labels.subject) for pair in self.pairs]

    def measured(self, images: Images) -> dict[str, Statistic]:
        """The judges' figures of pictures, by name; metrics that need a missing pass are left out."""
        there = {name for name in self.needs if getattr(images, name) is not None}
        metrics = {
            name: metric for name, metric in build_metrics(self.judges).items() if needs(metric) <= {FIRST, *there}
        }
        return measure(metrics, self.faces, images, self.judges.settings.generate.batch_size)

    def ceiling(self) -> tuple["Examination", Images]:
        """A perfect synthesis and the rows to measure it on: the truth compared with itself.

        If the protocol has no truth: the people's own real photographs, each with its own labels.
        """
        if self.faces.target is not None:
            return self, _perfect(self.faces, self.faces.target.image)
        data, settings = self.judges.data(), self.judges.settings
        own = SELF.chosen(data.splits[settings.generate.split], settings.generate.identities, settings.seed)
        faces = batch(data.dataset, own).to(self.judges.device)
        real = Examination(self.judges, self.protocol, own, FaceBatch(faces.identity, faces.driver), self.needs)
        return real, _perfect(real.faces, faces.driver.image)


def _perfect(faces: FaceBatch, image: Tensor) -> Images:
    return Images(image, image, faces.identity.image)


def examination(judges: Parts, protocol: Protocol) -> Examination:
    """The held-out people of the judges' recipe, as its ``generate`` chooses them.

    Raises:
        PalsykitError: for data that does not know the protocol's truth or gives it nothing to do.
    """
    settings, data = judges.settings, judges.data()
    pairs = protocol.chosen(data.splits[settings.generate.split], settings.generate.identities, settings.seed)
    if not pairs:
        raise PalsykitError(
            f"{judges.recipe.name}: no pairs for {protocol.name} in the split {settings.generate.split!r}; expected "
            "people with a photograph at rest and others making the same expressions"
        )
    try:
        faces = protocol.faces(data.dataset, pairs).to(judges.device)
    except ValueError as error:
        raise PalsykitError(f"{judges.recipe.name}: {protocol.name}: {error}") from error
    return Examination(judges, protocol, pairs, faces, check_needs(build_metrics(judges)))


def synthesised(exam: Examination, synthesiser: Synthesiser, folder: Path, maker: str, seed: int = 0) -> Images:
    """Every row's pictures of every pass that the judges need; skips existing files in ``folder``.

    Args:
        exam: whose rows.
        synthesiser: makes them.
        folder: of the pictures, a folder a pass; its made.json says of what they were made.
        maker: names everything that the pictures depend on beside the rows, such as a run's recipe hash.
        seed: of the noise, with each row's keys.

    Raises:
        PalsykitError: the folder's pictures were made of something else.
    """
    size = exam.judges.settings.generate.batch_size
    seeds = [row_seed(seed, pair) for pair in exam.pairs]
    made_of = {"maker": maker, "rows": [_row(pair) for pair in exam.pairs], "seeds": seeds}
    claim = Claim(folder, MARKER, "benchmark's pictures", "name another folder")
    if claim.begun():
        claim.compare(claim.read(), made_of)
    else:
        write_text(folder / MARKER, json.dumps(made_of) + "\n")

    def synthesise(name: str, faces: FaceBatch, rows: list[int]) -> Tensor:
        maker = Timed(synthesiser, folder / SECONDS) if name == FIRST else synthesiser
        return synthesise_pass(maker, faces, rows, folder / name, size, f"{exam.protocol.name}: {name}")

    images = Images(synthesise(FIRST, exam.faces, seeds))
    further_passes(images, exam.needs, exam.faces, exam.pairs, seed, synthesise)
    return images


def synthesis_seconds(folder: Path) -> float | None:
    """Seconds a picture of the first pass took in a folder of ``synthesised``; None where that was not counted."""
    if not (folder / SECONDS).exists():
        return None
    counted = json.loads((folder / SECONDS).read_text(encoding="utf-8"))
    return float(counted["seconds"]) / int(counted["images"])


@dataclass(frozen=True)
class Timed:
    """A synthesiser whose seconds are added up in the JSON file ``clock``."""

    synthesiser: Synthesiser
    clock: Path

    def generate(self, batch: FaceBatch, seeds: Sequence[int]) -> Tensor:
        """The synthesiser's pictures, on the CPU: a device that is still at work is waited for."""
        began = time.monotonic()
        pictures = self.synthesiser.generate(batch, seeds).cpu()
        taken = time.monotonic() - began
        before = json.loads(self.clock.read_text(encoding="utf-8")) if self.clock.exists() else {}
        counted = {"images": before.get("images", 0) + len(batch), "seconds": before.get("seconds", 0.0) + taken}
        write_text(self.clock, json.dumps(counted) + "\n")
        return pictures


def _row(pair: Pair) -> list[str]:
    return [pair.identity.key, pair.record.key]
