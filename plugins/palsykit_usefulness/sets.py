"""Training sets of a classifier: some real people, the synthetic ones, or both."""

from collections.abc import Sequence

from palsykit.errors import PalsykitError
from palsykit.faces.joined import Joined
from palsykit.faces.pairing import Pair, by_subject, pair
from palsykit.faces.records import FaceRecord
from palsykit.faces.splits import shared_subjects
from palsykit.seeds import derive


def draw_people(records: Sequence[FaceRecord], people: int, seed: int) -> list[FaceRecord]:
    """All photographs of ``people`` subjects drawn with ``seed``; a larger draw contains the smaller ones.

    Raises:
        PalsykitError: there are fewer.
    """
    groups = by_subject(records)
    if people > len(groups):
        raise PalsykitError(
            f"{people} real people to train on, but the recipe's data has {len(groups)}; give smaller numbers with "
            "--subjects, or give the data more people"
        )
    drawn = set(sorted(groups, key=lambda subject: derive("few", seed, subject))[:people])
    return [record for record in records if record.labels.subject in drawn]


def balance(joined: Joined, seed: int) -> list[Pair]:
    """Make the training pairs; those of a smaller set are repeated, so that each set is seen about equally often."""
    groups: dict[str, list[Pair]] = {}
    for one in pair(joined.records, seed):
        groups.setdefault(one.record.key.split(":")[0], []).append(one)
    most = max(len(pairs) for pairs in groups.values())
    return [one for pairs in groups.values() for one in pairs * max(1, round(most / len(pairs)))]


def refuse_known(test: Sequence[FaceRecord], synthetic: Sequence[FaceRecord]) -> None:
    """Refuse synthetic faces of people who are also tested on.

    Raises:
        PalsykitError: some people are in both; the message names them.
    """
    if both := shared_subjects(test, synthetic):
        raise PalsykitError(
            f"{len(both)} people are in the test split and among the synthetic faces ({', '.join(both[:5])}); expected "
            "unseen people: test on others (--set data.seed=3 for a face space), or synthesise other identities"
        )
