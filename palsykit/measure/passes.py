"""Synthesis passes that metrics need: the first, and further ones that start from the first one's pictures."""

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
    """A synthesis pass that starts from the pictures of the first pass.

    Attributes:
        faces: (the rows, the pictures of the first pass) -> the views to synthesise from.
        seed: (run's seed, row) -> seed of the row's noise.
    """

    faces: Callable[[FaceBatch, Tensor], FaceBatch]
    seed: Callable[[int, Pair], int]


PASSES = {
    # every condition is read from the first pass's pictures
    "regenerated": FurtherPass(
        lambda faces, first: FaceBatch(_seen(first, faces.identity), _seen(first, faces.driver)),
        lambda seed, pair: derive("again", seed, pair.record.key),
    ),
    # the first pass's pictures are identities; the identity photographs are drivers
    "swapped_back": FurtherPass(
        lambda faces, first: FaceBatch(_seen(first, faces.identity), faces.identity),
        lambda seed, pair: derive("back", seed, pair.identity.key, pair.record.key),
    ),
}
"""Further passes by name: a field of ``Images``, which a metric lists in ``needs``."""


def check_needs(metrics: Mapping[str, Metric]) -> frozenset[str]:
    """The names of the passes that metrics need beyond the first.

    Raises:
        PalsykitError: a metric needs a pass that core does not offer.
    """
    names: frozenset[str] = frozenset().union(*map(needs, metrics.values())) - {"generated"}
    if unknown := names - set(PASSES):
        raise PalsykitError(
            f"metrics need the passes {sorted(unknown)}; palsykit offers {sorted(PASSES)}; use other metrics"
        )
    return names


def further_passes(
    images: Images,
    needs: Collection[str],
    faces: FaceBatch,
    pairs: Sequence[Pair],
    seed: int,
    synthesise: Callable[[str, FaceBatch, list[int]], Tensor],
) -> None:
    """Synthesise the passes ``needs`` and store them in ``images``, which has the first pass.

    Args:
        images: of N rows.
        needs: names in PASSES.
        faces: the rows.
        pairs: the same rows.
        seed: of the run.
        synthesise: (name of the pass, views to synthesise from, seeds of the noise) -> pictures [N, 3, H, W].
    """
    for name in sorted(needs):
        further = PASSES[name]
        seeds = [further.seed(seed, pair) for pair in pairs]
        setattr(images, name, synthesise(name, further.faces(faces, images.generated), seeds))


def synthesise_pass(
    synthesiser: Synthesiser,
    faces: FaceBatch,
    seeds: Sequence[int],
    folder: Path,
    size: int,
    title: str,
) -> Tensor:
    """Synthesise one picture per row and save it as PNG; skips existing files.

    Args:
        synthesiser: makes the pictures.
        faces: N rows.
        seeds: of each row's noise.
        folder: for the PNG files.
        size: rows per batch.
        title: of the progress bar.

    Returns:
        Pictures [N, 3, H, W] as read back from the files, because metrics see 8-bit pictures.
    """
    files = [folder / f"{number:05d}.png" for number in range(len(seeds))]

    def synthesise(rows: range) -> NDArray[np.uint8]:
        with torch.inference_mode():
            pictures = synthesiser.generate(faces.rows(rows.start, rows.stop), seeds[rows.start : rows.stop])
        return to_pictures(pictures)

    synthesise_to(files, synthesise, size, title, facts=lambda row: {"seed": seeds[row]})
    return to_tensor(np.stack([read_png(file) for file in files])).to(faces.identity.image.device)


def _seen(image: Tensor, view: FaceView) -> FaceView:
    """A view of synthesised pictures: it has the labels of ``view``, and no landmarks."""
    return replace(FaceView.of_images(image), labels=view.labels)
