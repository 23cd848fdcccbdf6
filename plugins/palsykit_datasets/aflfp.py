"""AFLFP, the annotated facial landmarks for facial palsy: 88 people, 16 expressions, four images of each (5,632)."""

from pathlib import Path

from palsykit.faces.interfaces import Detector
from palsykit.faces.vocabulary import FaceLabels
from palsykit_datasets.aligned import AlignedPhotographs
from palsykit_datasets.entries import Listing, existing, with_splits
from palsykit_datasets.expressions import Words, words_of
from palsykit_datasets.named import check_words, described, pattern_of, read_names
from palsykit_datasets.reading import Frame
from palsykit_datasets.stamp import Sources
from palsykit_datasets.tree import Tree

PATTERN = r"(?P<subject>[^/]+)/[^/_]*_(?P<expression>[^/]+)_\d+_face\.\w+"
"""Fits the two published examples, stray blanks included: ``<number>/s11_brow raise_1_face.jpg`` and
``10 _brow raise_17_face.jpg``. What the numbers at the start and before "face" mean is not public: they are ignored.
"""


def aflfp(
    image_size: int,
    cache: Path,
    *,
    root: Path,
    pattern: str = PATTERN,
    expressions: dict[str, str] | None = None,
    frame: Frame = "points",
    splits: Path | None = None,
    detector: Detector | None = None,
    attribution: str = "",
) -> AlignedPhotographs:
    """``ROOT/SUBJECT/s11_EXPRESSION_1_face.jpg``; landmarks in files beside the photographs, or by a detector.

    The names of the 16 expressions are not public. Names in the vocabulary ("brow raise") have its meaning; all others
    must be explained in ``expressions``, and the adapter stops with a list of those that are not. We take the folder as
    the subject; if that is wrong, set ``pattern``. The names do not give side and severity: both stay unknown unless
    ``NAME.json`` beside a photograph gives them.

    Args:
        image_size: side of every picture in px.
        cache: folder for aligned pictures and detected faces.
        root: the folder that holds a folder for every subject.
        pattern: of the whole path below ROOT, a regular expression with the groups subject and expression.
        expressions: the files' own word -> a name or alias of the vocabulary, or the same word to keep it. Blanks and
            case do not count.
        frame: as for the data set "folder".
        splits: CSV with the columns subject and split.
        detector: finds the face in photographs without points; None: the one that works without settings.
        attribution: of the photographs, for reports and cards.

    Raises:
        ValueError: for an unknown expression, or a folder without a usable photograph.
    """
    words = words_of("aflfp", expressions)
    base = existing("aflfp", root, "that holds a folder for every subject")
    return AlignedPhotographs(
        image_size,
        cache,
        lambda: with_splits(read_layout(base, pattern, words, [] if splits is None else [splits]), splits),
        Sources("aflfp", root, (splits,), {"pattern": pattern, "expressions": expressions}),
        frame=frame,
        detector=detector,
        attribution=attribution,
    )


def read_layout(root: Path, pattern: str, words: Words, tables: list[Path]) -> Listing:
    """The entries, as file names describe them.

    Raises:
        UnknownExpression: lists all unexplained words in one message.
        ValueError: if the pattern is not a regular expression.
    """
    tree = Tree(root, tables)
    named, rejected = read_names(tree, tree.pictures, root, pattern_of("aflfp", pattern), words)
    step = "set the key expressions, as {WORD: smile_full}, or {WORD: WORD} to keep a word"
    check_words("aflfp", named, words, step)
    listing = Listing("aflfp", root, rejected=[*tree.rejected, *rejected])
    listing.expected = f"expected ROOT/SUBJECT/s11_EXPRESSION_1_face.jpg or what the key pattern says ({pattern})"
    listing.entries, conflicting = described(
        root, named, lambda photograph: FaceLabels(photograph.subject, words.canonical("aflfp", photograph.expression))
    )
    listing.rejected += conflicting
    return listing
