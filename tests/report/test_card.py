"""The model card: complete, readable as Markdown, and honest about what is not known."""

import dataclasses

import pytest

from palsykit.report.card import render_card
from palsykit.report.contents import NOT_FOR, CardContents, ReportContents


@pytest.fixture
def card(contents: ReportContents) -> CardContents:
    return CardContents(
        name="cfcpalsy",
        about="CFCPalsy on drawn faces.",
        architecture=["Conditions: identity, expression, landmark", "Fusion: cross"],
        image_size=64,
        parameters=5_700_000,
        training=["60 steps of 16 pictures"],
        training_data="280 simulated identities; nobody in them has a facial palsy.",
        attribution="Face Research Lab London Set, CC BY 4.0.",
        licence="CC BY 4.0",
        evaluation_data="Eight held-out identities.",
        metrics=contents.metrics,
        limits=["The palsy is simulated."],
        load="runs/cfcpalsy",
        recipe_hash="ab" * 32,
        seed=3,
        provenance={"made with": "palsykit 0.1.0, commit abc", "plugins of acme 2": "film 123"},
        sha256={"model/unet/diffusion_pytorch_model.safetensors": "cd" * 32},
    )


def test_the_headings_are_those_a_reader_of_model_cards_looks_for(card: CardContents) -> None:
    headings = [line[3:] for line in render_card(card).splitlines() if line.startswith("## ")]
    assert headings == [
        "Model",
        "Intended use",
        "Not for",
        "Factors",
        "Training data",
        "Training",
        "Evaluation",
        "Limits",
        "Files",
    ]


def test_the_card_names_its_make(card: CardContents) -> None:
    text = render_card(card)
    for fact in (
        "64 x 64 px",
        "5\u202f700\u202f000",
        "Made with: palsykit 0.1.0",
        "Plugins of acme 2: film 123",
        "seed 3",
        "ab" * 32,
        "cd" * 32,
    ):
        assert fact in text
    assert 'palsykit.load("runs/cfcpalsy")' in text
    assert all(short in text and why in text for short, why in NOT_FOR)


def test_a_bar_or_a_line_break_in_a_figure_breaks_no_table(card: CardContents, contents: ReportContents) -> None:
    odd = dataclasses.replace(contents.metrics[0], name="a|b", definition="one\ntwo | three")
    rows = [line for line in render_card(dataclasses.replace(card, metrics=[odd])).splitlines() if line.startswith("|")]
    assert all(len(row.replace("\\|", "").split("|")) == 8 for row in rows[:3])
    assert rows[2].startswith("| a\\|b | 143 | — | 39 | ↓ lower | one two \\| three **Not comparable")


def test_python_that_the_card_shows_can_be_parsed(card: CardContents) -> None:
    block = render_card(card).split("```python\n")[1].split("```")[0]
    compile(block, "MODEL_CARD.md", "exec")


def test_a_card_without_figures_or_training_says_so(card: CardContents) -> None:
    text = render_card(dataclasses.replace(card, metrics=[], training=[], sha256={}))
    assert "No figures were computed." in text
    assert "Nothing was trained." in text
    assert "## Files" not in text
