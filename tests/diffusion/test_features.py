"""What is remembered of a photograph does not depend on what else was seen, or when."""

import torch
from torch import Tensor

from palsykit.diffusion.features import FeatureCache
from palsykit.interfaces import FaceView
from palsykit.testing.stand_ins import Networks, faces

SIZE = 32


def test_a_row_is_the_same_to_the_last_bit_whichever_rows_were_known() -> None:
    """As after a checkpoint: the cache is empty, and the first batch is another one than it was."""
    view, seen = faces(6, SIZE, "people"), Networks(SIZE)["recognition"].module
    asked: list[int] = []

    def extract(rows: FaceView) -> dict[str, Tensor]:
        asked.append(len(rows))
        embedding: Tensor = seen(rows.image).embedding
        return {"embedding": embedding, "company": torch.full((len(rows), 1), float(len(rows)))}

    whole, later = FeatureCache(), FeatureCache()
    whole.features("who", [view.rows(0, 4)], extract)
    first = whole.features("who", [view.rows(2, 6)], extract)
    again = later.features("who", [view.rows(2, 6)], extract)
    assert all(torch.equal(first[key], again[key]) for key in first)
    assert asked == [4, 4, 4]
    assert (whole.misses, later.misses) == (6, 4)


def test_a_batch_that_is_known_is_not_extracted() -> None:
    view, cache, asked = faces(4, SIZE, "people"), FeatureCache(), []

    def extract(rows: FaceView) -> dict[str, Tensor]:
        asked.append(len(rows))
        return {"mean": rows.image.mean((1, 2, 3))}

    found = cache.features("who", [view], extract)
    turned = FaceView(view.image.flip(0), view.landmarks.flip(0), view.labels[::-1])
    assert torch.equal(cache.features("who", [turned], extract)["mean"], found["mean"].flip(0))
    assert asked == [4]
