"""Trainers of networks (``angular_margin``, ``expression``, ``landmarks``) and of the plain model (``diffusion``)."""

from palsykit import hookimpl
from palsykit.hookspecs import Register


@hookimpl
def palsykit_register_trainers(register: Register) -> None:
    register("diffusion", "palsykit_trainers.diffusion:DiffusionTrainer")
    register("angular_margin", "palsykit_trainers.angular_margin:AngularMarginTrainer")
    register("expression", "palsykit_trainers.expression:ExpressionTrainer")
    register("landmarks", "palsykit_trainers.landmarks:LandmarksTrainer")
