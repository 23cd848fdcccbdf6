"""``palsykit trust``: let a run that was not made here read files outside its folder."""

from collections.abc import Iterator

from palsykit.cli.arguments import RunFolderArgument, existing_run
from palsykit.progress import say


def command(run: RunFolderArgument) -> None:
    """Trust a run that another person made: it may then read the files that its recipe and its links name.

    Runs that you made here, with palsykit run, are trusted already. A trusted run whose recipe is changed is not.
    """
    existing_run(run)
    from palsykit.recipe.read import read_file
    from palsykit.run import trust
    from palsykit.run.folder import RunFolder

    folder = RunFolder(run)
    state, tree = folder.state(), read_file(folder.recipe)
    for key, text in _elsewhere(tree.value):
        say(f"{folder.recipe}: {key}: {text}")
    trust.remember(str(state.get("run", "")), folder.recipe_text())
    print(f"{run}: trusted; commands that open it may read the files that it names, wherever they are")


def _elsewhere(value: object, path: str = "") -> Iterator[tuple[str, str]]:
    """The values of a recipe that are paths out of its folder, with their keys."""
    if isinstance(value, dict):
        for key, item in value.items():
            yield from _elsewhere(item, f"{path}.{key}".lstrip("."))
    elif isinstance(value, list):
        for number, item in enumerate(value):
            yield from _elsewhere(item, f"{path}.{number}")
    elif isinstance(value, str) and (value.startswith(("/", "~")) or ".." in value.split("/")):
        yield path, value
