"""Generators whose answer is known: faithful ones pass, those that show training people unasked do not."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from palsykit.errors import PalsykitError
from palsykit_audit.faces import Face, Populations, Synthesis, populations
from palsykit_audit.gallery import Gallery, read_features
from palsykit_audit.measures import Reader, resemblance
from palsykit_audit.resemblance import preference
from palsykit_audit.yardstick import yardstick

TRAIN = [f"train{i}" for i in range(10)]
HELD = [f"test{i}" for i in range(6)]
Made = Callable[..., Synthesis]


@pytest.fixture
def people(patterns: Any, parts_of: Callable[..., Any]) -> Populations:
    return populations(parts_of(patterns))


@pytest.fixture
def audited(patterns: Any, parts_of: Callable[..., Any], read: Reader, people: Populations) -> Callable[..., Any]:
    return lambda *made, **options: resemblance(parts_of(patterns), read, people, list(made), **options)


def gallery(read: Reader, faces: list[Face]) -> Gallery:
    return Gallery(faces, read_features(read.network, [face.read for face in faces], torch.device("cpu"), "faces"))


def test_the_nearest_are_those_of_a_plain_search(read: Reader, faces_of: Callable[..., list[Face]]) -> None:
    mixed = faces_of(*TRAIN)[::-1]
    held = gallery(read, faces_of(*HELD))
    found = gallery(read, mixed)
    pixels = {f.key: f.read()[2:14, 2:14].astype(float) for f in [*mixed, *held.faces]}
    for row, query in enumerate(held.faces):
        one = held.features.rows(row, row + 1)
        cosines = found.cosine(one)[0]
        by_person = {
            person: max(
                float(one.embeddings[0] @ found.features.embeddings[i])
                for i, face in enumerate(found.faces)
                if face.person == person
            )
            for person in TRAIN
        }
        assert dict(zip(found.people, cosines, strict=True)) == pytest.approx(by_person, abs=1e-5)
        best = found.nearest_photograph(one, int(cosines.argmax()))
        assert best.person == max(by_person, key=lambda p: by_person[p])
        assert query.person in HELD
    assert set(pixels) == {face.key for face in [*mixed, *held.faces]}
    assert found.distance(found.features)[0, 0] == pytest.approx(0, abs=1e-3)


def test_pixel_distances_are_in_grey_levels(read: Reader) -> None:
    flat = [Face(str(v), str(v), lambda v=v: np.full((16, 16, 3), v, np.uint8)) for v in (0, 100, 255)]  # type: ignore[misc]
    found = gallery(read, flat)
    assert np.allclose(found.distance(found.features), [[0, 100, 255], [100, 0, 155], [255, 155, 0]], atol=0.01)


def test_faithful_syntheses_of_held_out_people_pass(audited: Callable[..., Any], synthesis: Made) -> None:
    found = audited(*(synthesis(p, p, 9 + n) for p in HELD for n in range(3)))
    assert found.flagged == []
    assert {one.flag for one in found.likenesses} == {""}
    assert all(one.held.person != one.synthesis.person for one in found.likenesses), (
        "the person asked for is handled apart"
    )
    assert all(one.to_own > 0.9 > found.yardstick.threshold > one.to_training for one in found.likenesses)
    assert found.figures["held back"].value == 0
    lean = found.figures["nearest is a training person"]
    assert lean.low <= 0.5 <= lean.high


def test_a_generator_that_copies_training_photographs_is_flagged(audited: Callable[..., Any], synthesis: Made) -> None:
    found = audited(*(synthesis(p, t, 1) for p, t in zip(HELD, TRAIN, strict=False)))
    assert [one.flag for one in found.likenesses] == ["copy"] * len(HELD)
    for one, t in zip(found.likenesses, TRAIN, strict=False):
        assert one.suspect.key == f"{t}-1"
        assert one.distance == pytest.approx(0, abs=0.1)
    assert found.figures["copies"].value == 1
    assert found.figures["nearest is a training person"].low > 0.5
    assert found.figures["nearer to a training person than to the one asked for"].value == 1


def test_new_pictures_of_training_people_are_flagged_though_no_copies(
    audited: Callable[..., Any], patterns: Any, synthesis: Made
) -> None:
    def blurred(one: Synthesis, strength: float = 0.55) -> Synthesis:
        far = 255 - one.read().astype(float)
        half = (strength * one.read() + (1 - strength) * far).astype(np.uint8)  # little contrast: far in pixels
        return Synthesis(one.file, one.person, lambda: half, one.identity, one.held_out)

    found = audited(
        *(blurred(synthesis(p, t, 9)) for p, t in zip(HELD, TRAIN, strict=False)), synthesis(*HELD[:1] * 2, 9)
    )
    assert [one.flag for one in found.likenesses] == ["resembles"] * len(HELD) + [""]
    assert found.figures["resembles"].value == pytest.approx(6 / 7)
    assert [one.suspect.person for one in found.flagged] == TRAIN[: len(HELD)]


def test_requested_training_people_are_listed_and_not_held_back(audited: Callable[..., Any], synthesis: Made) -> None:
    themselves, another = synthesis("train3", "train3", 9), synthesis("train3", "train4", 9)
    found = audited(themselves, another)
    assert [one.flag for one in found.likenesses] == ["asked", "copy"], "another training person was not asked for"
    assert found.likenesses[1].suspect.person == "train4"


def test_the_intended_person_may_be_unknown(audited: Callable[..., Any], synthesis: Made) -> None:
    found = audited(synthesis("x", "train3", 9, known=False), synthesis("y", "stranger", 9, known=False))
    assert [one.flagged for one in found.likenesses] == [True, False]
    assert np.isnan(found.likenesses[0].to_own)


def test_the_threshold_equals_that_of_a_plain_search(read: Reader, faces_of: Callable[..., list[Face]]) -> None:
    training, held = gallery(read, faces_of(*TRAIN)), gallery(read, faces_of(*HELD))
    found = yardstick(training, held)
    everybody = [*zip(training.faces, training.features.embeddings, strict=True)]
    everybody += [*zip(held.faces, held.features.embeddings, strict=True)]
    nearest = [
        max(float(e @ other) for face, other in everybody if face.person != own.person)
        for own, e in zip(held.faces, held.features.embeddings, strict=True)
    ]
    assert found.strangers.tolist() == pytest.approx(nearest, abs=1e-5)
    assert found.threshold == pytest.approx(max(nearest), abs=1e-5)
    assert yardstick(training, held, 0.9).threshold == pytest.approx(np.quantile(nearest, 0.9), abs=1e-5)
    assert found.nearest[0].cosine == pytest.approx(max(nearest), abs=1e-5)
    assert found.tells_apart
    assert found.twins == []
    with pytest.raises(PalsykitError, match=r"--quantile 0\.2: expected 0\.5 to 1"):
        yardstick(training, held, 0.2)


@pytest.mark.parametrize("trained", [True, False])
def test_one_person_under_two_names_is_named_and_does_not_lift_the_threshold(
    read: Reader, faces_of: Callable[..., list[Face]], trained: bool
) -> None:
    again = [Face(f"again-{n}", "again", face.read) for n, face in enumerate(faces_of("test2", photographs=8)[4:])]
    training, held = faces_of(*TRAIN), faces_of(*HELD)
    plain = yardstick(gallery(read, training), gallery(read, held))
    found = yardstick(gallery(read, training + again * trained), gallery(read, held + again * (not trained)))
    assert [{pair.held_out.person, pair.other.person} for pair in found.twins] == [{"test2", "again"}]
    assert found.twins[0].trained_on == trained
    assert found.threshold == pytest.approx(plain.threshold, abs=0.02)


def test_a_network_that_distinguishes_no_people_finds_no_copies(faces_of: Callable[..., list[Face]]) -> None:
    class Noise(torch.nn.Module):
        def forward(self, image: torch.Tensor) -> Any:
            from palsykit.interfaces import NetworkOutput

            draws = [torch.Generator().manual_seed(int(row.abs().sum() * 1000)) for row in image]
            rows = torch.stack([torch.randn(8, generator=g) for g in draws])
            return NetworkOutput(image, embedding=rows)

    from palsykit.networks import SharedNetwork

    network = SharedNetwork("noise", Noise())
    network.freeze()
    blind = Reader(network, [])
    found = yardstick(gallery(blind, faces_of(*TRAIN)), gallery(blind, faces_of(*HELD)))
    assert not found.tells_apart
    assert found.twins == []


@pytest.mark.parametrize(("many", "few"), [(9, 4), (4, 9), (5, 5)])
def test_preference_is_what_drawing_gives_and_a_half_by_chance(many: int, few: int) -> None:
    rng = np.random.default_rng(0)
    ones, others = rng.standard_normal(many).astype(np.float32), rng.standard_normal(few).astype(np.float32)
    drawn = []
    for _ in range(4000):
        size = min(many, few)
        a, b = rng.choice(ones, size, replace=False), rng.choice(others, size, replace=False)
        drawn.append(a.max() > b.max())
    assert preference(ones, others) == pytest.approx(np.mean(drawn), abs=0.03)
    chance = [
        preference(rng.standard_normal(many).astype(np.float32), rng.standard_normal(few).astype(np.float32))
        for _ in range(4000)
    ]
    assert np.mean(chance) == pytest.approx(0.5, abs=0.03)


def test_training_people_and_other_people(patterns: Any, parts_of: Callable[..., Any]) -> None:
    found = populations(parts_of(patterns))
    assert {face.person for face in found.training} == set(TRAIN)
    assert len({face.person for face in found.held_out}) == 8 + 6
    patterns.records = [r for r in patterns.records if r.split == "train"]
    with pytest.raises(PalsykitError, match="10 training people and 0 held-out people; an audit needs"):
        populations(parts_of(patterns))
