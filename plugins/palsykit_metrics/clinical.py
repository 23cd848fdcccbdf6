"""Errors of two clinical measures of facial palsy: facial asymmetry index and commissure excursion."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from palsykit.faces.measures import commissure_excursion, facial_asymmetry_index
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
