"""The tab for a data set: people, expressions, sides and grades; start, stop, go on, download."""

from collections.abc import Iterator
from typing import Any

import gradio as gr

from palsykit_studio.dataset import Order, Progress, can_audit, described, make, make_audited
from palsykit_studio.sessions import fresh, take
from palsykit_studio.studio import QUEUE, Session, Studio, status, telling
from palsykit_studio.studio import progress as bar
from palsykit_studio.texts import Texts

ROMAN = ("I", "II", "III", "IV", "V", "VI")
SHOWN = 36
"""Pictures of a data set that the page shows."""


class DatasetTab:
    """The controls of the tab, and what they do.

    Args:
        studio: what all pages share.
        texts: in the page's language.
        session: the page's own.
    """

    def __init__(self, studio: Studio, texts: Texts, session: Any):
        self.studio, self.texts = studio, texts
        self.audits = can_audit(studio.engine.run)
        t = texts
        gr.Markdown(f"{t('data.about')} {t('data.audited' if self.audits else 'data.computed')}")
        people = gr.File(file_count="multiple", file_types=["image"], label=t("data.people"), elem_id="people")
        expressions = gr.CheckboxGroup(
            t.expressions(), value=["rest", "smile_full"], label=t("data.expressions"), elem_id="data-expressions"
        )
        sides = gr.CheckboxGroup(
            [(t(f"side.{side}"), side) for side in ("right", "left", "bilateral")], value=["left"],
            label=t("data.sides"), elem_id="data-sides",
        )  # fmt: skip
        grades = gr.CheckboxGroup(
            [(name, float(number)) for number, name in enumerate(ROMAN, 1)], value=[1.0, 4.0, 6.0],
            label=t("data.grades"), elem_id="data-grades",
        )  # fmt: skip
        crop = gr.Checkbox(label=t("data.crop"), value=True, visible=not self.audits, elem_id="data-crop")
        with gr.Row():
            start = gr.Button(t("data.start"), variant="primary", elem_id="data-start")
            stop = gr.Button(t("stop"), variant="stop", elem_id="data-stop")
        said = gr.HTML(elem_id="data-status")
        gallery = gr.Gallery(
            label=t("data.tab"), columns=3, height="auto", show_label=False, visible=False, elem_id="data-gallery"
        )
        download = gr.DownloadButton(t("data.download"), visible=False, elem_id="data-download")
        work = start.click(
            self.run, [session, people, expressions, sides, grades, crop], [said, gallery, download],
            concurrency_limit=1, concurrency_id=QUEUE, show_progress="hidden", api_visibility="private",
        )  # fmt: skip
        stop.click(
            self.halt, [session], [said], cancels=[work], queue=False, show_progress="hidden", api_visibility="private"
        )

    def halt(self, session: Session | None) -> str:
        """Stop; what is made stays."""
        if session is not None:
            session.stop.set()
        return status(self.texts("stopped"))

    def run(
        self,
        session: Session,
        people: list[str] | None,
        expressions: list[str],
        sides: list[str],
        grades: list[float],
        crop: bool,
    ) -> Iterator[Any]:
        """Make what is missing, telling how far it is."""
        if session is None or not people or not expressions or not grades or not sides:
            yield status(self.texts("data.nothing"), bad=True), gr.skip(), gr.skip()
            return
        session.begin()
        yield status(self.texts("working")), gr.skip(), gr.update(visible=False)
        with telling(self.texts, session) as refusal:
            order = Order(tuple(expressions), tuple(sides), tuple(map(float, grades)), crop)
            portraits = fresh(session.folder, "portraits")
            take(people, portraits)
            folder = session.folder / f"data-{abs(hash((order, tuple(sorted(people))))):x}"
            archive = session.folder / "data-set.zip"
            make_it = make_audited if self.audits else make
            model: Any = self.studio.engine.run if self.audits else self.studio.engine
            try:
                for progress in make_it(model, portraits, order, folder, archive, session.stop.is_set):
                    yield self._shown(progress, folder)
            finally:
                session.stop.set()  # a page that is gone leaves no thread at work
        if refusal:
            yield status(refusal.words, bad=not refusal.stopped), gr.skip(), gr.skip()

    def _shown(self, progress: Progress, folder: Any) -> tuple[Any, Any, Any]:
        t = self.texts
        if progress.file is None:
            key = "data.auditing" if self.audits else "made"
            said = t(key, done=progress.done, total=progress.total)
            return bar(said, progress.done, progress.total), gr.skip(), gr.skip()
        rows = described(folder / "images" if self.audits else folder)
        people = len({path.parent for path, _ in rows})
        words = [t("data.done", pictures=len(rows), people=people), progress.words]
        if progress.rejected:
            words += [t("data.notused"), "; ".join(f"{one.path}: {t.reason(one.reason)}" for one in progress.rejected)]
        shown = [(str(path), self._caption(row)) for path, row in rows[:SHOWN]]
        return (
            status(" ".join(word for word in words if word)),
            gr.update(visible=True, value=shown),
            gr.update(visible=True, value=str(progress.file)),
        )

    def _caption(self, row: dict[str, Any]) -> str:
        """What a picture shows, in the page's words."""
        side, grade = str(row["side"] or "none"), int(row["severity"] or 1)
        words = [ROMAN[grade - 1], self.texts(f"side.{side}"), self.texts(f"expression.{row['expression']}")]
        return ", ".join(words if side != "none" else words[::2])
