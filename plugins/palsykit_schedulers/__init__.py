"""diffusers' noise schedulers: DDPM for training; DDIM, DPM-Solver++ and ancestral DDPM for sampling."""

from palsykit import hookimpl
from palsykit.hookspecs import Register


@hookimpl
def palsykit_register_schedulers(register: Register) -> None:
    register("ddpm", "palsykit_schedulers.training:ddpm")


@hookimpl
def palsykit_register_samplers(register: Register) -> None:
    register("ddim", "palsykit_schedulers.samplers:Ddim")
    register("dpm_solver", "palsykit_schedulers.samplers:DpmSolver")
    register("ddpm", "palsykit_schedulers.samplers:Ancestral")
