"""What this installation has and what is broken in it, each with its cure; torch is imported late and may fail."""

import importlib.metadata
import os
import platform
import shutil
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from packaging.requirements import Requirement

from palsykit import __version__

LEAST_FREE_GB = 2.0
"""Free space below which a run of the reference recipe may not end: pictures, checkpoints and caches."""
LEAST_MEMORY_GB = 3.0
"""Memory below which the reference recipe does not run."""


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at.

    Attributes:
        name: what.
        found: what is there, in one line.
        cure: the next step if something is wrong; empty if it is not.
    """

    name: str
    found: str
    cure: str = ""


def examine() -> Iterator[Finding]:
    """Look at libraries, device, memory, disk, plugins and shipped models, cheap ones first."""
    from palsykit.files.provenance import commit

    yield Finding("palsykit", f"{__version__}, commit {commit(Path(__file__).parents[1])}")
    yield Finding("Python", f"{platform.python_version()}, {platform.platform()}")
    yield from _libraries()
    for look in (_torch, _diffusers, _memory, _cache, _disk, _plugins, _models):
        try:
            yield from look()
        except Exception as error:  # a broken library may raise anything; the others are still looked at
            text = " ".join(str(error).split()) or type(error).__name__
            yield Finding(look.__name__.strip("_"), f"{type(error).__name__}: {text[:300]}", CURES[look])


def _libraries() -> Iterator[Finding]:
    """The libraries that palsykit needs, against the ranges of its own metadata; then the optional ones."""
    try:
        needs = [Requirement(line) for line in importlib.metadata.requires("palsykit") or ()]
    except importlib.metadata.PackageNotFoundError:
        yield Finding("libraries", "palsykit is not installed, only on the path", "pip install palsykit")
        return
    extras: dict[str, set[str]] = {"yes": set(), "no": set()}
    needs = [need for need in needs if need.marker is None or not need.marker.evaluate({"extra": "dev"})]
    for need in needs:
        try:
            version = importlib.metadata.version(need.name)
        except importlib.metadata.PackageNotFoundError:
            version = ""
        if need.marker is not None and not need.marker.evaluate({"extra": ""}):
            extras["yes" if version else "no"].add(f"{need.name} {version}".strip())
        elif not version:
            yield Finding(need.name, "is not installed", f"pip install '{need.name}{need.specifier}'")
        elif not need.specifier.contains(version, prereleases=True):
            wrong = f"{version}, expected {need.specifier}"
            yield Finding(need.name, wrong, f"pip install '{need.name}{need.specifier}'")
        else:
            yield Finding(need.name, version)
    yield Finding("optional libraries", ", ".join(sorted(extras["yes"])) or "none")
    yield Finding("not installed, optional", ", ".join(sorted(extras["no"])) or "none")


def _torch() -> Iterator[Finding]:
    import torch

    from palsykit.training.precision import multiplies_bf16

    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    for number in range(count):
        facts = torch.cuda.get_device_properties(number)
        yield Finding(f"GPU {number}", f"{facts.name}, {facts.total_memory / 2**30:.0f} GiB, CUDA {torch.version.cuda}")
    device = torch.device("cuda" if count else "cpu")
    yield Finding("device", f"{device.type}, {os.cpu_count()} processors, {torch.get_num_threads()} threads")
    kind = "bf16 in hardware" if multiplies_bf16(device) else "no bf16 in hardware; trains in fp32"
    yield Finding("precision", kind)
    worked = float((torch.ones(8, 8, device=device) @ torch.ones(8, 8, device=device)).sum())
    if worked != 512:
        yield Finding("torch", f"a product of matrices gives {worked}, expected 512", CURES[_torch])


def _diffusers() -> Iterator[Finding]:
    """Some builds of torch and torchvision do not fit together, which shows only when diffusers loads its models."""
    from diffusers import AutoencoderKL, UNet2DModel

    yield Finding("diffusers' models", f"{UNet2DModel.__name__} and {AutoencoderKL.__name__} load")


def _memory() -> Iterator[Finding]:
    import psutil

    memory = psutil.virtual_memory()
    text = f"{memory.total / 2**30:.1f} GiB, {memory.available / 2**30:.1f} free"
    small = memory.available / 2**30 < LEAST_MEMORY_GB
    yield Finding("memory", text, "end other programs, or use a smaller batch_size" if small else "")


def _cache() -> Iterator[Finding]:
    from palsykit.files.caches import cache_folder

    folder = cache_folder()
    size = sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())
    named = folder.name.startswith("palsykit-cache-")
    cure = "name a folder that can be written: PALSYKIT_CACHE=FOLDER palsykit ..." if named else ""
    yield Finding("cache", f"{_short(folder)}, {size / 1e6:.0f} MB", cure)


def _disk() -> Iterator[Finding]:
    free = shutil.disk_usage(Path.cwd()).free / 1e9
    cure = "free space, or write to another disk with --output" if free < LEAST_FREE_GB else ""
    yield Finding("disk of this folder", f"{free:.1f} GB free", cure)


def _plugins() -> Iterator[Finding]:
    from palsykit.registry import registry

    known = registry()
    everything = (*known.entries.values(), *known.commands.values())
    origins = sorted({f"{entry.distribution} {entry.version}" for entry in everything})
    yield Finding("plugins", f"{len({entry.plugin for entry in everything})} of {', '.join(origins)}")
    if known.disabled:
        yield Finding("disabled plugins", ", ".join(known.disabled))
    for plugin in known.broken:
        yield Finding(f"plugin {plugin.name}", f"{plugin.reason} ({plugin.module}, {plugin.distribution})", plugin.cure)


def _models() -> Iterator[Finding]:
    """The shipped models: every file of weights that their recipes name is there and has a header that can be read."""
    from safetensors import safe_open

    from palsykit.files.resources import PACKAGED, locate
    from palsykit.recipe import load_recipe
    from palsykit.synthesis.shipped import shipped_models

    for name, recipe in shipped_models().items():
        files = set(_packaged(load_recipe(recipe).resolved, PACKAGED.fullmatch))
        for file in sorted(files):
            with safe_open(locate(file, recipe.parent), framework="numpy") as weights:
                weights.keys()
        yield Finding(f"model {name}", f"{len(files)} files of weights")


def _packaged(value: object, match: Callable[[str], object]) -> Iterator[str]:
    """The strings inside a resolved recipe that name files of packages, at any depth."""
    if isinstance(value, str):
        if match(value):
            yield value
    elif isinstance(value, dict):
        for item in value.values():
            yield from _packaged(item, match)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _packaged(item, match)


def _short(path: Path) -> str:
    """A path without the name of the user, for texts that are posted."""
    try:
        return f"~/{path.relative_to(Path.home())}"
    except (ValueError, RuntimeError):
        return str(path)


_AGAIN = f"install palsykit again in a new environment: {Path(sys.executable).name} -m venv NEW && NEW/bin/pip install"
CURES: dict[Callable[[], Iterator[Finding]], str] = {
    _torch: f"{_AGAIN} palsykit",
    _diffusers: f"torch and torchvision may not fit together; {_AGAIN} palsykit",
    _memory: "pip install psutil",
    _cache: "name a folder that can be written: PALSYKIT_CACHE=FOLDER palsykit ...",
    _disk: "go to a folder that exists",
    _plugins: f"{_AGAIN} palsykit",
    _models: "pip install --force-reinstall --no-deps palsykit",
}
"""What to do if a look itself fails."""
