"""Systems side by side: the same held-out people, protocol and judges for each; pictures are kept and gone on with."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from palsykit.atomic import write_text
from palsykit.errors import PalsykitError
from palsykit.faces.pairing import Pair
from palsykit.faces.views import to_pictures, to_tensor
from palsykit.interfaces import FaceBatch, Images, Synthesiser
from palsykit.progress import track
from palsykit.run.evaluate import built_metrics
from palsykit.run.generate import read_png, row_seed, save_png
from palsykit.run.measure import Statistic, measure
from palsykit.run.parts import Parts
from palsykit.run.protocols import Protocol


@dataclass(frozen=True)
class Examination:
    """Who is examined and how.

    Attributes:
        judges: parts whose metrics measure.
        pairs: N rows.
        faces: the rows with their truth.
    """

    judges: Parts
    protocol: Protocol
    pairs: Sequence[Pair]
    faces: FaceBatch

    @property
    def subjects(self) -> list[str]:
        """Whose face each row should show; intervals draw them whole."""
        return [str(pair.identity.labels.subject) for pair in self.pairs]

    def truth(self) -> Tensor:
        """What a perfect synthesis would be, [N, 3, H, W]."""
        assert self.faces.target is not None  # every protocol has one
        return self.faces.target.image

    def measured(self, generated: Tensor) -> dict[str, Statistic]:
        """The judges' figures of pictures [N, 3, H, W], by name."""
        metrics = {n: m for n, m in built_metrics(self.judges).items() if "regenerated" not in m.needs}
        return measure(metrics, self.faces, Images(generated), self.judges.settings.generate.batch_size)


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
    return Examination(judges, protocol, pairs, faces)


def synthesised(exam: Examination, synthesiser: Synthesiser, folder: Path, maker: str, seed: int = 0) -> Tensor:
    """Every row's picture [N, 3, H, W], 8-bit as saved; what is in ``folder`` already is not made again.

    Args:
        exam: whose rows.
        synthesiser: makes them.
        folder: of the pictures; its made.json says of what they were made.
        maker: names everything that the pictures depend on beside the rows, such as a run's recipe hash.
        seed: of the noise, with each row's keys.

    Raises:
        PalsykitError: the folder's pictures were made of something else.
    """
    seeds = [row_seed(seed, pair) for pair in exam.pairs]
    _claim(folder, {"maker": maker, "protocol": exam.protocol.name, "rows": [_row(pair) for pair in exam.pairs],
                    "seeds": seeds})  # fmt: skip
    files = [folder / f"{number:05d}.png" for number in range(len(seeds))]
    size = exam.judges.settings.generate.batch_size
    with track(f"{exam.protocol.name} {folder.parent.name}", len(seeds), "images") as progress:
        for start in range(0, len(seeds), size):
            part = files[start : start + size]
            if not all(file.exists() for file in part):
                with torch.inference_mode():
                    made = synthesiser.generate(exam.faces.rows(start, start + size), seeds[start : start + size])
                for file, picture in zip(part, to_pictures(made), strict=True):
                    save_png(picture, file)
            progress.advance(len(part))
    return to_tensor(np.stack([read_png(file) for file in files])).to(exam.judges.device)


def _row(pair: Pair) -> list[str]:
    return [pair.identity.key, pair.record.key]


def _claim(folder: Path, made: dict[str, object]) -> None:
    """Marks a folder's pictures as made of this; refuses one that is marked otherwise."""
    file = folder / "made.json"
    if not file.exists():
        write_text(file, json.dumps(made) + "\n")
    elif json.loads(file.read_text(encoding="utf-8")) != made:
        raise PalsykitError(
            f"{folder}: its pictures were made by another model or of other people; remove the folder, or name another"
        )
