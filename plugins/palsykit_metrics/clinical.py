"""Errors of clinical measures of facial palsy: asymmetry index, commissure excursion, and lengths in mm."""

import math

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from palsykit.faces.measures import (
    brow_height,
    commissure_excursion,
    facial_asymmetry_index,
    palpebral_fissure,
    px_per_mm,
)
from palsykit.faces.vocabulary import Side
from palsykit.interfaces import FaceBatch, FaceView, Images, MetricCard, Network
from palsykit.metrics import target_labels
from palsykit_metrics.reading import describe_network, points

Values = NDArray[np.float64]
_UNIT = "% of the outer eye distance"
_WARNING = "faces should look into the camera; includes the landmark network's own errors"


class FacialAsymmetry:
    """Error of the facial asymmetry index (FAI, Malm et al. 2018; palsykit/faces/measures.py) against the target's.

    The index is the distance from medial canthus to commissure on the left minus that on the right. Here it is signed,
    so an asymmetry of the wrong side counts twice. The target's landmarks are the data set's, or, if it has none, those
    that the same network finds in the target.

    Args:
        network: the landmark network.
    """

    def __init__(self, *, network: Network | str = "points"):
        self._network = network
        self.card = MetricCard(
            name="Facial asymmetry index error",
            definition="|FAI of the generated picture - FAI of the target|, FAI = left minus right distance from the "
            "medial canthus to the commissure, signed",
            unit=_UNIT,
            better="lower",
            source=f"Malm et al. 2018; palsykit.faces.measures; landmarks by {describe_network(network)}",
            note=_WARNING,
        )

    def read(self, batch: FaceBatch, images: Images) -> dict[str, Tensor]:
        """{"facial_asymmetry_error": [B]}; NaN without a target."""
        if batch.target is None:
            return {"facial_asymmetry_error": _undefined(batch)}
        generated = facial_asymmetry_index(_detect(self._network, images.generated))
        target = facial_asymmetry_index(_landmarks(self._network, batch.target))
        return {"facial_asymmetry_error": _percent(np.abs(generated - target))}


class CommissureExcursion:
    """Error of the commissure excursion against the target's; the identity photograph shows the face at rest.

    The distance that each corner of the mouth moves is the standard measure of a smile (Emotrics: Guarin et al., JAMA
    Facial Plast Surg 2018, 20(4):335), there in mm, here in outer eye distances. ``commissure_excursion_error`` is the
    mean over both corners, ``commissure_excursion_affected`` the error of the affected side alone, if it is known.
    Landmarks are the data set's, or, if it has none, those that the same network finds.

    Args:
        network: the landmark network.
    """

    def __init__(self, *, network: Network | str = "points"):
        self._network = network
        definition = "|excursion in the generated picture - excursion in the target|; excursion: distance of a corner "
        definition += "of the mouth from its position in the identity photograph, each face in its own axes and unit"
        source = "after Emotrics (Guarin et al. 2018); palsykit.faces.measures; landmarks by "
        source += describe_network(network)
        note = f"NaN if the identity photograph is labelled as not at rest; {_WARNING}"
        self.card = MetricCard(
            "Commissure excursion error", f"{definition}; mean of both corners", _UNIT, "lower", source, note
        )
        self.cards = {
            "commissure_excursion_affected": MetricCard(
                "Commissure excursion error, affected side",
                f"{definition}; the affected side's corner",
                _UNIT,
                "lower",
                source,
                f"palsies of one side only; {note}",
            )
        }

    def read(self, batch: FaceBatch, images: Images) -> dict[str, Tensor]:
        """{"commissure_excursion_error": [B], "commissure_excursion_affected": [B]}; NaN without target or rest."""
        names = ("commissure_excursion_error", "commissure_excursion_affected")
        if batch.target is None:
            return {name: _undefined(batch) for name in names}
        # Excursions of target and generated picture from the face at rest.
        rest = _landmarks(self._network, batch.identity)
        rest[[face.expression not in (None, "rest") for face in batch.identity.labels]] = np.nan
        target = commissure_excursion(_landmarks(self._network, batch.target), rest)
        generated = commissure_excursion(_detect(self._network, images.generated), rest)
        right, left = np.abs(generated.right - target.right), np.abs(generated.left - target.left)
        # The affected side's error.
        sides = [face.side for face in target_labels(batch)]
        affected = np.select(
            [[side is Side.RIGHT for side in sides], [side is Side.LEFT for side in sides]], [right, left]
        )
        affected[[side not in (Side.RIGHT, Side.LEFT) for side in sides]] = np.nan
        return dict(zip(names, map(_percent, ((right + left) / 2, affected)), strict=True))


