"""What a run measures: PSNR, SSIM, identity similarity, landmark error, aFID."""

from palsykit import hookimpl
from palsykit.hookspecs import Register


@hookimpl
def palsykit_register_metrics(register: Register) -> None:
    register("psnr", "palsykit_metrics.pixels:Psnr")
    register("ssim", "palsykit_metrics.pixels:Ssim")
    register("identity", "palsykit_metrics.identity:IdentitySimilarity")
    register("landmark_error", "palsykit_metrics.landmarks:LandmarkError")
    register("afid", "palsykit_metrics.afid:Afid")
