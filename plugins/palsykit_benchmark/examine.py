"""Examine a system on the same held-out people, protocol and judges as all others; an interrupted one resumes."""

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

    def measure(self, images: Images) -> dict[str, Statistic]:
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
    """Choose the held-out people as ``generate`` of the judges' recipe says, and read their faces.

    Raises:
        PalsykitError: the data has no pairs for the protocol, or does not know its truth.
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


def synthesise(exam: Examination, synthesiser: Synthesiser, folder: Path, maker: str, seed: int = 0) -> Images:
    """Synthesise the pictures of all rows and passes that the judges need; existing files in ``folder`` are reused.

    Args:
        exam: the rows.
        synthesiser: makes the pictures.
        folder: of the pictures, with one subfolder per pass; its made.json records what they were made from.
        maker: names everything that the pictures depend on besides the rows, such as a run's recipe hash.
        seed: of the noise, together with each row's keys.

    Raises:
        PalsykitError: the folder's pictures were made from something else.
    """
    # Mark the folder with the origin of its pictures, or check that it is the same.
    size = exam.judges.settings.generate.batch_size
    seeds = [row_seed(seed, pair) for pair in exam.pairs]
    origin = {"maker": maker, "rows": [_row(pair) for pair in exam.pairs], "seeds": seeds}
    Claim(folder, MARKER, "benchmark's pictures", "name another folder").take(origin)

    # The first pass, which is timed, and then the others.
    def run_pass(name: str, faces: FaceBatch, rows: list[int]) -> Tensor:
        maker = Timed(synthesiser, folder / SECONDS) if name == FIRST else synthesiser
        return synthesise_pass(maker, faces, rows, folder / name, size, f"{exam.protocol.name}: {name}")

    images = Images(run_pass(FIRST, exam.faces, seeds))
    further_passes(images, exam.needs, exam.faces, exam.pairs, seed, run_pass)
    return images


def synthesis_seconds(folder: Path) -> float | None:
    """Seconds per picture of the first pass, from a folder of ``synthesise``; None if they were not counted."""
    if not (folder / SECONDS).exists():
        return None
    counted = json.loads((folder / SECONDS).read_text(encoding="utf-8"))
    return float(counted["seconds"]) / int(counted["images"])


@dataclass(frozen=True)
class Timed:
    """A synthesiser that adds up its seconds in the JSON file ``clock``."""

    synthesiser: Synthesiser
    clock: Path

    def generate(self, batch: FaceBatch, seeds: Sequence[int]) -> Tensor:
        """The synthesiser's pictures, on the CPU: the copy waits until the device has finished."""
        began = time.monotonic()
        pictures = self.synthesiser.generate(batch, seeds).cpu()
        seconds = time.monotonic() - began
        before = json.loads(self.clock.read_text(encoding="utf-8")) if self.clock.exists() else {}
        counted = {"images": before.get("images", 0) + len(batch), "seconds": before.get("seconds", 0.0) + seconds}
        write_text(self.clock, json.dumps(counted) + "\n")
        return pictures


def _row(pair: Pair) -> list[str]:
    return [pair.identity.key, pair.record.key]
