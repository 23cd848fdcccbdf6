"""First stage: read the data, count it, and list the photographs that cannot be used."""

import json
from collections import Counter
from typing import Any

from palsykit.data.consistency import doubts_of
from palsykit.data.rejections import list_on_failure, write_rejected
from palsykit.errors import PalsykitError
from palsykit.faces.pairing import by_subject
from palsykit.files.atomic import write_text
from palsykit.progress import say
from palsykit.run.folder import RunFolder
from palsykit.run.parts import Data, Parts
from palsykit.run.same_data import KEY, recorded


def prepare(run: RunFolder, parts: Parts, facts: dict[str, Any]) -> None:
    """Write data.json and, if photographs were rejected, rejected.csv."""
    with list_on_failure(run.path):
        data = parts.data()
    summary = summarise(data) | {"doubts": doubts_of(data.dataset), KEY: recorded(data)}
    write_text(run.path / "data.json", json.dumps(summary, indent=1) + "\n")
    if data.dataset.rejected:
        write_rejected(run.path, data.dataset.rejected)
        say(f"{len(data.dataset.rejected)} photographs cannot be used; reasons: {run.path / 'rejected.csv'}")
    for doubt in summary["doubts"]:
        say(doubt)
    facts["photographs"] = len(data.dataset.records)
    facts["subjects"] = len(by_subject(data.dataset.records))


def require_people(parts: Parts) -> None:
    """Refuse data with nobody to synthesise, before anything is trained.

    Raises:
        PalsykitError: nobody is in the split that ``generate`` needs.
    """
    settings, splits = parts.settings, parts.data().splits
    synthesises = settings.synthesiser is not None or settings.sampler is not None
    if synthesises and not splits[settings.generate.split]:
        people = ", ".join(f"{len(by_subject(records))} in {name}" for name, records in splits.items())
        raise PalsykitError(
            f"the data have nobody in the split {settings.generate.split!r}, which generate needs: found {people}; "
            "give the subjects splits, set generate.split: train, or use more people (of two, both are trained on)"
        )


def summarise(data: Data) -> dict[str, Any]:
    """Count photographs by split and label, and collect the notes on the data that the report shows."""
    counts: dict[str, dict[str, dict[str, int]]] = {"split": {}, "expression": {}, "side": {}, "severity": {}}
    for split, records in data.splits.items():
        counts["split"].setdefault("subjects", {})[split] = len(by_subject(records))
        counts["split"].setdefault("photographs", {})[split] = len(records)
        for field in ("expression", "side", "severity"):
            words = Counter(_word(getattr(record.labels, field)) for record in records)
            for word, count in sorted(words.items()):
                counts[field].setdefault(word, {})[split] = count
    alone = [s for records in data.splits.values() for s, group in by_subject(records).items() if len(group) == 1]
    return {
        "counts": counts,
        "single_photograph_subjects": alone,
        "without_landmarks": data.without_landmarks,
        "rejected": len(data.dataset.rejected),
        "attribution": data.dataset.attribution,
    }


def _word(value: object) -> str:
    return "unknown" if value is None else f"{value:g}" if isinstance(value, float) else str(value)
