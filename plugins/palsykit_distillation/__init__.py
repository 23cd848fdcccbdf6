"""The trainer ``distillation``: a student that needs a few sampler steps where its teacher needs many."""

from palsykit import hookimpl
from palsykit.hookspecs import Register


@hookimpl
def palsykit_register_trainers(register: Register) -> None:
    register("distillation", "palsykit_distillation.trainer:DistillationTrainer")
