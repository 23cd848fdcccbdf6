"""How near the picture is to the truth, pixel by pixel and window by window."""

import torch
from torch import Tensor
from torchmetrics.functional.image import peak_signal_noise_ratio, structural_similarity_index_measure

from palsykit.interfaces import FaceBatch, Images, MetricCard
from palsykit_metrics.reading import as_saved

BORDER = 5
"""Half an SSIM window, px."""


class Psnr:
    """Peak signal-to-noise ratio of the 8-bit pictures, over all pixels and channels of a row."""

    needs: frozenset[str] = frozenset()
    card = MetricCard(
        name="PSNR",
        definition="10 log10(1 / mean squared difference of generated and target picture in [0, 1])",
        unit="dB",
        better="higher",
        source="torchmetrics peak_signal_noise_ratio, data range 1",
        note="8-bit RGB as saved, a figure a picture, then the mean; a picture equal to its target has none",
    )

    def rows(self, batch: FaceBatch, images: Images) -> dict[str, Tensor]:
        """{"psnr": [B]}; NaN without a target, and where both pictures are equal (infinite)."""
        if batch.target is None:
            return {"psnr": _undefined(batch)}
        generated, target = as_saved(images.generated), as_saved(batch.target.image)
        value = peak_signal_noise_ratio(generated, target, data_range=1.0, dim=(1, 2, 3), reduction="none")
        return {"psnr": torch.where(value.isinf(), torch.nan, value)}


class Ssim:
    """Structural similarity (Wang et al., IEEE TIP 2004) with the paper's settings.

    11 x 11 Gaussian window, sigma 1.5, K1 0.01, K2 0.03, whole windows only (as scikit-image). The paper compares grey
    pictures; here it is the mean over R, G and B.
    """

    needs: frozenset[str] = frozenset()
    card = MetricCard(
        name="SSIM",
        definition="mean structural similarity of generated and target picture over 11 x 11 Gaussian windows",
        unit="-1 to 1",
        better="higher",
        source="Wang et al. 2004; torchmetrics structural_similarity_index_measure, sigma 1.5, K1 0.01, K2 0.03",
        note="8-bit RGB as saved, whole windows only, the mean over channels, a figure a picture, then the mean",
    )

    def rows(self, batch: FaceBatch, images: Images) -> dict[str, Tensor]:
        """{"ssim": [B]}; NaN without a target."""
        if batch.target is None:
            return {"ssim": _undefined(batch)}
        generated, target = as_saved(images.generated), as_saved(batch.target.image)
        # torchmetrics' own mean takes in mirrored borders, 5 px wide; Wang's takes windows that lie in the picture
        return {"ssim": similarity(generated, target)[..., BORDER:-BORDER, BORDER:-BORDER].mean(dim=(1, 2, 3))}


def similarity(generated: Tensor, target: Tensor) -> Tensor:
    """Structural similarity of the window around each pixel, [B, 3, H, W]; windows at the border see it mirrored."""
    _, found = structural_similarity_index_measure(
        generated, target, sigma=1.5, data_range=1.0, k1=0.01, k2=0.03, reduction="none", return_full_image=True
    )
    return found


def _undefined(batch: FaceBatch) -> Tensor:
    return torch.full((len(batch),), torch.nan)
