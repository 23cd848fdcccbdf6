"""How near the picture is to the truth, pixel by pixel and window by window."""

from dataclasses import replace

import torch
from torch import Tensor
from torch.nn import functional as F
from torchmetrics.functional.image import peak_signal_noise_ratio, structural_similarity_index_measure

from palsykit.interfaces import FaceBatch, Images, MetricCard
from palsykit.metrics import to_8_bit

BORDER = 5
"""Half an SSIM window, px."""


class Psnr:
    """Peak signal-to-noise ratio of the 8-bit pictures, over all pixels and channels of a row."""

    card = MetricCard(
        name="PSNR",
        definition="10 log10(1 / mean squared difference of generated and target picture in [0, 1])",
        unit="dB",
        better="higher",
        source="torchmetrics peak_signal_noise_ratio, data range 1",
        note="8-bit RGB as saved, a figure a picture, then the mean; a picture equal to its target has none",
    )

    def read(self, batch: FaceBatch, images: Images) -> dict[str, Tensor]:
        """{"psnr": [B]}; NaN without a target, and where both pictures are equal (infinite)."""
        if batch.target is None:
            return {"psnr": _undefined(batch)}
        generated, target = to_8_bit(images.generated), to_8_bit(batch.target.image)
        value = peak_signal_noise_ratio(generated, target, data_range=1.0, dim=(1, 2, 3), reduction="none")
        return {"psnr": torch.where(value.isinf(), torch.nan, value)}


class Ssim:
    """Structural similarity (Wang et al., IEEE TIP 2004) with the paper's settings.

    11 x 11 Gaussian window, sigma 1.5, K1 0.01, K2 0.03, whole windows only (as scikit-image). The paper compares grey
    pictures; here it is the mean over R, G and B.
    """

    card = MetricCard(
        name="SSIM",
        definition="mean structural similarity of generated and target picture over 11 x 11 Gaussian windows",
        unit="-1 to 1",
        better="higher",
        source="Wang et al. 2004; torchmetrics structural_similarity_index_measure, sigma 1.5, K1 0.01, K2 0.03",
        note="8-bit RGB as saved, whole windows only, the mean over channels, a figure a picture, then the mean",
    )

    def read(self, batch: FaceBatch, images: Images) -> dict[str, Tensor]:
        """{"ssim": [B]}; NaN without a target."""
        if batch.target is None:
            return {"ssim": _undefined(batch)}
        generated, target = to_8_bit(images.generated), to_8_bit(batch.target.image)
        # torchmetrics' own mean takes in mirrored borders, 5 px wide; Wang's takes windows that lie in the picture
        return {"ssim": similarity(generated, target)[..., BORDER:-BORDER, BORDER:-BORDER].mean(dim=(1, 2, 3))}


class CcfexpSsim:
    """Structural similarity as CFCPalsy's released test script takes it, for comparison with what it printed.

    The script's library defaults: a flat 7 x 7 window and the sample covariance (N - 1), where Wang's settings are a
    Gaussian window of 11 x 11 and the population's. It compares with the photographs that went in, the identity's and
    the driver's, so that under transfer neither is the truth.
    """

    card = MetricCard(
        name="SSIM with the driver, as released",
        definition="mean structural similarity of generated picture and driver over flat 7 x 7 windows",
        unit="-1 to 1",
        better="higher",
        source="test.py of GaoVix/CCFExp: scikit-image structural_similarity's defaults, data range 1",
        note="sample covariance, K1 0.01, K2 0.03; 8-bit RGB as saved, whole windows only, the mean over channels, a "
        "figure a picture, then the mean; the driver is the truth in self-reconstruction alone",
    )

    def __init__(self) -> None:
        to_identity = replace(
            self.card,
            name="SSIM with the identity image, as released",
            definition="mean structural similarity of generated picture and identity image over flat 7 x 7 windows",
            note="settings as of SSIM with the driver, as released; a copy of the identity image has 1",
        )
        self.cards = {"ssim_ccfexp_compat_to_identity": to_identity}

    def read(self, batch: FaceBatch, images: Images) -> dict[str, Tensor]:
        """{"ssim_ccfexp_compat": [B], "ssim_ccfexp_compat_to_identity": [B]}."""
        generated = to_8_bit(images.generated)
        return {
            "ssim_ccfexp_compat": _flat_similarity(generated, to_8_bit(batch.driver.image)),
            "ssim_ccfexp_compat_to_identity": _flat_similarity(generated, to_8_bit(batch.identity.image)),
        }


def _flat_similarity(a: Tensor, b: Tensor, window: int = 7) -> Tensor:
    """[B, 3, H, W] in [0, 1], twice -> [B]; formula 13 of Wang et al. with means and covariances of flat windows."""
    a, b = a.double(), b.double()  # the difference of two nearly equal means of squares

    def mean(x: Tensor) -> Tensor:
        return F.avg_pool2d(x, window, stride=1)

    mean_a, mean_b = mean(a), mean(b)
    sample = window**2 / (window**2 - 1)
    var_a, var_b = sample * (mean(a * a) - mean_a**2), sample * (mean(b * b) - mean_b**2)
    covariance = sample * (mean(a * b) - mean_a * mean_b)
    c1, c2 = 0.01**2, 0.03**2
    luminance = (2 * mean_a * mean_b + c1) / (mean_a**2 + mean_b**2 + c1)
    return (luminance * (2 * covariance + c2) / (var_a + var_b + c2)).mean(dim=(1, 2, 3)).float()


def similarity(generated: Tensor, target: Tensor) -> Tensor:
    """Structural similarity of the window around each pixel, [B, 3, H, W]; windows at the border see it mirrored."""
    _, found = structural_similarity_index_measure(
        generated, target, sigma=1.5, data_range=1.0, k1=0.01, k2=0.03, reduction="none", return_full_image=True
    )
    return found


def _undefined(batch: FaceBatch) -> Tensor:
    return torch.full((len(batch),), torch.nan)
