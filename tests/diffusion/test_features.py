"""What is remembered of a photograph does not depend on what else was seen, or when."""

import torch
from torch import Tensor

from palsykit.diffusion.features import FeatureCache
from palsykit.testing.stand_ins import Networks, faces

SIZE = 32


def test_a_row_is_the_same_to_the_last_bit_whichever_rows_were_known() -> None:
    """As after a checkpoint: the cache is empty, and the first batch is another one than it was."""
    images, seen = faces(6, SIZE, "people").image, Networks(SIZE)["recognition"].module
    asked: list[int] = []

    def extract(rows: Tensor) -> dict[str, Tensor]:
        asked.append(len(rows))
        embedding: Tensor = seen(rows).embedding
        return {"embedding": embedding, "company": torch.full((len(rows), 1), float(len(rows)))}

    whole, later = FeatureCache(), FeatureCache()
    whole.features(images[:4], extract)
    first = whole.features(images[2:6], extract)
    again = later.features(images[2:6], extract)
    assert all(torch.equal(first[key], again[key]) for key in first)
    assert asked == [4, 4, 4]
    assert (whole.misses, later.misses) == (6, 4)


def test_a_batch_that_is_known_is_not_extracted() -> None:
    images, cache, asked = faces(4, SIZE, "people").image, FeatureCache(), []

    def extract(rows: Tensor) -> dict[str, Tensor]:
        asked.append(len(rows))
        return {"mean": rows.mean((1, 2, 3))}

    found = cache.features(images, extract)
    assert torch.equal(cache.features(images.flip(0), extract)["mean"], found["mean"].flip(0))
    assert asked == [4]


def test_cached_rows_have_full_precision_and_work_in_a_later_graph() -> None:
    images, cache = faces(2, SIZE, "people").image, FeatureCache()
    weight = torch.randn(3, 3, requires_grad=True)

    def extract(rows: Tensor) -> dict[str, Tensor]:
        return {"mixed": torch.einsum("bchw,cd->bdhw", rows, weight)}

    with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16):
        cache.features(images.clone(), extract)
    found = cache.features(images, extract)["mixed"]
    assert not found.requires_grad
    assert torch.equal(found, extract(images)["mixed"].detach())
    (found * torch.ones((), requires_grad=True)).sum().backward()
