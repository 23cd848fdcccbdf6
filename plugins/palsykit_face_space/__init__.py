"""Novel photo-like faces with a palsy, from a statistical model of 60 photographs that ships with the package."""

from collections.abc import Callable
from typing import Any

from palsykit import hookimpl


@hookimpl
def palsykit_register_datasets(register: Callable[[str, str | Callable[..., Any]], None]) -> None:
    """The data set ``face_space``."""
    register("face_space", "palsykit_face_space.dataset:FaceSpace")
