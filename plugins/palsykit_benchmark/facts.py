"""What a benchmark's figures depend on: source, machine, libraries, the judges' weights."""

import importlib.metadata
import os
import platform
from pathlib import Path

import torch

import palsykit
from palsykit.report.results import commit, weights_of
from palsykit.training.loop import accelerator
from palsykit_benchmark.plan import Plan

LIBRARIES = ("torch", "diffusers", "torchmetrics", "scipy", "numpy")


def facts_of(plan: Plan) -> dict[str, str]:
    """Name -> value."""
    judges = next(iter(plan.judges.values()))
    device = accelerator().device
    machine = (
        torch.cuda.get_device_name(device) if device.type == "cuda" else platform.processor() or platform.machine()
    )
    return {
        "commit": commit(Path(palsykit.__file__).parent),
        "judges": weights_of(judges.resolved["networks"], judges.path.parent),
        "seeds": ", ".join(map(str, plan.settings.seeds)),
        "people": ", ".join(f"{name}: {recipe.settings.data.use}" for name, recipe in plan.judges.items()),
        "machine": f"{machine}, {os.cpu_count()} cores, {torch.get_num_threads()} threads, {device.type}",
        "palsykit": palsykit.__version__,
        "Python": platform.python_version(),
        **{name: importlib.metadata.version(name) for name in LIBRARIES},
    }
