"""One page of the studio, in one language: a tab for a photograph, a data set, runs and measures."""

from typing import Any

import gradio as gr

from palsykit_studio.measuring import available
from palsykit_studio.studio import Studio
from palsykit_studio.tab_dataset import DatasetTab
from palsykit_studio.tab_measure import MeasureTab
from palsykit_studio.tab_photograph import PhotographTab
from palsykit_studio.tab_runs import RunsTab
from palsykit_studio.texts import Texts, languages

KEPT = 3600
"""Seconds that files of a closed page are kept."""
LOOK = 600
"""Seconds between two looks for files to delete."""

CSS = """
.studio-bad { border-left: 4px solid #c0392b; padding: 0.5em 0.8em; background: var(--background-fill-secondary); }
.studio-status { padding: 0.3em 0; }
.studio-progress { width: 100%; accent-color: var(--primary-600); }
#measure-overlays .thumbnail-lg { aspect-ratio: 2 / 1; }
#measure-overlays .fixed-height, #data-gallery .fixed-height { min-height: 0; max-height: none; }
#data-gallery .thumbnail-lg { display: flex; flex-direction: column; height: auto; aspect-ratio: auto; }
#data-gallery .thumbnail-lg > img { height: auto; aspect-ratio: 1; }
#data-gallery .caption-label { position: static; max-width: none; border: 0; white-space: normal; text-align: center; }
#compared th, #compared td { min-width: 7.5rem; }
label.float { max-width: calc(100% - 5.5em); }
footer { display: none !important; }
"""


def theme() -> Any:
    """Colours and fonts; fonts are this machine's own, none is loaded."""
    plain = gr.themes.Default(
        primary_hue="teal", font=["system-ui", "sans-serif"], font_mono=["ui-monospace", "monospace"]
    )
    dark = {"primary": "*primary_700", "cancel": "#b91c1c"}  # white letters on them can be read: contrast above 4.5
    fills = {f"button_{name}_background_fill{rest}": colour for name, colour in dark.items()
             for rest in ("", "_hover", "_dark", "_hover_dark")}  # fmt: skip
    letters = {f"button_cancel_text_color{rest}": "white" for rest in ("", "_dark")}
    return plain.set(**fills, **letters, body_text_color_subdued="*neutral_600")


def build_page(studio: Studio, texts: Texts) -> Any:
    """The page as Gradio's Blocks."""
    with gr.Blocks(title=texts("title"), analytics_enabled=False, delete_cache=(LOOK, KEPT)) as page:
        session = gr.State(None, delete_callback=studio.close)
        others = [code for code in languages() if code != texts.language]
        links = " · ".join(f"[{Texts(code)('language')}](/{code}/)" for code in others)
        gr.Markdown(f"# {texts('title')}\n{texts('intro')} {links}")
        with gr.Tabs():
            with gr.Tab(texts("photograph.tab"), id="photograph"):
                PhotographTab(studio, texts, session)
            with gr.Tab(texts("data.tab"), id="data"):
                DatasetTab(studio, texts, session)
            with gr.Tab(texts("runs.tab"), id="runs") as tab:
                RunsTab(studio, texts, tab)
            if available():
                with gr.Tab(texts("measure.tab"), id="measure"):
                    MeasureTab(studio, texts, session)
        page.load(studio.open, None, session, queue=False, show_progress="hidden", api_visibility="private")
    page.queue(default_concurrency_limit=8, max_size=64)
    return page
