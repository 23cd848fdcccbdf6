"""Passes of synthesis that metrics ask for: the first, and those that begin from what the first made."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from palsykit.errors import PalsykitError
from palsykit.faces.pairing import Pair
from palsykit.faces.views import to_pictures, to_tensor
from palsykit.files.pictures import read_png, synthesise_to
from palsykit.interfaces import FaceBatch, FaceView, Images, Metric, Synthesiser
from palsykit.metrics import needs
from palsykit.seeds import derive


@dataclass(frozen=True)
class FurtherPass:
    """A further synthesis from the first.

    Attributes:
        faces: (the rows, the pictures of the first synthesis) -> what is synthesised from.
        seed: (run's seed, row) -> the seed of its noise.
    """

    faces: Callable[[FaceBatch, Tensor], FaceBatch]
    seed: Callable[[int, Pair], int]


PASSES = {
    # every condition is taken from the first synthesis
    "regenerated": FurtherPass(
        lambda faces, first: FaceBatch(_seen(first, faces.identity), _seen(first, faces.driver)),
        lambda seed, pair: derive("again", seed, pair.record.key),
    ),
    # the first synthesis is driven by the identity photograph
    "swapped_back": FurtherPass(
        lambda faces, first: FaceBatch(_seen(first, faces.identity), faces.identity),
        lambda seed, pair: derive("back", seed, pair.identity.key, pair.record.key),
    ),
}
"""By the name under which ``Images`` has them and metrics need them."""


def check_needs(metrics: Mapping[str, Metric]) -> frozenset[str]:
    """The passes that metrics need beyond the first.

    Raises:
        PalsykitError: for one that core does not make.
    """
    found: frozenset[str] = frozenset().union(*map(needs, metrics.values())) - {"generated"}
    if unknown := found - set(PASSES):
        raise PalsykitError(
            f"metrics need the passes {sorted(unknown)}; core makes {sorted(PASSES)}; use other metrics"
        )
    return found


def further_passes(
    images: Images,
    needs: Collection[str],
    faces: FaceBatch,
    pairs: Sequence[Pair],
    seed: int,
    synthesise: Callable[[str, FaceBatch, list[int]], Tensor],
) -> None:
    """Adds the passes ``needs`` to images that have the first.

    Args:
        images: of N rows.
        needs: names in PASSES.
        faces: the rows.
        pairs: the same rows.
        seed: of the run.
        synthesise: (pass, what it is synthesised from, seeds of the noise) -> pictures [N, 3, H, W].
    """
    for name in sorted(needs):
        again = PASSES[name]
        seeds = [again.seed(seed, pair) for pair in pairs]
        setattr(images, name, synthesise(name, again.faces(faces, images.generated), seeds))


def synthesise_pass(
    synthesiser: Synthesiser,
    faces: FaceBatch,
    seeds: Sequence[int],
    folder: Path,
    size: int,
    title: str,
) -> Tensor:
    """Synthesises one picture per row and saves it as PNG; skips existing files.

    Args:
        synthesiser: makes them.
        faces: N rows.
        seeds: of each row's noise.
        folder: of the PNG files.
        size: rows at a time.
        title: of the progress.

    Returns:
        Pictures [N, 3, H, W] as read back from the files, because metrics see 8-bit pictures.
    """
    files = [folder / f"{number:05d}.png" for number in range(len(seeds))]

    def synthesise(rows: range) -> NDArray[np.uint8]:
        with torch.inference_mode():
            made = synthesiser.generate(faces.rows(rows.start, rows.stop), seeds[rows.start : rows.stop])
        return to_pictures(made)

    synthesise_to(files, synthesise, size, title)
    return to_tensor(np.stack([read_png(file) for file in files])).to(faces.identity.image.device)


def _seen(image: Tensor, view: FaceView) -> FaceView:
    """A view of synthesised pictures: what was asked for is known of them, their landmarks are not."""
    return replace(FaceView.of_images(image), labels=view.labels)
