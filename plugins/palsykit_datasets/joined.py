"""The data set ``joined``: several data sets as one, such as rendered and real faces."""

from pathlib import Path

from palsykit.faces.joined import Joined
from palsykit.faces.records import FaceDataset


def joined(image_size: int, cache: Path, *, parts: dict[str, FaceDataset]) -> Joined:
    """Join data sets; training meets each photograph equally often, so a part's share is its share of the photographs.

    Keys and subjects begin with the part's name, so the same name in two parts is two people. Splits stay those of the
    parts.

    Args:
        image_size: side of every picture in px.
        cache: each part has its own files in it.
        parts: name -> data set.

    Raises:
        ValueError: the list of parts is empty, or some parts have splits and others leave them to core.
    """
    if not parts:
        raise ValueError("joined: parts is empty; expected {NAME: {use: DATA SET, ...}, ...}")
    found = Joined({name: (dataset, dataset.records) for name, dataset in parts.items()})
    without = sorted({record.key.partition(":")[0] for record in found.records if record.split is None})
    if without and any(record.split is not None for record in found.records):
        raise ValueError(
            f"joined: the photographs of {', '.join(without)} have no split, those of other parts have one; expected "
            "splits for all or for none: set the key splits of the parts that lack them"
        )
    found.rejected = [one for dataset in parts.values() for one in dataset.rejected]
    return found
