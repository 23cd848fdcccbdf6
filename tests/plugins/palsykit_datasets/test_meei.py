"""Trees in the shape of the MEEI set: three archives, eight expressions, a spreadsheet that leaves people out."""

import csv

import pytest

from palsykit.faces.vocabulary import EXPRESSIONS, FaceLabels, Group, Side
from palsykit.registry import registry
from palsykit.testing import check
from palsykit_datasets.expressions import UnknownExpression
from palsykit_datasets.meei import meei

SIZE = 32
PATTERN = r"(?P<subject>\d+)/(?P<expression>\d)[.]png"
NUMBERS = {str(number): name for number, name in enumerate(EXPRESSIONS, start=1)}
PEOPLE = {"flaccid": ("1", "2", "3"), "synkinetic": ("4", "5"), "normal": ("6",)}
COLUMNS = {"subject": "Patient", "side": "Affected side", "severity": "HB", "eface": "eFACE total"}
VALUES = {"side": {"L": "left", "R": "right", "n/a": ""}, "severity": {"III": 3, "VI": 6}}


@pytest.fixture
def tree(tmp_path, drawn, points_beside):
    """Six people x eight expressions; two people are not in the spreadsheet."""
    root, shade = tmp_path / "meei", 0
    for archive, subjects in PEOPLE.items():
        for subject in subjects:
            for number in NUMBERS:
                path = root / archive / subject / f"{number}.png"
                five = drawn.save(path, shade=shade)
                points_beside(path, ".pts", drawn.landmarks(five))
                shade += 1
    sheet(root, [("1", "L", "III", "61.5"), ("2", "R", "VI", ""), ("4", "L", "2", "80"), ("5", "n/a", "", "")])
    return root


def sheet(root, rows, headings=("Patient", "Affected side", "HB", "eFACE total")):
    with (root / "people.csv").open("w", newline="", encoding="utf-8-sig") as file:
        csv.writer(file).writerows([headings, *rows])


def dataset(root, **keys):
    given = {"pattern": PATTERN, "expressions": NUMBERS} | keys
    return meei(SIZE, root.parent / "cache", root=root, **given)


def described(root, **keys):
    given = {"metadata": root / "people.csv", "columns": COLUMNS, "values": VALUES} | keys
    return dataset(root, **given)


def test_people_the_spreadsheet_leaves_out_stay_unknown(tree, capsys):
    faces = described(tree, attribution="MEEI")
    assert (len(faces.records), faces.rejected, faces.attribution) == (48, [], "MEEI")
    people = {r.labels.subject: r.labels for r in faces.records if r.labels.expression == "rest"}
    assert people == {
        "flaccid/1": FaceLabels("flaccid/1", "rest", Side.LEFT, 3.0, Group.FLACCID, eface=61.5),
        "flaccid/2": FaceLabels("flaccid/2", "rest", Side.RIGHT, 6.0, Group.FLACCID),
        "flaccid/3": FaceLabels("flaccid/3", "rest", group=Group.FLACCID),
        "synkinetic/4": FaceLabels("synkinetic/4", "rest", Side.LEFT, 2.0, Group.SYNKINETIC, eface=80.0),
        "synkinetic/5": FaceLabels("synkinetic/5", "rest", group=Group.SYNKINETIC),
        "normal/6": FaceLabels("normal/6", "rest", group=Group.NORMAL),
    }
    assert {r.labels.expression for r in faces.records} == set(EXPRESSIONS)
    assert all(r.landmarks_source == "given" for r in faces.records)
    assert "describes 4 of 6 people" in capsys.readouterr().err


def test_without_a_spreadsheet_only_the_archive_speaks(tree):
    faces = dataset(tree)
    assert len(faces.records) == 48
    assert {(r.labels.side, r.labels.severity) for r in faces.records} == {(None, None)}


def test_a_missing_pattern_is_requested_with_example_files(tree):
    with pytest.raises(ValueError, match=r"no key pattern.*such as \['1/1\.png', '1/2\.png', .*groups subject and exp"):
        dataset(tree, pattern=None)


def test_unknown_expressions_are_listed_together(tree):
    with pytest.raises(UnknownExpression) as caught:
        dataset(tree, expressions={number: NUMBERS[number] for number in "123456"})
    message = str(caught.value)
    assert "found unknown expressions: '7' (6 photographs, such as '7.png'); '8' (6 photographs" in message
    assert "expected rest, brow_raise, eye_closure_gentle" in message
    assert "write expressions: {WORD: smile_full}, or {WORD: WORD} to keep it" in message


def test_archives_may_be_called_otherwise_or_be_missing(tree):
    (tree / "flaccid").rename(tree / "Flaccid photos")
    assert len(dataset(tree).records) == 24
    assert len(dataset(tree, folders={"flaccid": "Flaccid photos"}).records) == 48
    rejected = [r.path for r in dataset(tree).rejected]
    assert len(rejected) == 24
    with pytest.raises(ValueError, match=r"holds the folders .*'Flaccid photos'.*say with folders: \{flaccid: NAME\}"):
        dataset(tree, folders={"flaccid": "flaccid pictures"})
    with pytest.raises(ValueError, match="folders names nonflaccid, expected flaccid, synkinetic, normal"):
        dataset(tree, folders={"nonflaccid": "Flaccid photos"})


