"""Release of a synthesised data set: no face may be nearer to a training person than held-out people are to others.

Until then its pictures are in DEST/unreleased. A refusal loses nothing: the pictures stay there, the same command
resumes, and the audit's page shows the pairs.
"""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from palsykit import __version__
from palsykit.errors import PalsykitError
from palsykit.files.atomic import make_folder, write_text
from palsykit.progress import say
from palsykit.synthesis.front import Model
from palsykit_audit.audit import Audit, Options, audit_folder
from palsykit_audit.bulk import HELD_BACK, RELEASED, Order, Synthesised, pictures_of, synthesize
from palsykit_audit.identities import People
from palsykit_audit.writing import write

Choice = Literal["refuse", "drop", "keep"]
"""What to do if pictures are flagged: leave everything unreleased, release the others, or release all of them."""
CARD = "privacy.md"


@dataclass(frozen=True, eq=False)
class Released:
    """A synthesised data set after the attempt to release it.

    Attributes:
        done: its pictures.
        audit: None if the data set was released before and has no new pictures, or if the training data cannot be read;
            in the second case the pictures stay unreleased.
        page: the audit's page, in the run's folder.
        dropped: number of pictures that were left out.
    """

    done: Synthesised
    audit: Audit | None
    page: Path | None
    dropped: int


def synthesize_and_release(
    model: Model, run: Path, people: People, order: Order, folder: Path, choice: Choice, options: Options
) -> Released:
    """Synthesise what is missing, audit the data set and release it.

    Args:
        model: the trained run.
        run: the run's folder; the audit's page goes below it, because it shows training photographs.
        people: the identities.
        order: what the pictures show.
        folder: DEST.
        choice: what to do with pictures that resemble or copy a training person who was not asked for.
        options: how the audit is done; the model is not attacked.

    Raises:
        PalsykitError: pictures are flagged and ``choice`` is "refuse", or all are flagged and it is "drop"; the data
            set then stays unreleased.
    """
    # Synthesise.
    if choice == "keep":
        _restore(folder)
    done = synthesize(model, run, people, order, folder)
    if done.images.name == RELEASED and (folder / CARD).is_file() and choice != "keep":
        return Released(done, None, None, len(_held_back(folder)))
    if not _has_data(model):
        return Released(done, None, None, 0)

    # Audit.
    audit = audit_folder(model, run, folder, people, options)
    page = write(audit, page_folder(run, folder))

    # Hold back flagged pictures.
    flagged = [one.synthesis.file for one in audit.resemblance.flagged]
    if flagged and choice != "keep":
        _check_release(audit, folder, page, choice)
        for file in flagged:
            _move(pictures_of(folder) / file, folder / HELD_BACK / file)
        done = synthesize(model, run, people, order, folder)  # makes nothing; lists and counts the remaining pictures

    # Release.
    dropped = len(_held_back(folder))
    write_text(folder / CARD, card(audit, choice, dropped))
    if done.images.name != RELEASED:
        done.images.rename(folder / RELEASED)
    return Released(replace(done, images=folder / RELEASED), audit, page, dropped)


def _check_release(audit: Audit, folder: Path, page: Path, choice: Choice) -> None:
    """Refuse to release flagged pictures, unless they can be dropped and leave others."""
    flagged, pictures = len(audit.resemblance.flagged), len(audit.resemblance.likenesses)
    problems = [finding.text for finding in audit.findings if finding.level != "good"]
    if choice == "refuse":
        raise PalsykitError(_refusal(folder, page, flagged, pictures), problems)
    if flagged == pictures:
        raise PalsykitError(f"{folder}: not released. Every picture would be left out; look at {page}", problems)


def _has_data(model: Model) -> bool:
    """Whether the training data, which an audit needs, can be read; a model may be used without it."""
    try:
        model.parts.data()
    except PalsykitError as error:
        say(f"no audit: {error}")
        return False
    return True


def page_folder(run: Path, folder: Path) -> Path:
    """Where a data set's audit is written: below the run, because it shows training photographs."""
    return run / "audits" / folder.resolve().name


def _refusal(folder: Path, page: Path, flagged: int, pictures: int) -> str:
    """The error message if flagged pictures are refused."""
    return (
        f"{folder}: not released. {flagged} of {pictures} pictures copy a training photograph, or are nearer to a "
        "training person not asked for than held-out people are to others. Nothing is lost: the pictures are in "
        f"{pictures_of(folder)}. Compare the pairs in {page}; then run the same command with --resembling drop (leaves "
        "these pictures out) or --resembling keep (releases all). Findings:"
    )


def _move(source: Path, target: Path) -> None:
    make_folder(target.parent)
    source.rename(target)


def _held_back(folder: Path) -> list[Path]:
    """Pictures that were left out of a release."""
    return list((folder / HELD_BACK).rglob("*.png"))


def _restore(folder: Path) -> None:
    """Move pictures that were left out back to the others; the next synthesis lists them again."""
    for file in _held_back(folder):
        _move(file, pictures_of(folder) / file.relative_to(folder / HELD_BACK))


def card(audit: Audit, choice: Choice, dropped: int) -> str:
    """The audit's summary in the data set: counts only, no names and no pictures."""
    result, yard = audit.resemblance, audit.resemblance.yardstick
    flagged, asked = len(result.flagged), sum(one.flag == "asked" for one in result.likenesses)
    done = {
        "refuse": "none was found, and nothing was left out" if not flagged else "",
        "drop": f"{dropped} pictures were left out",
        "keep": f"{flagged} flagged pictures were released all the same, because the maker decided so",
    }[choice]
    training = len({face.person for face in audit.people.training})
    held_out = len({face.person for face in audit.people.held_out})
    which = "the highest" if yard.quantile == 1 else f"the {yard.quantile:g} quantile"
    lines = [
        "# Privacy audit",
        "",
        f"{len(result.likenesses)} synthetic pictures were audited by palsykit {__version__}; {done}.",
        "",
        f"- Compared with {training} people that the model was trained on and {held_out} people held out, by the "
        f"recognition network {audit.facts['recognition network']}.",
        f"- Threshold: cosine {yard.threshold:.4f}, {which} of a held-out photograph with a different person.",
        "- Nearer than that to a training person who was not asked for, or a copy of a training photograph: "
        f"{flagged}.",
        "- Nearer than that to a training person that their own identity photograph looks like: "
        f"{asked}. This likeness was asked for.",
        "",
        "An audit finds only what one network sees. It is not a proof of anonymity.",
    ]
    return "\n".join(lines) + "\n"
