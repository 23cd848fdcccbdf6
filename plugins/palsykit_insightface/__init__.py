"""insightface's detectors and ArcFace embeddings, from a local model pack; extra ``insightface``."""

from palsykit import hookimpl
from palsykit.hookspecs import Register


@hookimpl
def palsykit_register_detectors(register: Register) -> None:
    register("insightface", "palsykit_insightface.detector:InsightFaceDetector")


@hookimpl
def palsykit_register_networks(register: Register) -> None:
    register("arcface_onnx", "palsykit_insightface.arcface:ArcFaceOnnx")
