"""A synthesised data set goes out once nobody in it is nearer to a training person than held-out people are to others.

Pictures lie in DEST/unreleased until then. Nothing is lost where they are refused: they stay where they are, the same
command goes on from there, and the page shows every pair.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from palsykit import __version__
from palsykit.errors import PalsykitError
from palsykit.files.atomic import write_text
from palsykit.progress import say
from palsykit.synthesis.bulk import HELD_BACK, RELEASED, Order, Synthesised, pictures_of, synthesize
from palsykit.synthesis.front import Model
from palsykit.synthesis.people import People
from palsykit_audit.audit import Options, audit_folder
from palsykit_audit.writing import Audit, write

Choice = Literal["refuse", "drop", "keep"]
"""What becomes of a data set that is flagged: it stays unreleased, it goes out without those pictures, or as it is."""
CARD = "privacy.md"


@dataclass(frozen=True, eq=False)
class Released:
    """A data set that went out.

    Attributes:
        done: its pictures.
        audit: what was found; None where it had gone out before and nothing is new, and where the training data cannot
            be read, so that the pictures stay unreleased.
        page: the audit's, beside the run.
        dropped: pictures that were left out.
    """

    done: Synthesised
    audit: Audit | None
    page: Path | None
    dropped: int


def synthesize_and_release(
    model: Model, run: Path, people: People, order: Order, folder: Path, choice: Choice, options: Options
) -> Released:
    """Synthesises what is not there yet, audits it and lets it out.

    Args:
        model: the trained run.
        run: its folder; the page goes to its folder audits, for it shows training photographs.
        people: whose faces.
        order: what they show.
        folder: DEST.
        choice: what becomes of pictures that resemble or copy a training person who was not asked for.
        options: how the audit looks; the model is not attacked.

    Raises:
        PalsykitError: pictures are flagged and ``choice`` is "refuse", or all of them are; the data set then stays
            unreleased.
    """
    if choice == "keep":
        _take_back(folder)
    done = synthesize(model, run, people, order, folder)
    if done.images.name == RELEASED and (folder / CARD).is_file() and choice != "keep":
        return Released(done, None, None, len(list((folder / HELD_BACK).rglob("*.png"))))
    if not _has_data(model):
        return Released(done, None, None, 0)
    audit = audit_folder(model, run, folder, people, options)
    page = write(audit, page_folder(run, folder))
    flagged = [one.synthesis.file for one in audit.resemblance.flagged]
    if flagged and choice == "refuse":
        raise PalsykitError(_refusal(folder, page, len(flagged), len(audit.resemblance.made)), _bad(audit))
    if flagged and choice == "drop" and len(flagged) == len(audit.resemblance.made):
        raise PalsykitError(f"{folder}: not released. Every picture is to be left out; look at {page}", _bad(audit))
    if flagged and choice == "drop":
        for file in flagged:
            _move(pictures_of(folder) / file, folder / HELD_BACK / file)
        done = synthesize(model, run, people, order, folder)  # lists, counts and shows what is left
    dropped = list((folder / HELD_BACK).rglob("*.png"))
    write_text(folder / CARD, card(audit, choice, len(dropped)))
    if done.images.name != RELEASED:
        done.images.rename(folder / RELEASED)
    counts = Synthesised(folder / RELEASED, done.sheet, done.made, done.kept, done.counts)
    return Released(counts, audit, page, len(dropped))


def _has_data(model: Model) -> bool:
    """Whether the training data can be read, with which an audit compares; a model may be handed on without it."""
    try:
        model.parts.data()
    except PalsykitError as error:
        say(f"no audit: {error}")
        return False
    return True


def page_folder(run: Path, folder: Path) -> Path:
    """Where a data set's audit is written: beside the run, as it shows training photographs."""
    return run / "audits" / folder.resolve().name


def _refusal(folder: Path, page: Path, flagged: int, pictures: int) -> str:
    return (
        f"{folder}: not released. {flagged} of {pictures} pictures copy a training photograph, or are nearer to a "
        "training person not asked for than held-out people are to others. Nothing is lost: the pictures are in "
        f"{pictures_of(folder)}, the pairs side by side in {page}. Look at them; then run the same command with "
        "--resembling drop (leaves them out) or --resembling keep (lets them out all the same). What was found:"
    )


def _bad(audit: Audit) -> list[str]:
    return [finding.text for finding in audit.findings if finding.level != "good"]


def _move(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    source.rename(target)


def _take_back(folder: Path) -> None:
    """Puts pictures that were left out back among the others; the next synthesis lists them again."""
    held = folder / HELD_BACK
    for file in list(held.rglob("*.png")):
        _move(file, pictures_of(folder) / file.relative_to(held))


def card(audit: Audit, choice: Choice, dropped: int) -> str:
    """What goes out with the data set: counts only, nobody's name and no picture."""
    found, yard = audit.resemblance, audit.resemblance.yardstick
    flagged, asked = len(found.flagged), sum(one.flag == "asked" for one in found.made)
    done = {
        "refuse": "none was found, and nothing was left out" if not flagged else "",
        "drop": f"{dropped} pictures were left out",
        "keep": f"{flagged} pictures were let out all the same, on the maker's decision",
    }[choice]
    training = len({face.person for face in audit.people.training})
    held_out = len({face.person for face in audit.people.held_out})
    lines = [
        "# Privacy audit",
        "",
        f"{len(found.made)} synthetic pictures were audited by palsykit {__version__}; {done}.",
        "",
        f"- Compared with {training} people that the model was trained on and {held_out} people held out, by the "
        f"recognition network {audit.facts['recognition network']}.",
        f"- Threshold: cosine {yard.threshold:.4f}, "
        + ("the highest" if yard.quantile == 1 else f"the {yard.quantile:g} quantile")
        + " that a held-out photograph reaches with a person who is somebody else.",
        f"- Nearer than that to a training person who was not asked for, or a copy of a training photograph: "
        f"{flagged}.",
        f"- Nearer than that to a training person whom their own identity photograph looks like: {asked}. Their "
        f"likeness "
        "was asked for.",
        "",
        "The audit sees what one network sees. It is no proof of anonymity.",
    ]
    return "\n".join(lines) + "\n"
