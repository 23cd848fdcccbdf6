"""Cache of a frozen network's outputs: each picture is computed once.

A row's key is a hash of its pixels, so equal photographs share an entry in whatever batch they come. A cache belongs
to one network with fixed weights; above its limit it drops the least recently used rows.
"""

from collections import OrderedDict
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from palsykit.devices import sent
from palsykit.faces.keys import row_keys

Features = dict[str, Tensor]


class FeatureCache:
    """Features per picture, stored on the CPU.

    Args:
        limit: maximum size in bytes.
    """

    def __init__(self, limit: int = 1 << 30):
        self.limit, self.held, self.misses = limit, 0, 0
        self._rows: OrderedDict[bytes, Features] = OrderedDict()

    def features(
        self, images: Tensor, extract: Callable[[Tensor], Features], keys: Sequence[bytes] | None = None
    ) -> Features:
        """The output of ``extract`` for pictures [B, 3, H, W]: [B, ...] each, on their device, in full precision.

        ``keys`` are those of ``row_keys``, if the caller has them already.

        If any row is new, the whole batch is extracted, because matrix products of another size round differently. A
        resumed run starts with an empty cache, so otherwise it would extract rows in other batches than a run that
        was not stopped.
        """
        keys = row_keys(images) if keys is None else keys
        missing = [i for i, key in enumerate(keys) if key not in self._rows]
        fresh: dict[int, Features] = {}
        if missing:
            self.misses += len(missing)
            extracted = self._extracted(images, extract)
            fresh = {i: {key: value[i].clone() for key, value in extracted.items()} for i in missing}
        rows = [fresh[i] if i in fresh else self._rows[key] for i, key in enumerate(keys)]
        self._keep({keys[i]: row for i, row in fresh.items()}, keys)
        return {key: sent(torch.stack([row[key] for row in rows]), images.device) for key in rows[0]}

    @staticmethod
    def _extracted(images: Tensor, extract: Callable[[Tensor], Features]) -> Features:
        # Full precision and no graph: a cached row must not depend on the first caller's precision. No inference
        # mode: its tensors can never be part of a graph, and a cached row may become part of one.
        with torch.inference_mode(False), torch.no_grad(), torch.autocast(images.device.type, enabled=False):
            pictures = images.clone() if images.is_inference() else images
            return {key: value.float().cpu() for key, value in extract(pictures).items()}

    def _keep(self, fresh: dict[bytes, Features], used: Sequence[bytes]) -> None:
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
