"""Novel photo-like faces with a palsy, from a statistical model of 60 photographs that ships with the package."""

from collections.abc import Callable
from typing import Any

from palsykit import hookimpl


@hookimpl
def palsykit_register_datasets(register: Callable[[str, str | Callable[..., Any]], None]) -> None:
    """The data sets ``face_space`` and, on real people, ``simulated``."""
    register("face_space", "palsykit_face_space.dataset:FaceSpace")
    register("simulated", "palsykit_face_space.simulated:Simulated")


@hookimpl
def palsykit_register_posers(register: Callable[[str, str | Callable[..., Any]], None]) -> None:
    """The poser ``simulated``."""
    register("simulated", "palsykit_face_space.simulated:SimulatedPoser")
