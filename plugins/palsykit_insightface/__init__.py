"""insightface's face detectors, read from a model pack on this machine; extra ``insightface``."""

from palsykit import hookimpl
from palsykit.hookspecs import Register


@hookimpl
def palsykit_register_detectors(register: Register) -> None:
    register("insightface", "palsykit_insightface.detector:InsightFaceDetector")
