"""diffusers' noise schedulers: DDPM for training; DDIM, DPM-Solver++ and ancestral DDPM for sampling."""

from palsykit import hookimpl


@hookimpl
def palsykit_register_schedulers(register):
    register("ddpm", "palsykit_schedulers.training:ddpm")


@hookimpl
def palsykit_register_samplers(register):
    register("ddim", "palsykit_schedulers.samplers:Ddim")
    register("dpm_solver", "palsykit_schedulers.samplers:DpmSolver")
    register("ddpm", "palsykit_schedulers.samplers:Ancestral")
