"""Clinical measures of facial palsy as errors against the truth: facial asymmetry index and commissure excursion."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from palsykit.faces.vocabulary import Side
from palsykit.interfaces import FaceBatch, FaceView, Images, MetricCard, Network
from palsykit.metrics import target_labels
from palsykit_metrics.asymmetry_index import commissure_excursion, facial_asymmetry_index
from palsykit_metrics.reading import called, points

Values = NDArray[np.float64]
_UNIT = "% of the outer eye distance"
_WARNING = "faces should look into the camera; the landmark network's own errors count"


class FacialAsymmetry:
    """Error of the facial asymmetry index (FAI, Malm et al. 2018; asymmetry_index.py) against the target's.

    The index is the difference between the distances from medial canthus to commissure on the left and on the right,
    here signed, so that an asymmetry of the wrong side counts twice. The target's landmarks are the data set's where it
    has them, else those that the same network finds in the target.

    Args:
        network: the landmark network.
    """

    def __init__(self, *, network: Network | str = "points"):
        self._network = network
        self.card = MetricCard(
            name="Facial asymmetry index error",
            definition="|FAI of the generated picture - FAI of the target|, FAI = left less right distance from the "
            "medial canthus to the commissure, signed",
            unit=_UNIT,
            better="lower",
            source=f"Malm et al. 2018; palsykit_metrics.asymmetry_index; landmarks by {called(network)}",
            note=_WARNING,
        )

    def read(self, batch: FaceBatch, images: Images) -> dict[str, Tensor]:
        """{"facial_asymmetry_error": [B]}; NaN without a target."""
        if batch.target is None:
            return {"facial_asymmetry_error": _undefined(batch)}
        found = facial_asymmetry_index(_found(self._network, images.generated))
        wanted = facial_asymmetry_index(_known(self._network, batch.target))
        return {"facial_asymmetry_error": _percent(np.abs(found - wanted))}


class CommissureExcursion:
    """Error of the commissures' excursion from the identity photograph, which is at rest, against the target's.

    How far each corner of the mouth moves is the standard measure of a smile (Emotrics: Guarin et al., JAMA Facial
    Plast Surg 2018, 20(4):335), in mm there; here in outer eye distances. ``commissure_excursion_error`` is the mean
    over both corners, ``commissure_excursion_affected`` that of the affected side alone, where one is known.
    Landmarks are the data set's where it has them, else those that the same network finds.

    Args:
        network: the landmark network.
    """

    def __init__(self, *, network: Network | str = "points"):
        self._network = network
        definition = "|excursion in the generated picture - excursion in the target|, how far a corner of the mouth "
        definition += "lies from where it is in the identity photograph, each face in its own axes and unit"
        source = (
            f"after Emotrics (Guarin et al. 2018); palsykit_metrics.asymmetry_index; landmarks by {called(network)}"
        )
        note = f"NaN where the identity photograph is known not to be at rest; {_WARNING}"
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
                f"of palsies of one side; {note}",
            )
        }

    def read(self, batch: FaceBatch, images: Images) -> dict[str, Tensor]:
        """{"commissure_excursion_error": [B], "commissure_excursion_affected": [B]}; NaN without target or rest."""
        names = ("commissure_excursion_error", "commissure_excursion_affected")
        if batch.target is None:
            return {name: _undefined(batch) for name in names}
        rest = _known(self._network, batch.identity)
        rest[[face.expression not in (None, "rest") for face in batch.identity.labels]] = np.nan
        wanted = commissure_excursion(_known(self._network, batch.target), rest)
        found = commissure_excursion(_found(self._network, images.generated), rest)
        right, left = np.abs(found.right - wanted.right), np.abs(found.left - wanted.left)
        sides = [face.side for face in target_labels(batch)]
        affected = np.select(
            [[side is Side.RIGHT for side in sides], [side is Side.LEFT for side in sides]], [right, left]
        )
        affected[[side not in (Side.RIGHT, Side.LEFT) for side in sides]] = np.nan
        return dict(zip(names, map(_percent, ((right + left) / 2, affected)), strict=True))


def _found(network: Network | str, image: Tensor) -> Values:
    return points(network, image).cpu().numpy().astype(np.float64)


def _known(network: Network | str, view: FaceView) -> Values:
    """The data set's landmarks [B, 68, 2]; where it has none, the network's."""
    given = view.landmarks.cpu().numpy().astype(np.float64)
    missing = np.isnan(given)
    return np.where(missing, _found(network, view.image), given) if missing.any() else given


def _percent(values: Values) -> Tensor:
    return torch.from_numpy(100 * values).float()


def _undefined(batch: FaceBatch) -> Tensor:
    return torch.full((len(batch),), torch.nan)
