"""``palsykit plugins new``: write a complete, installable package with one part or command, from templates."""

import keyword
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from palsykit import API_VERSION, __version__
from palsykit.errors import PalsykitError
from palsykit.hookspecs import COMMANDS
from palsykit.recipe.yaml_rules import dump
from palsykit.registry import CORE_COMMANDS, registry


@dataclass(frozen=True)
class Kind:
    """The example part for an interface.

    Attributes:
        attribute: the factory's name; its module has the interface's name.
        about: one line about the part.
        source: the part's source.
    """

    attribute: str
    about: str
    source: str


KINDS = {
    "fusion": Kind(
        "Resampler",
        "A few learnt queries read all conditions, whatever their number of tokens",
        "Perceiver, Jaegle et al., arXiv:2103.03206",
    ),
    "encoder": Kind(
        "ClinicalLabels",
        "Expression, affected side and House-Brackmann grade as three tokens; missing labels are unknown",
        "label conditioning as in ADM, Dhariwal and Nichol, arXiv:2105.05233",
    ),
    "scheduler": Kind(
        "sigmoid",
        "Noise that grows along a sigmoid, with longer ends than the cosine schedule",
        "Jabri et al., arXiv:2212.11972",
    ),
    "trainer": Kind(
        "RegionTrainer",
        "Plain diffusion with more weight on eyes, brows and mouth, where a palsy shows",
        "our own weighting of DDPM's loss, arXiv:2006.11239",
    ),
    "metric": Kind(
        "DetailGap",
        "Whether a synthesised face has as much detail as the photograph, or less, or more",
        "variance of the Laplacian, Pech-Pacheco et al., ICPR 2000",
    ),
    "denoiser": Kind(
        "UViT",
        "A transformer with time, conditions and patches of the picture as tokens",
        "U-ViT, Bao et al., arXiv:2209.12152",
    ),
    "codec": Kind(
        "Haar",
        "Half the side and four times the channels, by wavelets: nothing is lost and nothing is learnt",
        "wavelets as in WaveDiff, Phung et al., arXiv:2211.16152",
    ),
    "dataset": Kind(
        "SubjectFolders",
        "One folder per person, one picture per expression; side and grade in the file's name",
        "your own photographs",
    ),
    "command": Kind("command", "One face synthesised from several seeds, and how far the results differ", "our own"),
}


LONGEST = 60
"""Largest number of letters in a name, because files of the package have this name."""


def package_name(name: str) -> str:
    """Turn ``name`` into the name of a Python package: ``acme-film`` becomes ``acme_film``.

    Raises:
        PalsykitError: it cannot be the name of a package, of a distribution and of a part in a recipe.
    """
    plain = name.replace("-", "_")
    if len(plain) > LONGEST:
        raise PalsykitError(f"a name of {len(plain)} letters, expected at most {LONGEST}: {name[:20]}...")
    if not re.fullmatch("[a-z]([a-z0-9_]*[a-z0-9])?", plain) or _is_reserved(plain):
        near = re.sub("[^a-z0-9]+", "_", name.lower()).strip("_")
        usable = re.fullmatch("[a-z][a-z0-9_]*", near) and not _is_reserved(near)
        hint = f", such as {near}" if usable else ""
        raise PalsykitError(
            f"{name!r} cannot be a package's name; expected lower-case letters, digits and _ between them{hint}"
        )
    return plain


def _is_reserved(name: str) -> bool:
    """Whether the name is a word of Python or YAML, such as class, null or true."""
    return keyword.iskeyword(name) or dump(name)[0] in "'\""


def write(name: str, interface: str, folder: Path) -> list[Path]:
    """Write the package ``name`` with one part for ``interface``; return the files.

    Args:
        name: of the package, the entry point and the part or command, as ``package_name`` reads it.
        interface: one of ``KINDS``.
        folder: new or empty; becomes the project's root.

    Raises:
        PalsykitError: the name is not valid or already used, or the folder is not empty.
    """
    name = package_name(name)
    _refuse_taken(name, interface)
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise PalsykitError(f"{folder}: not empty, expected a new or an empty folder; choose one with --dest")
    written = []
    for path, text in _rendered(name, interface):
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, encoding="utf-8")
        written.append(target)
    if interface == "dataset":
        from palsykit.scaffold.example import draw

        written += draw(folder / name / "example")
    return sorted(written)


def _refuse_taken(name: str, interface: str) -> None:
    """Refuse a name that a part, a command, a plugin or an importable package has."""
    known = registry()
    if (owner := known.find(f"{interface}s", name)) is not None:
        raise PalsykitError(
            f"{owner} already has this name; choose another that begins with your group's name, such as acme_{name}"
        )
    plugins = {entry.plugin for entry in (*known.entries.values(), *known.commands.values())}
    if f"{interface}s" == COMMANDS and name in CORE_COMMANDS:
        raise PalsykitError(f"{name!r} is a command of palsykit's own; choose another name, such as acme_{name}")
    if name in plugins or name in sys.stdlib_module_names or find_spec(name) is not None:
        raise PalsykitError(f"a package or plugin {name!r} already exists; choose another name, such as acme_{name}")


def _rendered(name: str, interface: str) -> Iterator[tuple[str, str]]:
    """(path in the project's folder, text) of every file."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    templates = Environment(
        loader=PackageLoader("palsykit.scaffold"),
        undefined=StrictUndefined,
        keep_trailing_newline=True,
        autoescape=False,
        trim_blocks=True,  # a line with only a tag leaves no empty line
    )
    facts = {
        "name": name,
        "interface": interface,
        "kind": KINDS[interface],
        "api": API_VERSION,
        "version": __version__,
        "distribution": name.replace("_", "-"),
    }
    targets = {
        "every/pyproject.toml": "pyproject.toml",
        "every/README.md": "README.md",
        "every/init.py": f"{name}/__init__.py",
        f"{interface}/module.py": f"{name}/{interface}.py",
        f"{interface}/test.py": f"tests/test_{name}.py",
    }
    if interface != "command":
        targets[f"{interface}/recipe.yaml"] = f"{name}.yaml"
    for template, target in targets.items():
        yield target, templates.get_template(f"{template}.jinja").render(facts)
