"""``palsykit plugins new``: a whole installable package for one part or command, from templates worth reading."""

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
from palsykit.registry import CORE_COMMANDS, registry


@dataclass(frozen=True)
class Kind:
    """What is written for an interface.

    Attributes:
        group: the hook's, as in palsykit_register_GROUP.
        attribute: the factory in the module, which is named like the interface.
        about: the part in a line.
        source: where it comes from.
    """

    group: str
    attribute: str
    about: str
    source: str


KINDS = {
    "fusion": Kind(
        "fusions",
        "Resampler",
        "A few learnt questions read every condition, however many tokens those have",
        "Perceiver, Jaegle et al., arXiv:2103.03206",
    ),
    "encoder": Kind(
        "encoders",
        "ClinicalLabels",
        "Expression, affected side and House-Brackmann grade as three tokens; what nobody said is unknown",
        "label conditioning as in ADM, Dhariwal and Nichol, arXiv:2105.05233",
    ),
    "scheduler": Kind(
        "schedulers",
        "sigmoid",
        "Noise that grows along a sigmoid, whose ends last longer than the cosine's",
        "Jabri et al., arXiv:2212.11972",
    ),
    "trainer": Kind(
        "trainers",
        "RegionTrainer",
        "Plain diffusion whose errors count more around eyes, brows and mouth, where a palsy shows",
        "our own weighting of DDPM's loss, arXiv:2006.11239",
    ),
    "metric": Kind(
        "metrics",
        "DetailGap",
        "Whether a synthesised face is as detailed as the photograph, or smoother, or rougher",
        "variance of the Laplacian, Pech-Pacheco et al., ICPR 2000",
    ),
    "denoiser": Kind(
        "denoisers",
        "UViT",
        "A transformer to which time, conditions and patches of the picture are all tokens",
        "U-ViT, Bao et al., arXiv:2209.12152",
    ),
    "dataset": Kind(
        "datasets",
        "SubjectFolders",
        "A folder a person, a picture an expression; side and grade in the file's name",
        "your own photographs",
    ),
    "command": Kind(
        "commands",
        "command",
        "One face synthesised from several seeds, and how far the results differ",
        "our own",
    ),
}


def write(name: str, interface: str, folder: Path) -> list[Path]:
    """Writes the package ``name`` with one part for ``interface``, and gives the files written.

    Args:
        name: of the package, the entry point and the part or command.
        interface: one of ``KINDS``.
        folder: new or empty; becomes the project's root.

    Raises:
        PalsykitError: the name cannot be a package's or is taken, or there is something in the folder.
    """
    kind = KINDS[interface]
    _check_name(name, kind)
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise PalsykitError(f"{folder}: there is something already, expected no folder or an empty one; give --dest")
    written = []
    for path, text in _rendered(name, interface, kind):
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, encoding="utf-8")
        written.append(target)
    if interface == "dataset":
        from palsykit.scaffold.example import draw

        written += draw(folder / name / "example")
    return sorted(written)


def _check_name(name: str, kind: Kind) -> None:
    if not re.fullmatch("[a-z][a-z0-9_]*", name) or keyword.iskeyword(name):
        plain = re.sub("[^a-z0-9]+", "_", name.lower()).strip("_")
        hint = f", such as {plain}" if re.fullmatch("[a-z][a-z0-9_]*", plain) and not keyword.iskeyword(plain) else ""
        raise PalsykitError(f"{name!r} cannot be a package's name; expected lower-case letters, digits and _{hint}")
    known = registry()
    if (owner := known.find(kind.group, name)) is not None:
        raise PalsykitError(
            f"{owner} has this name already; choose another, beginning with your group's, as in acme_{name}"
        )
    plugins = {entry.plugin for entry in (*known.entries.values(), *known.commands.values())}
    if kind.group == COMMANDS and name in CORE_COMMANDS:
        raise PalsykitError(f"{name!r} is a command of palsykit's own; choose another name, as in acme_{name}")
    if name in plugins or name in sys.stdlib_module_names or find_spec(name) is not None:
        raise PalsykitError(f"there is a package or plugin {name!r} already; choose another name, as in acme_{name}")


def _rendered(name: str, interface: str, kind: Kind) -> Iterator[tuple[str, str]]:
    """(path in the package's folder, text) of every file."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    templates = Environment(
        loader=PackageLoader("palsykit.scaffold"),
        undefined=StrictUndefined,
        keep_trailing_newline=True,
        autoescape=False,
        trim_blocks=True,  # a line that holds a tag alone leaves none behind
    )
    facts = {
        "name": name,
        "interface": interface,
        "kind": kind,
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
