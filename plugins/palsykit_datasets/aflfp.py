"""AFLFP, the annotated facial landmarks for facial palsy: 88 people, 16 expressions, four images of each (5,632)."""

from pathlib import Path

from palsykit.faces.interfaces import Detector
from palsykit.faces.vocabulary import FaceLabels
from palsykit_datasets.aligned import AlignedPhotographs, Frame
from palsykit_datasets.entries import Listing, existing, with_splits
from palsykit_datasets.expressions import Words
from palsykit_datasets.named import check_words, described, pattern_of, read_names
from palsykit_datasets.tree import Tree
from palsykit_datasets.vocabulary_files import read_vocabulary

PATTERN = r"(?P<subject>[^/]+)/[^/_]*_(?P<expression>[^/]+)_\d+_face\.\w+"
"""The two names that are attested, with their stray blanks: ``<number>/s11_brow raise_1_face.jpg`` and
``10 _brow raise_17_face.jpg``. What the numbers at the start and before "face" count is not public: they are not read.
"""


def aflfp(
    image_size: int,
    cache: Path,
    *,
    root: Path,
    vocabulary: Path | None = None,
    pattern: str = PATTERN,
    frame: Frame = "points",
    splits: Path | None = None,
    detector: Detector | None = None,
    attribution: str = "",
) -> AlignedPhotographs:
    """``ROOT/SUBJECT/s11_EXPRESSION_1_face.jpg``; landmarks in files beside the photographs, or by a detector.

    The names of the 16 expressions are not public. Those that the vocabulary has ("brow raise") mean what it says; all
    others have to be explained in ``vocabulary``, and the adapter stops with the list of those that are not. That the
    folder is the subject is how we read the attested names; ``pattern`` says otherwise where it is not so. Of side and
    severity the names say nothing: both stay unknown unless ``NAME.json`` beside a photograph gives them.

    Args:
        image_size: side of every picture in px.
        cache: folder for aligned pictures and found faces.
        root: the folder that holds a folder for every subject.
        vocabulary: YAML with a line ``word: expression`` for each, or CSV with the columns word and expression; an
            expression is a name or alias of the vocabulary, or the word itself, which keeps it. Blanks and case do
            not count.
        pattern: of the whole path below ROOT, a regular expression with the groups subject and expression.
        frame: as for the data set "folder".
        splits: CSV with the columns subject and split.
        detector: finds the face in photographs without points; None: such photographs are rejected.
        attribution: of the photographs, for reports and cards.

    Raises:
        ValueError: for an unknown expression, a malformed vocabulary, and a folder without a usable photograph.
    """
    words = Words({} if vocabulary is None else read_vocabulary(vocabulary))
    base = existing("aflfp", root, "that holds a folder for every subject")
    tables = [path for path in (vocabulary, splits) if path is not None]
    listing = read_layout(base, pattern, words, tables)
    return AlignedPhotographs(
        image_size, cache, with_splits(listing, splits), frame=frame, detector=detector, attribution=attribution
    )


def read_layout(root: Path, pattern: str, words: Words, tables: list[Path]) -> Listing:
    """What names say.

    Raises:
        UnknownExpression: for words that nobody has explained, all of them in one message.
        ValueError: for a pattern that is none.
    """
    tree = Tree(root, tables)
    named, rejected = read_names(tree, tree.pictures, root, pattern_of("aflfp", pattern), words)
    step = (
        "write a file vocabulary.yaml with a line 'WORD: smile_full' for each, or 'WORD: WORD' to keep it, and set the "
        "key vocabulary to it"
    )
    check_words("aflfp", named, words, step)
    listing = Listing("aflfp", root, rejected=[*tree.rejected, *rejected])
    listing.expected = f"expected ROOT/SUBJECT/s11_EXPRESSION_1_face.jpg or what the key pattern says ({pattern})"
    listing.entries, conflicting = described(
        root, named, lambda photograph: FaceLabels(photograph.subject, words.canonical("aflfp", photograph.expression))
    )
    listing.rejected += conflicting
    return listing
