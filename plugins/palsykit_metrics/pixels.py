"""PSNR and SSIM: similarity of picture and truth, per pixel and per window."""

from dataclasses import replace

import torch
from torch import Tensor
from torch.nn import functional as F
from torchmetrics.functional.image import peak_signal_noise_ratio, structural_similarity_index_measure

from palsykit.interfaces import FaceBatch, Images, MetricCard
from palsykit.metrics import to_8_bit

BORDER = 5
"""Half of an SSIM window, in px."""


class Psnr:
    """Peak signal-to-noise ratio of the 8-bit pictures, over all pixels and channels of each row."""

    card = MetricCard(
        name="PSNR",
        definition="10 log10(1 / mean squared difference of generated and target picture in [0, 1])",
        unit="dB",
        better="higher",
        source="torchmetrics peak_signal_noise_ratio, data range 1",
        note="8-bit RGB as saved; one value per picture, then the mean; a picture equal to its target is left out",
    )

    def read(self, batch: FaceBatch, images: Images) -> dict[str, Tensor]:
        """{"psnr": [B]}; NaN without a target, and if both pictures are equal (infinite)."""
        if batch.target is None:
            return {"psnr": _undefined(batch)}
        generated, target = to_8_bit(images.generated), to_8_bit(batch.target.image)
        value = peak_signal_noise_ratio(generated, target, data_range=1.0, dim=(1, 2, 3), reduction="none")
        return {"psnr": torch.where(value.isinf(), torch.nan, value)}


class Ssim:
    """Structural similarity (Wang et al., IEEE TIP 2004) with the paper's settings.

    11 x 11 Gaussian window, sigma 1.5, K1 0.01, K2 0.03, complete windows only (as in scikit-image). The paper compares
    grey pictures; here it is the mean over R, G and B.
    """

    card = MetricCard(
        name="SSIM",
        definition="mean structural similarity of generated and target picture over 11 x 11 Gaussian windows",
        unit="-1 to 1",
        better="higher",
        source="Wang et al. 2004; torchmetrics structural_similarity_index_measure, sigma 1.5, K1 0.01, K2 0.03",
        note="8-bit RGB as saved; complete windows only; mean over channels; one value per picture, then the mean",
    )

    def read(self, batch: FaceBatch, images: Images) -> dict[str, Tensor]:
        """{"ssim": [B]}; NaN without a target."""
        if batch.target is None:
            return {"ssim": _undefined(batch)}
        generated, target = to_8_bit(images.generated), to_8_bit(batch.target.image)
        # torchmetrics' own mean includes windows with mirrored borders, 5 px wide; Wang's has complete windows only.
        return {"ssim": similarity(generated, target)[..., BORDER:-BORDER, BORDER:-BORDER].mean(dim=(1, 2, 3))}


class CcfexpSsim:
    """Structural similarity as in CFCPalsy's released test script, for comparison with its figures.

    The script uses its library's defaults: a flat 7 x 7 window and the sample covariance (N - 1). Wang's settings are
    an 11 x 11 Gaussian window and the population covariance. The script compares with its input photographs, identity
    and driver; in a transfer neither of them is the truth.
    """

    card = MetricCard(
        name="SSIM with the driver, as released",
        definition="mean structural similarity of generated picture and driver over flat 7 x 7 windows",
        unit="-1 to 1",
        better="higher",
        source="test.py of GaoVix/CCFExp: scikit-image structural_similarity's defaults, data range 1",
        note="sample covariance, K1 0.01, K2 0.03; 8-bit RGB as saved; complete windows only; mean over channels; one "
        "value per picture, then the mean; the driver is the truth in self-reconstruction only",
    )

    def __init__(self) -> None:
        to_identity = replace(
            self.card,
            name="SSIM with the identity image, as released",
            definition="mean structural similarity of generated picture and identity image over flat 7 x 7 windows",
            note="settings as for SSIM with the driver, as released; a copy of the identity image has 1",
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
    """Wang et al.'s formula 13 with flat windows: two batches of pictures [B, 3, H, W] in [0, 1] -> [B]."""
    a, b = a.double(), b.double()  # variances are differences of nearly equal numbers

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
    """Structural similarity of the window around each pixel, [B, 3, H, W]; the picture is mirrored at its border."""
    _, full = structural_similarity_index_measure(
        generated, target, sigma=1.5, data_range=1.0, k1=0.01, k2=0.03, reduction="none", return_full_image=True
    )
    return full


def _undefined(batch: FaceBatch) -> Tensor:
    return torch.full((len(batch),), torch.nan)
