"""A face finder that needs no download: MediaPipe's detectors, face mesh and iris model, converted to torch."""

from palsykit import hookimpl
from palsykit.hookspecs import Register


@hookimpl
def palsykit_register_detectors(register: Register) -> None:
    register("mediapipe", "palsykit_faces.detector:MediaPipe")
