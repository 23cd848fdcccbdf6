"""Trees in the shape of AFLFP: folders of people, names with stray blanks, words that a user has to explain."""

import pytest

from palsykit.faces.vocabulary import FaceLabels
from palsykit.registry import registry
from palsykit.testing import check
from palsykit_datasets.aflfp import aflfp
from palsykit_datasets.expressions import UnknownExpression

SIZE = 32
WORDS = ("brow raise", "cheek puff", "no", "say_ah")
EXPLAINED = {"cheek puff": "cheek puff", "no": "rest", "say_ah": "lower teeth"}


@pytest.fixture
def tree(tmp_path, drawn, points_beside):
    """Two people x four expressions x two images, with the attested patterns."""
    root, shade = tmp_path / "AFLFP", 0
    for subject in ("10", "11"):
        for index, word in enumerate(WORDS):
            for image in (1, 17):
                blank, letter = (" ", "") if index % 2 else ("", "s")
                path = root / subject / f"{letter}{subject}{blank}_{word}_{image}_face.jpg"
                five = drawn.save(path.with_suffix(".png"), shade=shade)
                path.with_suffix(".png").rename(path)
                points_beside(path, ".csv", five)
                shade += 1
    return root


def dataset(root, **keys):
    return aflfp(SIZE, root.parent / "cache", root=root, **keys)


def test_unknown_words_are_listed_with_how_to_explain_them(tree):
    with pytest.raises(UnknownExpression) as caught:
        dataset(tree)
    message = str(caught.value)
    assert "found unknown expressions: 'cheek puff' (4 photographs, such as '10 _cheek puff_17_face.jpg')" in message
    assert "'no' (4 photographs" in message
    assert "'say_ah' (4 photographs" in message
    assert "brow raise" not in message
    assert "expected rest, brow_raise, eye_closure_gentle" in message
    assert "set the key expressions, as {WORD: smile_full}" in message


def test_explained_words_are_canonical_or_kept(tree):
    faces = dataset(tree, expressions={"cheek puff": "cheek puff", "no": "neutral", " Say_Ah": "DentalShow"})
    assert (len(faces.records), faces.rejected) == (16, [])
    assert {r.labels for r in faces.records} == {
        FaceLabels(subject, expression)
        for subject in ("10", "11")
        for expression in ("brow_raise", "cheek puff", "rest", "lower_lip_depression")
    }


def test_blanks_in_names_do_not_count(tree):
    for path in sorted(tree.rglob("*brow raise_1_face.*")):
        path.rename(path.with_name(path.name.replace("_brow raise_", " _ Brow  raise _")))
    faces = dataset(tree, expressions=EXPLAINED)
    assert [r.labels.expression for r in faces.records].count("brow_raise") == 4


def test_names_of_another_pattern_are_listed_or_read_by_the_key(tree, drawn):
    path = tree / "10" / "portrait.jpg"
    drawn.save(path, shade=99)
    (rejected,) = dataset(tree, expressions=EXPLAINED).rejected
    assert rejected.path == path.as_posix()
    assert "does not say subject and expression as the pattern" in rejected.reason
    pattern = r".*/s?(?P<subject>\d+) ?_(?P<expression>[^/]+)_\d+_face\.jpg"
    assert len(dataset(tree, expressions=EXPLAINED, pattern=pattern).records) == 16


@pytest.mark.parametrize(
    ("expressions", "message"),
    [
        (
            {"grin": "smirk"},
            r"aflfp: expressions: \{grin: smirk\}: unknown expression 'smirk'.*\{grin: grin\} to keep it",
        ),
        ({"grin": "smile_full", "Grin ": "rest"}, "aflfp: expressions: found 'Grin ' twice, expected one meaning"),
    ],
)
def test_a_malformed_key_stops(tree, expressions, message):
    with pytest.raises(ValueError, match=message):
        dataset(tree, expressions=expressions)


def test_is_registered():
    assert registry().get("datasets", "aflfp").load() is aflfp


def test_it_keeps_the_contract_of_data_sets(tree):
    results = check("dataset", "aflfp", image_size=SIZE, root=str(tree), expressions=EXPLAINED)
    assert [str(result) for result in results if result.state != "passed"] == []
