"""MODEL_CARD.md, after Mitchell et al., "Model Cards for Model Reporting" (FAT* 2019, arXiv:1810.03993), in brief."""

from palsykit.report import words
from palsykit.report.contents import NOT_FOR, CardContents
from palsykit.report.html import paragraphs
from palsykit.report.templates import environment


def render_card(contents: CardContents) -> str:
    """The model card as Markdown; equal contents give equal text."""
    card = environment().get_template("model_card.md")
    return card.render(
        contents=contents,
        about=paragraphs(contents.about),
        attribution=paragraphs(contents.attribution),
        not_for=NOT_FOR,
        words=words,
    )
