"""CFCPalsy's trainer (arXiv:2409.07271)."""

from palsykit import hookimpl


@hookimpl
def palsykit_register_trainers(register):
    register("cycle", "palsykit_cycle_trainer.trainer:CycleTrainer")
