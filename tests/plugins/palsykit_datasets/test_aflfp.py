"""Trees in the shape of AFLFP: folders of people, names with stray blanks, words that a user has to explain."""

import pytest

from palsykit.faces.vocabulary import FaceLabels
from palsykit.registry import registry
from palsykit.testing import check
from palsykit_datasets.aflfp import aflfp
from palsykit_datasets.expressions import UnknownExpression
from palsykit_datasets.vocabulary_files import read_vocabulary

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


def vocabulary(root, text, name="vocabulary.yaml"):
    path = root.parent / name
    path.write_text(text)
    return path


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
    assert "write a file vocabulary.yaml with a line 'WORD: smile_full' for each" in message


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("vocabulary.yaml", "cheek puff: cheek puff\nno: neutral\n'Say_Ah': lower teeth\n"),
        ("vocabulary.csv", "word,expression\ncheek puff,cheek puff\nno,rest\nsay_ah,DentalShow\n"),
    ],
)
def test_explained_words_are_canonical_or_kept(tree, name, text):
    faces = dataset(tree, vocabulary=vocabulary(tree, text, name))
    assert (len(faces.records), faces.rejected) == (16, [])
    assert {r.labels for r in faces.records} == {
        FaceLabels(subject, expression)
        for subject in ("10", "11")
        for expression in ("brow_raise", "cheek puff", "rest", "lower_lip_depression")
    }


def test_blanks_in_names_do_not_count(tree):
    for path in sorted(tree.rglob("*brow raise_1_face.*")):
        path.rename(path.with_name(path.name.replace("_brow raise_", " _ Brow  raise _")))
    words = vocabulary(tree, "".join(f"{word}: {meaning}\n" for word, meaning in EXPLAINED.items()))
    faces = dataset(tree, vocabulary=words)
    assert [r.labels.expression for r in faces.records].count("brow_raise") == 4


def test_names_of_another_pattern_are_listed_or_read_by_the_key(tree, drawn):
    words = vocabulary(tree, "".join(f"{word}: {meaning}\n" for word, meaning in EXPLAINED.items()))
    path = tree / "10" / "portrait.jpg"
    drawn.save(path, shade=99)
    (rejected,) = dataset(tree, vocabulary=words).rejected
    assert rejected.path == path.as_posix()
    assert "does not say subject and expression as the pattern" in rejected.reason
    pattern = r".*/s?(?P<subject>\d+) ?_(?P<expression>[^/]+)_\d+_face\.jpg"
    assert len(dataset(tree, vocabulary=words, pattern=pattern).records) == 16


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("v.yaml", "- brow raise\n", "found no mapping, expected a line 'word: expression'"),
        ("v.yaml", "a: [b\n", "found no YAML"),
        ("v.yaml", "rest: rest\ngrin:\n", r"v\.yaml:2: found a word without one meaning"),
        ("v.yaml", "grin: [smile_full]\n", r"v\.yaml:1: found a word without one meaning"),
        (
            "v.yaml",
            "grin: smirk\n",
            r"v\.yaml:1: \{grin: smirk\}: unknown expression 'smirk'.*\{grin: grin\} to keep it",
        ),
        ("v.yaml", "grin: smile_full\nGrin : rest\n", r"v\.yaml:2: found 'Grin' again, expected one meaning"),
        ("v.yaml", "", "found no mapping"),
        ("v.yaml", "!!python/object/apply:os.getcwd []: x\n", "found a word without one meaning"),
        ("v.csv", "a,b\n", r"v\.csv:1: found columns \['a', 'b'\], expected word and expression"),
        ("v.csv", "word,expression\ngrin,\n", r"v\.csv:2: found a word without a meaning"),
        ("v.csv", "word,expression\ngrin\n", r"v\.csv:2: found a word without a meaning"),
    ],
)
def test_a_malformed_vocabulary_stops(tmp_path, name, text, message):
    path = tmp_path / name
    path.write_text(text)
    with pytest.raises(ValueError, match=message):
        read_vocabulary(path)


def test_is_registered():
    assert registry().get("datasets", "aflfp").load() is aflfp


def test_it_keeps_the_contract_of_data_sets(tree):
    words = vocabulary(tree, "".join(f"{word}: {meaning}\n" for word, meaning in EXPLAINED.items()))
    results = check("dataset", "aflfp", image_size=SIZE, root=str(tree), vocabulary=str(words))
    assert [str(result) for result in results if result.state != "passed"] == []
