"""The finer dials: what is written is what is set, and what cannot be read says what was expected."""

import pytest

from palsykit.faces.dials import Dials, Length, dials_of


def test_numbers_are_shares_and_lengths_have_a_unit() -> None:
    assert dials_of(brow="0.2", eye=0.0, mouth="-4mm") == Dials(brow=0.2, eye=0.0, mouth=Length(-4.0))
    assert dials_of(mouth=" +1.5 MM ") == Dials(mouth=Length(1.5))
    assert dials_of() == Dials()


def test_tone_and_synkinesis_are_of_the_whole_half_or_of_regions() -> None:
    assert dials_of(tone=0.5) == Dials(tone_brow=0.5, tone_eye=0.5, tone_mouth=0.5)
    assert dials_of(tone="brow=1, mouth=0.2") == Dials(tone_brow=1.0, tone_mouth=0.2)
    assert dials_of(synkinesis="0.6") == Dials(synkinesis_eye=0.6, synkinesis_mouth=0.6)
    assert dials_of(synkinesis="mouth=1") == Dials(synkinesis_mouth=1.0)


def test_what_is_set_counts_and_nothing_else() -> None:
    dials = dials_of(brow=0.0, mouth="-4mm")
    assert dials.given() == {"brow": 0.0, "mouth": Length(-4.0)}
    assert dials.facts() == {"brow": 0.0, "mouth": "-4mm"}
    assert bool(dials)
    assert not Dials()


@pytest.mark.parametrize(
    ("written", "message"),
    [
        ({"brow": "1.2"}, r"brow 1\.2: expected a share, 0 to 1, or a length as -4mm"),
        ({"eye": "-0.1"}, r"eye -0\.1: expected a share"),
        ({"mouth": "-4cm"}, r"mouth -4cm: expected a share, 0 to 1, or a length as -4mm"),
        ({"mouth": "nan"}, "mouth nan: expected"),
        ({"mouth": "mm"}, "mouth mm: expected"),
        ({"mouth": "40mm"}, "mouth 40mm: expected -20mm to 20mm"),
        ({"tone": "1.5"}, r"tone_brow 1\.5: expected a share, 0 to 1$"),
        ({"tone": "-2mm"}, "tone -2mm: expected a share, 0 to 1$"),
        ({"tone": "cheek=1"}, r"tone cheek=1: found 'cheek=1', expected one share, 0 to 1, or brow=0\.5,eye="),
        ({"tone": "brow=1,brow=0"}, "found 'brow=0'"),
        ({"synkinesis": "brow=1"}, r"expected one share, 0 to 1, or eye=0\.5,mouth=0\.5"),
    ],
)
def test_what_cannot_be_read_is_refused(written: dict[str, str], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        dials_of(**written)


def test_a_record_with_a_length_where_none_is_taken_is_refused() -> None:
    with pytest.raises(ValueError, match="tone_eye 2mm: found a length, expected a share"):
        Dials(tone_eye=Length(2.0))  # type: ignore[arg-type]
