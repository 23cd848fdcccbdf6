"""Why no model can be trained on a data set."""

from collections.abc import Sequence

from palsykit.data.rejections import printable
from palsykit.faces.records import FaceRecord
from palsykit.faces.vocabulary import SPLITS
from palsykit.report.words import names

UNKNOWN = "unknown"


def faults_of(records: Sequence[FaceRecord]) -> list[str]:
    """What prevents training on these records, in words; empty if nothing does."""
    if not records:
        return ["no photograph can be used; rejected.csv of a prepared folder, or the list below, says why"]
    faults = []
    if nameless := [printable(record.key) for record in records if record.labels.subject is None]:
        faults.append(f"{tally('photographs without a subject', nameless)}: splits are by subject, so give one")
    places: dict[str, set[str | None]] = {}
    for record in records:
        places.setdefault(subject_of(record), set()).add(record.split)
    if torn := [subject for subject, splits in places.items() if len(splits) > 1 and subject != UNKNOWN]:
        faults.append(f"{tally('subjects in two splits', torn)}: a person belongs in one, so correct it")
    words = {record.split for record in records}
    if strange := sorted(printable(word) for word in words - {None, *SPLITS} if word is not None):
        faults.append(f"found splits {', '.join(strange)}, expected {', '.join(SPLITS)}; rename them")
    if None in words and len(words) > 1:
        without = sum(record.split is None for record in records)
        faults.append(f"photographs without a split: {without}, where others have one; give every one a split, or none")
    if not faults and not words & {None, "train"}:
        faults.append(
            "no subject is in the split train; a recipe needs at least one to train on, so give one the split train"
        )
    return faults


def subject_of(record: FaceRecord) -> str:
    """The subject as text that can be printed, or "unknown"."""
    return UNKNOWN if record.labels.subject is None else printable(str(record.labels.subject))


def tally(what: str, items: Sequence[str]) -> str:
    """``what: 9 (a, b, ...)``."""
    return f"{what}: {len(items)} ({names(items)})"
