"""``palsykit data``: photographs, or renders, into a folder that recipes read; and what a data set lacks."""

import os
import shlex
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from palsykit.cli.arguments import Overrides
from palsykit.errors import PalsykitError

RENDERS = "face_space"
"""The data set that ``render`` writes."""

app = typer.Typer(
    help="Photographs into data sets: prepare them, check what is missing, or render people who do not exist.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

Dest = Annotated[
    Path, typer.Argument(metavar="DEST", help="The folder to write, or to go on with.", show_default=False)
]
Keys = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="KEY=VALUE",
        help="A key of the data set, as in frame=points or detector.pack=buffalo_l; VALUE is YAML. May be given again.",
        show_default=False,
    ),
]
Size = Annotated[int, typer.Option("--size", metavar="PX", min=16, help="Side of every picture in px.")]
Seed = Annotated[
    int, typer.Option("--seed", min=0, help="Of the splits by subject, where the data set prescribes none.")
]


@app.command("prepare")
def prepare(
    source: Annotated[
        Path, typer.Argument(metavar="SRC", help="The photographs; nothing in it is changed.", show_default=False)
    ],
    dest: Dest,
    layout: Annotated[
        str, typer.Option("--layout", metavar="NAME", help="A registered data set that reads SRC.", show_default=False)
    ],
    size: Size = 128,
    seed: Seed = 0,
    detector: Annotated[
        str | None,
        typer.Option("--detector", metavar="NAME", help="A registered detector, where no points are given."),
    ] = None,
    overrides: Keys = None,
) -> None:
    """Align photographs and write them as an imagefolder. What cannot be used is listed; stopped, it goes on."""
    if not source.exists():
        raise PalsykitError(f"{source}: no such file or folder, expected the photographs")
    # absolute as it is written: what a link points to may have another name
    given: dict[str, tuple[str, Any]] = {"root": ("SRC", os.path.abspath(source))}  # noqa: PTH100
    if detector is not None:
        given["detector"] = (f"--detector {detector}", {"use": detector})
    _write(dest, layout, given, overrides or [], size, seed)


@app.command("render")
def render(
    dest: Dest,
    identities: Annotated[
        int, typer.Option("--identities", metavar="N", min=1, help="People, the data set's key identities.")
    ],
    size: Size = 128,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Of everything that is drawn.")] = 0,
    overrides: Keys = None,
) -> None:
    """Render people who do not exist, with known palsies, as an imagefolder. Stopped, it goes on."""
    given = {"identities": ("--identities", identities), "seed": ("--seed", seed)}
    _write(dest, RENDERS, given, overrides or [], size, seed)


def _write(
    dest: Path, layout: str, given: dict[str, tuple[str, Any]], overrides: list[str], size: int, seed: int
) -> None:
    from palsykit.data.part import resolve

    part = resolve(layout, given, overrides)

    from palsykit.cli.data_tables import closing
    from palsykit.data import prepare as writing
    from palsykit.data.folder import Plan
    from palsykit.run.parts import cache_folder

    try:
        prepared = writing.prepare(dest, Plan(part, size, seed), cache_folder())
    except KeyboardInterrupt:
        print(f"\nStopped. It goes on with: {shlex.join(['palsykit', *sys.argv[1:]])}", file=sys.stderr)
        raise typer.Exit(130) from None
    print(closing(dest, prepared))


@app.command("check")
def check(
    data: Annotated[
        Path,
        typer.Argument(
            metavar="DATA", help="A folder with metadata.jsonl or .csv, or a recipe (YAML).", show_default=False
        ),
    ],
    overrides: Overrides = None,
    every_subject: Annotated[bool, typer.Option("--subjects", help="List every subject, however many.")] = False,
) -> None:
    """Count what a data set holds and say what is missing. Exit code 2 where it cannot be trained on."""
    from palsykit.data.part import build
    from palsykit.run.parts import cache_folder

    block, size, seed = _folder(data, overrides or []) if data.is_dir() else _recipe(data, overrides or [])

    from palsykit.cli.data_tables import report
    from palsykit.data.check import examine
    from palsykit.data.prepare import changed

    dataset = build(block, size, cache_folder())
    findings = examine(dataset, seed)
    findings.lacks += changed(data) if data.is_dir() else []
    print(report(findings, every_subject))
    if findings.faults:
        raise typer.Exit(2)


def _folder(folder: Path, overrides: list[str]) -> tuple[dict[str, Any], int, int]:
    """A folder as an imagefolder: a prepared one by what its data.json says."""
    from palsykit.data.folder import IMAGEFOLDER, read_marker
    from palsykit.data.part import resolve

    marker = read_marker(folder)
    if marker and not marker.get("finished"):
        raise PalsykitError(f"{folder}: is not finished; go on with the command that began it, then check it")
    about = {key: ("data.json", value) for key, value in marker.get("data", {}).items() if key != "use"}
    root = {"root": (str(folder), os.path.abspath(folder))}  # noqa: PTH100
    settings = marker.get("settings", {})
    return resolve(IMAGEFOLDER, {**root, **about}, overrides), settings.get("image_size", 64), settings.get("seed", 0)


def _recipe(path: Path, overrides: list[str]) -> tuple[dict[str, Any], int, int]:
    """A recipe's data."""
    from palsykit.recipe import load_recipe

    if not path.exists():
        raise PalsykitError(f"{path}: no such folder or recipe, expected one to check")
    recipe = load_recipe(path, overrides)
    return recipe.resolved["data"], recipe.settings.image_size, recipe.settings.seed
