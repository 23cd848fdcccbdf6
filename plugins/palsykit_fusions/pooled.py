"""Whose pooled vector a fusion passes on."""

from collections.abc import Mapping

from palsykit.interfaces import TokenSpec


def pooled_width(inputs: Mapping[str, TokenSpec], name: str | None) -> int | None:
    """The width of condition ``name``'s pooled vector; None for no name.

    Raises:
        ValueError: there is no such condition, or it has no pooled vector.
    """
    if name is None:
        return None
    having = {key: spec.pooled for key, spec in inputs.items() if spec.pooled is not None}
    if name not in having:
        raise ValueError(
            f"pooled_from names {name}, but the conditions with a pooled vector are {', '.join(having) or 'none'}; "
            "name one of those, or null for no pooled vector"
        )
    return having[name]
