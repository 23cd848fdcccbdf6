"""The tab for runs: a training while it runs, its report, and two runs picture by picture."""

from typing import Any

import gradio as gr
import pandas as pd

from palsykit_studio.studio import Studio, status, telling
from palsykit_studio.texts import Texts

EVERY = 5
"""Seconds between two looks at a log."""


class RunsTab:
    """The controls of the tab, and what they do.

    Args:
        studio: what all pages share.
        texts: in the page's language.
        tab: whose opening reads the list of runs again.
    """

    def __init__(self, studio: Studio, texts: Texts, tab: Any):
        self.runs, self.texts, t = studio.runs, texts, texts
        names = self.runs.names()
        self.about = gr.Markdown(self._about(names))
        with gr.Row():
            run = gr.Dropdown(names, value=None, label=t("runs.run"), elem_id="run")
            other = gr.Dropdown(names, value=None, label=t("runs.other"), elem_id="other-run")
            again = gr.Button(t("runs.again"), min_width=170, scale=0, elem_id="runs-again")
        said = gr.HTML(elem_id="runs-status")
        live = gr.Checkbox(label=t("runs.live"), value=True, elem_id="live")
        curve = gr.LinePlot(
            x=t("runs.step"), y=t("runs.loss"), label=t("runs.curve"), height=280, visible=False,
            elem_id="curve",
        )  # fmt: skip
        with gr.Accordion(t("runs.watch"), visible=False) as watched:
            page = gr.HTML(elem_id="live-page")
        picture = gr.Dropdown([], label=t("runs.picture"), visible=False, elem_id="run-picture")
        slider = gr.ImageSlider(
            label=t("runs.slider"), interactive=False, visible=False, buttons=["fullscreen"], elem_id="run-slider"
        )
        with gr.Accordion(t("runs.report"), open=False):
            report = gr.HTML(elem_id="report")
        shown = gr.State(None)
        timer = gr.Timer(EVERY)
        quiet = {"show_progress": "hidden", "api_visibility": "private"}
        gr.on([tab.select, again.click], self.look, run, [self.about, run, other], **quiet)
        run.change(self.follow, run, [said, curve], **quiet)
        run.change(self.report, run, report, **quiet)
        live_page = [watched, page, shown]
        run.change(self.watch, [run, shown], live_page, **quiet)
        timer.tick(
            lambda name, on, seen: self.watch(name, seen) if on else (gr.skip(),) * 3,
            [run, live, shown],
            live_page,
            **quiet,
        )
        timer.tick(lambda name, on: self.follow(name) if on and name else (gr.skip(), gr.skip()), [run, live],
                   [said, curve], **quiet)  # fmt: skip
        gr.on([run.change, other.change], self.shared, [run, other], [picture, slider], **quiet)
        picture.change(self.compare, [run, other, picture], slider, **quiet)

    def _about(self, names: list[str]) -> str:
        return self.texts("runs.about" if names else "runs.none", folder=self.runs.folder.absolute().name)

    def look(self, chosen: str | None) -> tuple[Any, ...]:
        """List the runs again; if none is chosen, choose the one that changed last."""
        names = self.runs.names()
        first = gr.update(choices=names, value=chosen or next(iter(names), None))
        return self._about(names), first, gr.update(choices=names)

    def follow(self, name: str | None) -> tuple[Any, Any]:
        """The stages and the curve, as far as they are."""
        t = self.texts
        if not name:
            return "", gr.update(visible=False)
        with telling(t) as refusal:
            done, left = self.runs.stages(name)
            points = self.runs.curve(name)
            columns = [t("runs.job"), t("runs.step"), t("runs.loss")]
            listed = [", ".join(stages) or t("runs.nothing") for stages in (done, left)]
            words = t("runs.stages", done=listed[0], open=listed[1])
            jobs = {"color": columns[0]} if len({job for job, _, _ in points}) > 1 else {}
            curve = pd.DataFrame(points, columns=columns)
            return status(words), gr.update(visible=bool(points), value=curve, **jobs)
        return status(refusal.words, bad=True), gr.update(visible=False)

    def watch(self, name: str | None, seen: tuple[str, float] | None) -> tuple[Any, Any, Any]:
        """The live page, sent again only if it was written again since ``seen``: (run, when)."""
        if name:
            with telling(self.texts):
                at = self.runs.looked(name)
                if at is not None and (name, at) == seen:
                    return gr.skip(), gr.skip(), gr.skip()
                return gr.update(visible=at is not None), self.runs.live(name), at and (name, at)
        return gr.update(visible=False), None, None

    def report(self, name: str | None) -> str:
        """The report, if there is one."""
        if not name:
            return ""
        with telling(self.texts) as refusal:
            return self.runs.report(name) or status(self.texts("runs.noreport"))
        return status(refusal.words, bad=True)

    def shared(self, name: str | None, other: str | None) -> tuple[Any, Any]:
        """The names of the pictures that both runs have."""
        hidden = gr.update(visible=False, value=None)
        if not name or not other:
            return gr.update(visible=False, choices=[], value=None), hidden
        with telling(self.texts):
            both = self.runs.shared_pictures([name, other])
            first = both[0] if both else None
            label = self.texts("runs.picture" if both else "runs.nopictures")
            return gr.update(visible=True, choices=both, value=first, label=label), self.compare(name, other, first)
        return gr.update(visible=False), hidden

    def compare(self, name: str | None, other: str | None, picture: str | None) -> Any:
        """One picture of both runs."""
        if name and other and picture:
            with telling(self.texts):
                pair = tuple(str(self.runs.picture(each, picture)) for each in (name, other))
                return gr.update(visible=True, value=pair)
        return gr.update(visible=False, value=None)
