"""Landmarks: the 68-point networks ``mobilefacenet`` and ``heatmaps``, and the condition encoder ``landmark``."""

from palsykit import hookimpl
from palsykit.hookspecs import Register


@hookimpl
def palsykit_register_networks(register: Register) -> None:
    register("mobilefacenet", "palsykit_landmark.mobilefacenet:MobileFaceNet")
    register("heatmaps", "palsykit_landmark.heatmaps:Heatmaps")


@hookimpl
def palsykit_register_encoders(register: Register) -> None:
    register("landmark", "palsykit_landmark.encoder:LandmarkEncoder")
