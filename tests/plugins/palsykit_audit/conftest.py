"""People who are patterns of colour: far from each other, near to themselves, so that every answer is known."""

from collections.abc import Callable
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from palsykit.faces.records import FaceRecord, Rejected
from palsykit.faces.vocabulary import FaceLabels, Side
from palsykit.interfaces import NetworkOutput
from palsykit.networks import SharedNetwork
from palsykit.recipe.schema import Generation, Training
from palsykit_audit.faces import Face, Synthesis
from palsykit_audit.measures import Reader

SIZE = 16
EXPRESSIONS = ("rest", "smile_full", "lip_pucker", "brow_raise")


def photograph(person: str, number: int, wobble: int = 12) -> np.ndarray:
    """Photograph ``number`` of a person: the person's own pattern of 8 x 8 colours, and a little of everything else."""
    who = np.random.default_rng(abs(hash_of(person))).integers(20, 236, (8, 8, 3))
    what = np.random.default_rng(abs(hash_of(f"{person} {number}"))).integers(-wobble, wobble + 1, (SIZE, SIZE, 3))
    return np.clip(np.kron(who, np.ones((2, 2, 1), int)) + what, 0, 255).astype(np.uint8)


def hash_of(text: str) -> int:
    return int.from_bytes(text.encode()[-8:], "big") * 31 + sum(text.encode())


@dataclass
class Patterns:
    """A data set of them; ``test`` people were not trained on."""

    people: dict[str, int]
    photographs: int = 4
    image_size: int = SIZE
    attribution: str = "drawn by the tests"
    rejected: list[Rejected] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.pictures: dict[str, np.ndarray] = {}
        self.records: list[FaceRecord] = []
        for split, count in self.people.items():
            for person in range(count):
                for number in range(self.photographs):
                    name = f"{split}{person}"
                    self.pictures[f"{name}-{number}"] = photograph(name, number)
                    labels = FaceLabels(name, EXPRESSIONS[number % 4], Side.NONE, 1.0)
                    self.records.append(FaceRecord(f"{name}-{number}", labels, split=split))

    def image(self, record: FaceRecord) -> np.ndarray:
        return self.pictures[record.key]


class Means(nn.Module):
    """An embedding that is the picture, 8 x 8."""

    def forward(self, image: torch.Tensor) -> NetworkOutput:
        small = nn.functional.avg_pool2d(image, SIZE // 8)
        return NetworkOutput(small, embedding=small.flatten(1))


@pytest.fixture
def patterns() -> Patterns:
    return Patterns({"train": 10, "validation": 8, "test": 6})


@pytest.fixture
def parts_of() -> Callable[[Any], Any]:
    """As much of a run's parts as an audit reads."""

    def made(dataset: Any, **settings: Any) -> Any:
        splits = {s: [r for r in dataset.records if r.split == s] for s in ("train", "validation", "test")}
        known = {"seed": 0, "image_size": SIZE, "conditions": {}, "trainer": None, "train": Training(), "networks": {}}
        known |= {"generate": Generation(batch_size=7), "synthesiser": None, "metrics": {}}
        return SimpleNamespace(
            data=lambda: SimpleNamespace(dataset=dataset, splits=splits),
            settings=SimpleNamespace(**{**known, **settings}),
            recipe=SimpleNamespace(name="patterns", hash="0" * 64),
            device=torch.device("cpu"),
            networks={},
            fits=[],
        )

    return made


@pytest.fixture
def read() -> Reader:
    network = SharedNetwork("judge_recognition", Means())
    network.freeze()
    return Reader(network, [])


@pytest.fixture
def faces_of() -> Callable[..., list[Face]]:
    """Photographs of some people."""

    def made(*people: str, photographs: int = 4) -> list[Face]:
        return [Face(f"{p}-{n}", p, lambda p=p, n=n: photograph(p, n)) for p in people for n in range(photographs)]  # type: ignore[misc]

    return made


@pytest.fixture
def synthesis() -> Callable[..., Synthesis]:
    """A picture that was asked to show ``person`` and shows a photograph of ``shows``."""

    def made(person: str, shows: str, number: int, known: bool = True) -> Synthesis:
        asked = Face(f"{person}-0", person, lambda: photograph(person, 0)) if known else None
        file = f"{person}-as-{shows}-{number}.png"
        return Synthesis(file, person, lambda: photograph(shows, number), asked, person.startswith(("test", "valid")))

    return made