class Lengths:
    """Asked against measured lengths in mm, on each of the subject's sides, as `palsykit measure --rest` gives them.

    Three lengths: the distance that each corner of the mouth has moved from rest, the palpebral fissure (the gap left,
    of eyes to be shut), and the movement of each brow. The asked length comes from the target's landmarks: those of the
    data set, or, if it has none, those that the network finds in the target. The measured one comes from the landmarks
    that the network finds in the generated picture. Rest is the identity photograph, with landmarks of the same kind,
    so a network's constant error for a person cancels out. mm are those of a face with 63 mm between the pupils.

    For each length: ``*_error``, the mean absolute difference, and ``*_slope``, the slope of the line by least squares
    of measured on asked lengths: below 1, large movements are too small.

    Args:
        network: the landmark network.
    """

    def __init__(self, *, network: Network | str = "points"):
        self._network = network
        source = (
            f"after Emotrics (Guarin et al. 2018); palsykit.faces.measures; landmarks by {describe_network(network)}"
        )

        def error(name: str, length: str) -> MetricCard:
            definition = f"mean absolute difference between asked and measured {length}, both sides"
            return MetricCard(f"{name}: error", definition, "mm", "lower", source, _WARNING)

        def slope(name: str, length: str) -> MetricCard:
            definition = f"slope by least squares of measured on asked {length}, both sides"
            return MetricCard(f"{name}: slope", definition, "mm per mm, 1 is right", "higher", source, _WARNING)

        self.card = error(*_LENGTHS["corner"])
        cards = {f"{key}_{card.__name__}": card(*text) for key, text in _LENGTHS.items() for card in (error, slope)}
        self.cards = {name: card for name, card in cards.items() if name != "corner_error"}

    def read(self, batch: FaceBatch, images: Images) -> dict[str, Tensor]:
        """Length -> (asked right, asked left, measured right, measured left) in mm [B, 4]; NaN if unknown."""
        if batch.target is None:
            return {name: torch.full((len(batch), 4), torch.nan) for name in _LENGTHS}
        moves = [face.expression in (None, "rest") for face in batch.identity.labels]
        asked = _in_mm(_landmarks(self._network, batch.target), _landmarks(self._network, batch.identity), moves)
        found = _in_mm(_detect(self._network, images.generated), _detect(self._network, batch.identity.image), moves)
        return {name: torch.from_numpy(np.concatenate([asked[name], found[name]], 1)) for name in _LENGTHS}

    def figures(self, rows: dict[str, Tensor]) -> dict[str, float]:
        """The six figures that the cards define; a slope is NaN if fewer than two asked lengths differ."""
        figures = {}
        for name, values in rows.items():
            asked, found = values.numpy().reshape(-1, 2, 2).swapaxes(0, 1).reshape(2, -1)
            both = ~np.isnan(asked) & ~np.isnan(found)
            asked, found = asked[both], found[both]
            figures[f"{name}_error"] = float(np.abs(found - asked).mean()) if len(asked) else math.nan
            differ = len(asked) > 1 and np.ptp(asked) > 0
            figures[f"{name}_slope"] = float(np.polyfit(asked, found, 1)[0]) if differ else math.nan
        return figures


_LENGTHS = {
    "corner": ("Corner of the mouth", "distance of a corner of the mouth from its place at rest"),
    "lid": ("Palpebral fissure", "palpebral fissure"),
    "brow": ("Brow", "movement of a brow, up or down, from its place at rest"),
}
"""Length -> its name and what it is."""


def _in_mm(faces: Values, rest: Values, moves: list[bool]) -> dict[str, Values]:
    """The lengths of ``_LENGTHS`` for faces [B, 68, 2], each (right, left) [B, 2]; movements NaN unless ``moves``."""
    units = px_per_mm(faces), px_per_mm(rest)
    still = np.where(np.array(moves)[:, None, None], rest, np.nan)
    brows = zip(brow_height(faces, units[0]), brow_height(still, units[1]), strict=True)
    return {
        "corner": np.stack(commissure_excursion(faces, still, *units), 1),
        "lid": np.stack(palpebral_fissure(faces, units[0]), 1),
        "brow": np.stack([now - before for now, before in brows], 1),
    }


def _detect(network: Network | str, image: Tensor) -> Values:
    """The landmarks [B, 68, 2] that the network finds."""
    return points(network, image).cpu().numpy().astype(np.float64)


def _landmarks(network: Network | str, view: FaceView) -> Values:
    """The data set's landmarks [B, 68, 2]; missing ones are the network's."""
    given = view.landmarks.cpu().numpy().astype(np.float64)
    missing = np.isnan(given)
    return np.where(missing, _detect(network, view.image), given) if missing.any() else given


def _percent(values: Values) -> Tensor:
    return torch.from_numpy(100 * values).float()


def _undefined(batch: FaceBatch) -> Tensor:
    return torch.full((len(batch),), torch.nan)
