"""A run's metrics: of pixels, identity, landmarks, expression and palsy; most of them use networks as judges."""

from palsykit import hookimpl
from palsykit.hookspecs import Register


@hookimpl
def palsykit_register_metrics(register: Register) -> None:
    register("psnr", "palsykit_metrics.pixels:Psnr")
    register("ssim", "palsykit_metrics.pixels:Ssim")
    register("ssim_ccfexp_compat", "palsykit_metrics.pixels:CcfexpSsim")
    register("identity", "palsykit_metrics.identity:IdentitySimilarity")
    register("landmark_error", "palsykit_metrics.landmarks:LandmarkError")
    register("afid", "palsykit_metrics.afid:Afid")
    register("retrieval", "palsykit_metrics.retrieval:IdentityRetrieval")
    register("expression", "palsykit_metrics.expression:ExpressionAccuracy")
    register("side", "palsykit_metrics.palsy:AffectedSide")
    register("severity", "palsykit_metrics.palsy:SeverityError")
    register("asymmetry", "palsykit_metrics.asymmetry:AsymmetryAgreement")
    register("moving", "palsykit_metrics.regions:MovingRegions")
    register("fid", "palsykit_metrics.fid:Fid")
    register("kid", "palsykit_metrics.discrepancy:Kid")
    register("cmmd", "palsykit_metrics.discrepancy:Cmmd")
    register("precision_recall", "palsykit_metrics.manifolds:PrecisionRecall")
    register("density_coverage", "palsykit_metrics.manifolds:DensityCoverage")
    register("lpips", "palsykit_metrics.perceptual:Lpips")
    register("expression_cosine", "palsykit_metrics.deviation:ExpressionCosine")
    register("facial_asymmetry", "palsykit_metrics.clinical:FacialAsymmetry")
    register("commissure_excursion", "palsykit_metrics.clinical:CommissureExcursion")
    register("lengths", "palsykit_metrics.clinical:Lengths")
