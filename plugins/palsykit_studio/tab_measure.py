"""The tab that measures several photographs: a table to sort, a CSV, and what was measured drawn into them."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gradio as gr

from palsykit.errors import PalsykitError
from palsykit_studio.engine import Stopped, check_size
from palsykit_studio.measuring import CSV, OVERLAYS, SCALES, refused, run_measure, table_of
from palsykit_studio.sessions import fresh, take
from palsykit_studio.studio import QUEUE, Session, Studio, lengths_in_words, progress, status, telling
from palsykit_studio.texts import Texts

AT_ONCE = 4
"""Photographs that are read at a time; it says how long a stop takes."""

WORDS_PX, LENGTH_PX = ("150px", "130px"), "110px"
"""Widths of the table's columns: file and expression, and every length; heads wrap."""


class MeasureTab:
    """The controls of the tab, and what they do.

    Args:
        studio: what all pages share.
        texts: in the page's language.
        session: the page's own.
    """

    def __init__(self, studio: Studio, texts: Texts, session: Any):
        self.studio, self.texts, t = studio, texts, texts
        gr.Markdown(t("measure.about"))
        files = gr.File(file_count="multiple", file_types=["image"], label=t("measure.files"), elem_id="measure-files")
        scale = gr.Radio(
            [(t(f"measure.scale.{name}"), name) for name in SCALES], value="iris", label=t("measure.scale"),
            elem_id="scale",
        )  # fmt: skip
        with gr.Row():
            start = gr.Button(t("measure.start"), variant="primary", elem_id="measure-start")
            stop = gr.Button(t("stop"), variant="stop", elem_id="measure-stop")
        said = gr.HTML(elem_id="measure-status")
        table = gr.Dataframe(
            label=t("measure.table"), interactive=False, visible=False, pinned_columns=1, wrap=True,
            elem_id="measure-table",
        )  # fmt: skip
        csv = gr.DownloadButton(t("measure.csv"), visible=False, elem_id="measure-csv")
        overlays = gr.Gallery(
            label=t("measure.overlays"), show_label=False, columns=1, height="auto", object_fit="contain",
            visible=False, elem_id="measure-overlays",
        )  # fmt: skip
        work = start.click(
            self.run, [session, files, scale], [said, table, csv, overlays], concurrency_limit=1, concurrency_id=QUEUE,
            show_progress="hidden", api_visibility="private",
        )  # fmt: skip
        stop.click(
            self.halt, [session], [said], cancels=[work], queue=False, show_progress="hidden", api_visibility="private"
        )

    def halt(self, session: Session | None) -> str:
        """Stop measuring."""
        if session is not None:
            session.stop.set()
        return status(self.texts("stopped"))

    def run(self, session: Session, files: list[str] | None, scale: str) -> Iterator[Any]:
        """Measure the photographs, telling how far it is."""
        same = (gr.skip(), gr.skip(), gr.skip())
        if session is None or not files:
            yield status(self.texts("measure.none"), bad=True), *same
            return
        session.begin()
        yield status(self.texts("working")), *same
        with telling(self.texts, session) as refusal:
            output = fresh(session.folder, "measured")
            photographs = fresh(session.folder, "to-measure")
            unusable = []
            for done in range(0, len(files), AT_ONCE):
                if session.stop.is_set():
                    raise Stopped
                words = self.texts("measure.progress", done=done, total=len(files))
                yield progress(words, done, len(files)), *same
                unusable += self._add(files[done : done + AT_ONCE], photographs)
                document = self._measured(photographs, output, scale, done + AT_ONCE >= len(files))
            yield self._shown(document, output, unusable)
        if refusal:
            yield status(refusal.words, bad=not refusal.stopped), *same

    def _add(self, files: list[str], photographs: Path) -> list[tuple[str, str]]:
        """Take some photographs; those that are too large are left out, with the reason."""
        unusable = []
        for path in take(files, photographs):
            try:
                check_size(path)
            except PalsykitError as error:
                unusable.append((path.name, error.message))
                path.unlink()
        return unusable

    def _measured(self, photographs: Path, output: Path, scale: str, last: bool) -> dict[str, Any]:
        """The document of what is there so far; before the last photograph is there, none of them need be usable."""
        try:
            with self.studio.engine.lock:
                return run_measure(photographs, output, "--scale", scale)
        except PalsykitError:
            if last:
                raise
            return {}

    def _shown(self, document: dict[str, Any], output: Path, unusable: list[tuple[str, str]]) -> tuple[Any, ...]:
        t = self.texts
        heads, rows = table_of(document)
        named = [" ".join(lengths_in_words(t, word) for word in head.split()) for head in heads]
        known = {name: words for words, name in t.expressions()} | {"unknown": t("measure.unknown")}
        shown = [[row[0], known.get(str(row[1]), row[1]), *row[2:]] for row in rows]
        words = [t("measure.done", count=len(rows))]
        left_out = [*unusable, *refused(document)]
        if left_out:
            words += [t("data.notused"), "; ".join(f"{name}: {t.reason(reason)}" for name, reason in left_out)]
        overlays = [(str(path), path.stem) for path in sorted((output / OVERLAYS).glob("*.png"))]
        written = [[f"{cell:.1f}" if isinstance(cell, float) else str(cell) for cell in row] for row in shown]
        heads = [t("measure.file"), t("measure.expression"), *named]
        # numbers, so that they sort as numbers, written with one decimal each
        table = {"headers": heads, "data": shown, "metadata": {"display_value": written}}
        return (
            status(" ".join(words)),
            gr.update(visible=True, value=table, column_widths=[*WORDS_PX, *[LENGTH_PX] * len(named)]),
            gr.update(visible=True, value=str(output / CSV)),
            gr.update(visible=True, value=overlays),
        )
