"""What ``--identities`` says: a number of people held out from a run, or a folder. Nothing here imports torch."""

from pathlib import Path

from palsykit.errors import PalsykitError


def number_or_folder(text: str) -> int | Path:
    """``--identities N|DIR``: N is a number of people, +N too where a folder is called N.

    Raises:
        PalsykitError: for a number that is not 1 or more, and for one that is a folder's name as well.
    """
    folder = Path(text)
    if not text.lstrip("+-").isnumeric():
        return folder
    plain = text.lstrip("+-").isascii()
    if folder.is_dir():
        if plain and int(text) > 0 and not text.startswith("+"):
            raise PalsykitError(
                f"--identities {text}: a number, and a folder of this name is here; give ./{text} for the folder, or "
                f"+{text} for {text} people held out from the run's training"
            )
        return int(text) if plain and text.startswith("+") else folder
    if not plain or text.count("+") + text.count("-") > 1:
        raise PalsykitError(f"--identities {text}: expected a number in digits 0 to 9, or a folder of face crops")
    if int(text) < 1:
        raise PalsykitError(f"--identities {text}: expected 1 or more people, or a folder of face crops")
    return int(text)
