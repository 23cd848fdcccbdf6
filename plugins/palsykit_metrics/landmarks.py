"""Are the landmarks of the generated face where the target's are?"""

import torch
from torch import Tensor

from palsykit.faces.landmarks import OUTER_CORNERS
from palsykit.interfaces import FaceBatch, Images, MetricCard, Network
from palsykit_metrics.reading import describe_network, points


class LandmarkError:
    """Mean distance of the generated face's landmarks from the target's, in percent of the inter-ocular distance.

    The target's landmarks are the data set's, or, if it has none, those that the same network finds in the target. The
    inter-ocular distance is between the target's outer eye corners (300-W's normalisation, Sagonas et al., ICCV-W
    2013).

    Args:
        network: the landmark network.
    """

    def __init__(self, *, network: Network | str = "points"):
        self.network = network
        self.card = MetricCard(
            name="Landmark error",
            definition="mean distance of 68 landmarks, found in the generated picture, from the target's, "
            "divided by the distance between the target's outer eye corners",
            unit="%",
            better="lower",
            source=f"landmarks by {describe_network(network)}; 300-W normalisation",
            note="includes the network's own error, which it also makes on real pictures",
        )

    def read(self, batch: FaceBatch, images: Images) -> dict[str, Tensor]:
        """{"landmark_error": [B]}; NaN without a target."""
        if batch.target is None:
            return {"landmark_error": torch.full((len(batch),), torch.nan)}
        truth = batch.target.landmarks
        if truth.isnan().any():
            truth = torch.where(truth.isnan(), points(self.network, batch.target.image), truth)
        distance = (points(self.network, images.generated) - truth).norm(dim=-1).mean(dim=-1)
        right, left = OUTER_CORNERS
        return {"landmark_error": 100 * distance / (truth[:, right] - truth[:, left]).norm(dim=-1)}
