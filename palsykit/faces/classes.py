"""The order of the classes in supervised heads, shared by the trainers of a head and the metrics that read it.

Heads are entries of ``NetworkOutput.logits``: "expression" [B, 8] in the order of ``EXPRESSION_CLASSES``, "side" [B, 3]
or [B, 4] in the order of ``SIDE_CLASSES`` (three leave out bilateral), "severity" [B, 1], the House-Brackmann grade
with I at 0 and VI at 1.
"""

from palsykit.faces.vocabulary import EXPRESSIONS, FaceLabels, Side

EXPRESSION_CLASSES: tuple[str, ...] = tuple(EXPRESSIONS)
SIDE_CLASSES: tuple[Side, ...] = (Side.NONE, Side.LEFT, Side.RIGHT, Side.BILATERAL)

UNKNOWN = -100
"""The class of an unknown label; PyTorch's ``cross_entropy`` ignores it by default."""


def expression_class(labels: FaceLabels) -> int:
    """0 to 7, or ``UNKNOWN`` for no label and for a data set's own word."""
    known = labels.expression in EXPRESSION_CLASSES
    return EXPRESSION_CLASSES.index(labels.expression) if known and labels.expression else UNKNOWN


def side_class(labels: FaceLabels, classes: int = len(SIDE_CLASSES)) -> int:
    """The class among the first ``classes`` of ``SIDE_CLASSES``, or ``UNKNOWN`` for no label and a side left out."""
    known = labels.side in SIDE_CLASSES[:classes]
    return SIDE_CLASSES.index(labels.side) if known and labels.side else UNKNOWN


def severity_fraction(labels: FaceLabels) -> float:
    """The House-Brackmann grade, I at 0.0 and VI at 1.0; NaN where unknown."""
    return float("nan") if labels.severity is None else (labels.severity - 1) / 5
