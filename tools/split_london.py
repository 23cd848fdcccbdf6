"""Split the people of the London set into train, validation and test. The result is ``splits/london.csv``.

    python tools/split_london.py INFO_CSV splits/london.csv

Sixteen people are ``test`` and six are ``validation``; the face space and the shipped weights use none of them. Test
people, then validation people, are distributed over groups of gender x ethnicity by largest remainder (a mixed
ethnicity counts as the first that it names), and drawn within each group with ``SEED``. A group keeps two people or
more.
"""

import csv
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

SEED = 2017
TEST, VALIDATION = 16, 6
_LEFT_IN_A_GROUP = 2

Group = tuple[str, str]


def read_groups(info: Path) -> dict[Group, list[str]]:
    """Read subject numbers by (gender, ethnicity), sorted, from the set's info.csv."""
    groups: dict[Group, list[str]] = {}
    with info.open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            group = (row["face_gender"], row["face_eth"].split("/")[0])
            groups.setdefault(group, []).append(row["face_id"])
    return {group: sorted(people) for group, people in sorted(groups.items())}


def shares(sizes: Mapping[Group, int], count: int) -> dict[Group, int]:
    """Distribute ``count`` places in proportion to the groups' sizes, by largest remainder."""
    total = sum(sizes.values())
    exact = {group: count * size / total for group, size in sizes.items()}
    result = {group: min(int(share), max(0, sizes[group] - _LEFT_IN_A_GROUP)) for group, share in exact.items()}
    by_remainder = sorted(exact, key=lambda group: (result[group] - exact[group], group))
    while (missing := count - sum(result.values())) > 0:
        open_groups = [group for group in by_remainder if result[group] < sizes[group] - _LEFT_IN_A_GROUP]
        for group in open_groups[:missing]:
            result[group] += 1
    return result


def split(groups: Mapping[Group, Sequence[str]]) -> dict[str, str]:
    """Subject -> train, validation or test, in order of subject number."""
    rng = np.random.default_rng(SEED)
    left = {group: [str(person) for person in rng.permutation(people)] for group, people in groups.items()}
    result: dict[str, str] = {}
    for name, count in (("test", TEST), ("validation", VALIDATION)):
        for group, share in shares({g: len(people) for g, people in left.items()}, count).items():
            result |= dict.fromkeys(left[group][:share], name)
            left[group] = left[group][share:]
    result |= {person: "train" for people in left.values() for person in people}
    return dict(sorted(result.items()))


def main(info: str, out: str) -> None:
    """Write the CSV with the columns subject and split."""
    with Path(out).open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["subject", "split"])
        writer.writerows(split(read_groups(Path(info))).items())


if __name__ == "__main__":
    if len(sys.argv) != 3:
        raise SystemExit("usage: python tools/split_london.py INFO_CSV OUT_CSV")
    main(*sys.argv[1:])
