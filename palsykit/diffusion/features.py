"""Features of frozen networks, computed once a photograph.

A row's key is a hash of its pixels and landmarks, so equal photographs share an entry whatever batch they come in.
The cache belongs to one model, whose frozen networks do not change; beyond its limit it forgets the least recently
used rows.
"""

import hashlib
from collections import OrderedDict
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from palsykit.interfaces import FaceView

Features = dict[str, Tensor]


def row_keys(view: FaceView) -> list[bytes]:
    """One digest a row of everything an encoder may read: pixels, size, landmarks and labels."""
    image, points = view.image.detach().cpu().contiguous(), view.landmarks.detach().cpu().contiguous()
    keys = []
    for row, labels in enumerate(view.labels):
        digest = hashlib.blake2b(repr((image.shape[1:], labels)).encode(), digest_size=16)
        digest.update(image[row].numpy().tobytes())
        digest.update(points[row].numpy().tobytes())
        keys.append(digest.digest())
    return keys


class FeatureCache:
    """Rows of features by condition and photograph, kept on the CPU.

    Args:
        limit: bytes kept at most.
    """

    def __init__(self, limit: int = 2 << 30):
        self.limit, self.held, self.misses = limit, 0, 0
        self._rows: OrderedDict[tuple[str, bytes], Features] = OrderedDict()

    def features(self, name: str, views: Sequence[FaceView | None], extract: Callable[..., Features]) -> Features:
        """The features of condition ``name``, [B, ...] each, on the views' device; what was seen before is remembered.

        A batch with a new row is extracted whole: matrix products of another size round otherwise, and a run that goes
        on from a checkpoint, its cache empty, meets rows in other company than the run that was not stopped.

        Args:
            views: what ``extract`` is given: one of B rows, further ones of as many or None; a row's features depend on
                its own pictures only.
        """
        first = views[0]
        assert first is not None
        device, nothing = first.image.device, [b""] * len(first)
        columns = [nothing if view is None else row_keys(view) for view in views]
        keys = [(name, b"|".join(row)) for row in zip(*columns, strict=True)]
        missing = [i for i, key in enumerate(keys) if key not in self._rows]
        fresh: dict[int, Features] = {}
        if missing:
            self.misses += len(missing)
            # full precision and no graph: a cached row must not depend on the precision of whoever asked first
            with torch.no_grad(), torch.autocast(device.type, enabled=False):
                extracted = {key: value.float().cpu() for key, value in extract(*views).items()}
            fresh = {i: {key: value[i].clone() for key, value in extracted.items()} for i in missing}
        rows_found = [fresh[i] if i in fresh else self._rows[key] for i, key in enumerate(keys)]
        self._keep({keys[i]: row for i, row in fresh.items()}, keys)
        return {key: torch.stack([row[key] for row in rows_found]).to(device) for key in rows_found[0]}

    def __deepcopy__(self, memo: dict[int, object]) -> "FeatureCache":
        return self  # a model and its EMA read the same frozen networks

    def _keep(self, fresh: dict[tuple[str, bytes], Features], used: list[tuple[str, bytes]]) -> None:
        for key, row in fresh.items():
            self._rows[key] = row
            self.held += _size(row)
        for key in used:
            self._rows.move_to_end(key)
        while self.held > self.limit:
            _, row = self._rows.popitem(last=False)
            self.held -= _size(row)


def _size(row: Features) -> int:
    return sum(value.numel() * value.element_size() for value in row.values())
