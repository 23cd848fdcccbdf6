"""``palsykit export``: a trained run as a folder that opens without it, for others and for hubs."""

from pathlib import Path
from typing import Annotated

import typer

from palsykit.cli.arguments import RunFolderArgument, existing_run
from palsykit.errors import PalsykitError


def command(
    run: RunFolderArgument,
    dest: Annotated[Path, typer.Argument(metavar="DEST", help="A new folder.", show_default=False)],
    licence: Annotated[
        str | None,
        typer.Option(
            "--license", metavar="ID", help="Licence in the card's header, such as cc-by-4.0.", show_default=False
        ),
    ] = None,
    base_model: Annotated[
        list[str] | None,
        typer.Option("--base-model", metavar="ID", help="Hub name of a model it was trained from. Can be repeated."),
    ] = None,
    dataset: Annotated[
        list[str] | None,
        typer.Option("--dataset", metavar="ID", help="Hub name of a data set it was trained on. Can be repeated."),
    ] = None,
    push_to_hub: Annotated[
        str | None,
        typer.Option(
            "--push-to-hub", metavar="USER/NAME", help="Also send it to the Hugging Face hub.", show_default=False
        ),
    ] = None,
    public: Annotated[bool, typer.Option("--public", help="With --push-to-hub: a new repository is public.")] = False,
) -> None:
    """Write what synthesis needs of a run: weights, recipe, model card. Nothing is sent without --push-to-hub."""
    existing_run(run)
    if public and push_to_hub is None:
        raise PalsykitError("--public: nothing is sent; add --push-to-hub USER/NAME, or leave it out")

    from palsykit.report.model_header import Listing
    from palsykit.run.export import export_run

    made = export_run(run, dest, Listing(licence, tuple(base_model or ()), tuple(dataset or ())))
    print(f"{dest}: {len(made.files)} files, {made.size / 1e6:.1f} MB")
    print(
        f"Open it: palsykit.Pipeline.from_pretrained({str(dest)!r}), or palsykit generate {dest} --identity IMAGE ..."
    )
    if push_to_hub is not None:
        from palsykit.synthesis.hub import push

        print(f"Sent: {push(dest, push_to_hub, private=not public)}")
