"""Image-to-image translation by a generator and a discriminator, after pix2pix (arXiv:1611.07004)."""

from palsykit import hookimpl
from palsykit.hookspecs import Register


@hookimpl
def palsykit_register_synthesisers(register: Register) -> None:
    register("adversarial", "palsykit_adversarial.generator:Generator")


@hookimpl
def palsykit_register_trainers(register: Register) -> None:
    register("adversarial", "palsykit_adversarial.trainer:AdversarialTrainer")