def test_photographs_that_say_nothing_are_listed(tree, drawn):
    drawn.save(tree / "normal" / "6" / "portrait.png", shade=99)
    drawn.save(tree / "extra.png", shade=98)
    (tree / "normal" / "6" / "smile.mov").write_bytes(b"film")
    reasons = {r.path.removeprefix(f"{tree}/"): r.reason for r in dataset(tree).rejected}
    assert reasons.keys() == {"normal/6/portrait.png", "extra.png", "normal/6/smile.mov"}
    assert "does not say subject and expression as the pattern" in reasons["normal/6/portrait.png"]
    assert "lies in none of the folders flaccid, synkinetic, normal" in reasons["extra.png"]


def test_one_name_in_two_archives_is_two_people(tree):
    (tree / "normal" / "6").rename(tree / "normal" / "1")
    assert {r.labels.subject for r in dataset(tree).records} >= {"flaccid/1", "normal/1"}
    with pytest.raises(ValueError, match=r"people\.csv:2: found subject '1', who is in flaccid and normal"):
        described(tree)
    headings = ("Patient", "Kind", "Affected side")
    sheet(tree, [("1", "F", "L"), ("1", "normal", "n/a"), ("4", "Nonflaccid", "R")], headings)
    columns = {"subject": "Patient", "group": "Kind", "side": "Affected side"}
    values = VALUES | {"group": {"F": "flaccid", "Nonflaccid": "synkinetic"}}
    sides = {r.labels.subject: r.labels.side for r in described(tree, columns=columns, values=values).records}
    assert (sides["flaccid/1"], sides["normal/1"], sides["synkinetic/4"]) == (Side.LEFT, None, Side.RIGHT)


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"columns": {}}, r"people\.csv:1: found headings \['Patient', .*columns: \{subject: HEADING\}"),
        ({"columns": {"subject": "Name"}}, r"people\.csv:1: found headings .*expected 'Name' for subject, once"),
        ({"columns": {"who": "Patient"}}, "columns names who, expected some of subject, group, side"),
        (
            {"values": VALUES | {"side": {"L": "left"}}},
            r"people\.csv:3 \(explain it with values: \{side: \{R: .*found side 'R'",
        ),
        ({"values": {"side": VALUES["side"]}}, r"people\.csv:2 \(explain it.*found severity 'III', expected a House"),
        ({"values": VALUES | {"hb": {}}}, "values names hb, expected some of subject"),
        ({"metadata": None}, "columns and values explain a spreadsheet; set the key metadata"),
        ({"pattern": "[0-9]+"}, "pattern .* has no group subject and none expression"),
        ({"pattern": "("}, "is not a regular expression"),
        ({"expressions": {"1": "sneer"}}, r"meei: expressions: \{1: sneer\}: unknown expression 'sneer'"),
    ],
)
def test_wrong_settings_stop(tree, keys, message):
    with pytest.raises(ValueError, match=message):
        described(tree, **keys)


def test_people_without_photographs_stop(tree):
    sheet(tree, [("Ann", "L", "2", ""), ("Ben", "R", "2", "")])
    message = (
        r"people\.csv:2: found subjects such as \['Ann', 'Ben'\], expected those that .* such as \['1', '2', '3'\]"
    )
    with pytest.raises(ValueError, match=message):
        described(tree)


def test_a_person_has_one_row(tree):
    sheet(tree, [("1", "L", "2", ""), ("", "", "", ""), ("1", "R", "2", "")])
    with pytest.raises(
        ValueError, match=r"people\.csv:4: found subject '1' again, expected one row a person; see .*:2"
    ):
        described(tree)


def test_splits_are_of_people(tree, tmp_path):
    path = tmp_path / "splits.csv"
    people = [f"{archive}/{subject}" for archive, subjects in PEOPLE.items() for subject in subjects]
    path.write_text("subject,split\n" + "".join(f"{p},{'test' if p == 'normal/6' else 'train'}\n" for p in people))
    splits = {r.labels.subject: r.split for r in dataset(tree, splits=path).records}
    assert splits == {p: "test" if p == "normal/6" else "train" for p in people}


def test_is_registered():
    assert registry().get("datasets", "meei").load() is meei


def test_it_keeps_the_contract_of_data_sets(tree):
    results = check("dataset", "meei", image_size=SIZE, root=str(tree), pattern=PATTERN, expressions=NUMBERS)
    assert [str(result) for result in results if result.state != "passed"] == []


def test_rows_that_do_not_say_whom_they_mean_are_named(tree):
    """A cell that was merged over two rows is saved as a subject and an empty cell."""
    sheet(tree, [("1", "L", "III", "61.5"), ("", "R", "VI", ""), ("", "", "", ""), ("4", "L", "2", "80")])
    faces = described(tree)
    (note,) = faces.notes
    assert note.startswith("rows of the spreadsheet without a subject, which are left out: 1 (")
    assert "people.csv:3); where cells were merged" in note
