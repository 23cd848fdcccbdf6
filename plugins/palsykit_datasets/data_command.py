"""``palsykit data``: write a data set into a folder that recipes read; count what one holds and lacks."""

import json
import os
import shlex
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from palsykit.cli.arguments import Overrides
from palsykit.commands import resumable
from palsykit.errors import PalsykitError

app = typer.Typer(
    help="Data sets: prepare one from photographs or renders, and check what is missing.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


@app.command("prepare")
def prepare(
    folders: Annotated[
        list[Path],
        typer.Argument(
            metavar="[SRC] DEST",
            help="The photographs, which stay as they are, where the data set reads a folder; and the folder to write.",
            show_default=False,
        ),
    ],
    layout: Annotated[str, typer.Option("--layout", metavar="NAME", help="A registered data set.", show_default=False)],
    size: Annotated[int, typer.Option("--size", metavar="PX", min=16, help="Side of every picture in px.")] = 128,
    seed: Annotated[
        int, typer.Option("--seed", min=0, help="Of the splits by subject, where the data set prescribes none.")
    ] = 0,
    detector: Annotated[
        str | None,
        typer.Option("--detector", metavar="NAME", help="A registered detector, where no points are given."),
    ] = None,
    overrides: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="KEY=VALUE",
            help="A key of the data set, as in frame=points or detector.pack=buffalo_l; VALUE is YAML. May be given "
            "again.",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Align or render photographs and write them as an imagefolder. Lists what cannot be used; resumes."""
    *sources, dest = folders
    if len(sources) > 1:
        raise PalsykitError(f"data prepare: {len(folders)} folders, expected [SRC] DEST")
    given: dict[str, tuple[str, Any]] = {}
    for source in sources:
        if not source.exists():
            raise PalsykitError(f"{source}: no such file or folder, expected the photographs")
        # absolute as it is written: what a link points to may have another name
        given["root"] = ("SRC", os.path.abspath(source))  # noqa: PTH100
    if detector is not None:
        given["detector"] = (f"--detector {detector}", {"use": detector})

    from palsykit_datasets.data_block import resolve

    part = resolve(layout, given, overrides or [])

    from palsykit.files.caches import cache_folder
    from palsykit_datasets.data_tables import closing
    from palsykit_datasets.plan import Plan
    from palsykit_datasets.writer import write_imagefolder

    with resumable(f"Resume with: {shlex.join(['palsykit', *sys.argv[1:]])}"):
        prepared = write_imagefolder(dest, Plan(part, size, seed), cache_folder())
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
    every_subject: Annotated[bool, typer.Option("--subjects", help="List every subject.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON in place of tables.")] = False,
) -> None:
    """Count what a data set holds and report what is missing. Exit code 2 if no model can be trained on it."""
    from palsykit.files.caches import cache_folder
    from palsykit_datasets.data_block import build

    block, size, seed = _folder(data, overrides or []) if data.is_dir() else _recipe(data, overrides or [])

    from palsykit_datasets.data_tables import report
    from palsykit_datasets.inventory import take_inventory
    from palsykit_datasets.writer import changes_since

    dataset = build(block, size, cache_folder())
    findings = take_inventory(dataset, seed)
    findings.lacks += changes_since(data) if data.is_dir() else []
    print(json.dumps(asdict(findings), indent=1) if as_json else report(findings, every_subject))
    if findings.faults:
        raise typer.Exit(2)


def _folder(folder: Path, overrides: list[str]) -> tuple[dict[str, Any], int, int]:
    """A folder as an imagefolder; of a prepared one, with the keys in its data.json."""
    from palsykit.data.imagefolder import IMAGEFOLDER
    from palsykit_datasets.data_block import resolve
    from palsykit_datasets.plan import read_marker

    marker = read_marker(folder)
    if marker and not marker.get("finished"):
        raise PalsykitError(f"{folder}: is not finished; resume it with the command that began it, then check it")
    about = {key: ("data.json", value) for key, value in marker.get("data", {}).items() if key != "use"}
    root = {"root": (str(folder), os.path.abspath(folder))}  # noqa: PTH100
    settings = marker.get("settings", {})
    return resolve(IMAGEFOLDER, {**root, **about}, overrides), settings.get("image_size", 64), settings.get("seed", 0)


def _recipe(path: Path, overrides: list[str]) -> tuple[dict[str, Any], int, int]:
    """The data of a recipe."""
    from palsykit.recipe import load_recipe

    if not path.exists():
        raise PalsykitError(f"{path}: no such folder or recipe, expected one to check")
    recipe = load_recipe(path, overrides)
    return recipe.resolved["data"], recipe.settings.image_size, recipe.settings.seed
