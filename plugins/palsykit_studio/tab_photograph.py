"""The tab for one photograph: its face, the controls of a palsy, the result before and after, asked and measured."""

import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gradio as gr

from palsykit_studio.measuring import Cells
from palsykit_studio.photograph import Wish, can_draw_people, draw_person, find, sheet, synthesise
from palsykit_studio.sessions import fresh, take
from palsykit_studio.studio import QUEUE, Session, Studio, lengths_in_words, progress, status, telling
from palsykit_studio.texts import Texts

DIALS = ("brow", "eye", "mouth", "synkinesis")
MM = 10
"""Ends of the sliders in mm."""
LOOK = """() => { setTimeout(() => document.querySelector('#status [role=alert], [role=combobox][aria-expanded=true]')
  || document.querySelector('%s')?.scrollIntoView({block: 'nearest'}), 500); }"""
"""Shows what was made, which a small window does not; an open menu does not move."""


class PhotographTab:
    """The controls of the tab, and what they do.

    Args:
        studio: what all pages share.
        texts: in the page's language.
        session: the page's own.
    """

    def __init__(self, studio: Studio, texts: Texts, session: Any):
        self.studio, self.texts, self.session = studio, texts, session
        with gr.Row():
            with gr.Column(scale=1, min_width=300):
                self._build_input()
            with gr.Column(scale=1, min_width=300):
                self._build_controls()
        self._build_result()
        self._connect()

    def _build_input(self) -> None:
        t = self.texts
        self.image = gr.Image(
            label=t("photograph.input"), type="filepath", image_mode=None, sources=["upload", "webcam", "clipboard"],
            height=320, elem_id="photograph",
        )  # fmt: skip
        # The file as it was uploaded: the project's own reader opens it, and says why it refuses one.
        self.image.preprocess = lambda payload: payload and payload.path
        self.person = gr.Button(t("photograph.person"), visible=can_draw_people(), elem_id="person")
        self.force = gr.Checkbox(label=t("photograph.force"), value=False)
        self.face = gr.Radio([], label=t("photograph.face"), visible=False, elem_id="face")
        self.found_status = gr.HTML(elem_id="found-status")
        self.found = gr.Image(
            label=t("photograph.found"), interactive=False, visible=False, height=300, buttons=["fullscreen"],
            format="jpeg", alt_text=t("photograph.found"), elem_id="found",
        )  # fmt: skip
        heads = [t(f"length.{part}") for part in ("head", "right", "left", "difference")]
        with gr.Accordion(t("photograph.lengths"), open=False, visible=False) as self.panel:
            self.lengths = gr.Dataframe(
                headers=heads, label=t("photograph.lengths"), show_label=False, interactive=False,
                elem_id="lengths", wrap=True,
            )  # fmt: skip

    def _build_controls(self) -> None:
        t = self.texts
        self.expression = gr.Dropdown(
            t.expressions(), value="smile_full", label=t("photograph.expression"), elem_id="expression"
        )
        sides = [(t(f"side.{side}"), side) for side in ("right", "left", "bilateral", "none")]
        self.side = gr.Radio(sides, value="left", label=t("photograph.side"), elem_id="side")
        self.grade = gr.Slider(1, 6, value=5, step=1, label=t("photograph.grade"), elem_id="grade")
        with gr.Accordion(t("photograph.finer"), open=False):
            own = [(t(f"dial.{name}"), name) for name in DIALS]
            self.own = gr.CheckboxGroup(own, label=t("photograph.own"), elem_id="own")
            self.dials = [
                gr.Slider(-MM, MM, value=0, step=0.5, label=t(f"photograph.{name}"), visible=False, elem_id=name)
                for name in DIALS[:3]
            ]
            self.dials.append(
                gr.Slider(0, 1, value=0.5, step=0.05, label=t("photograph.synkinesis"), visible=False,
                          elem_id="synkinesis")
            )  # fmt: skip
            self.strength = gr.Slider(0, 1, value=1, step=0.05, label=t("photograph.strength"), elem_id="strength")
            self.seed = gr.Number(0, precision=0, minimum=0, label=t("photograph.seed"), elem_id="seed")
        self.make = gr.Button(t("photograph.make"), variant="primary", elem_id="make")
        with gr.Row():
            self.row = gr.Button(t("photograph.row"), elem_id="row", min_width=130)
            self.sheet = gr.Button(t("photograph.sheet"), elem_id="sheet", min_width=130)
            self.stop = gr.Button(t("stop"), variant="stop", elem_id="stop", min_width=90)
        self.status = gr.HTML(elem_id="status")

    def _build_result(self) -> None:
        t = self.texts
        self.slider = gr.ImageSlider(
            label=t("photograph.slider"), interactive=False, visible=False, max_height=720, slider_position=25,
            buttons=["fullscreen"], elem_id="slider",
        )  # fmt: skip
        self.download = gr.DownloadButton(t("photograph.download"), visible=False, elem_id="download")
        parts = [t(f"length.{part}") for part in ("right", "left", "difference")]
        kinds = [t(f"length.{kind}") for kind in ("asked", "measured")]
        heads = [t("length.head"), *(f"{part} {kind}" for part in parts for kind in kinds)]
        self.compared = gr.Dataframe(
            headers=heads, label=t("photograph.compared"), interactive=False, visible=False, wrap=True,
            elem_id="compared",
        )  # fmt: skip
        self.shown_sheet = gr.Image(
            label=t("photograph.sheet.shown"), show_label=False, interactive=False, visible=False,
            buttons=["fullscreen"], format="png", alt_text=t("photograph.sheet.shown"), elem_id="shown-sheet",
        )  # fmt: skip
        self.download_sheet = gr.DownloadButton(t("photograph.download.sheet"), visible=False, elem_id="download-sheet")

    def _connect(self) -> None:
        one = {"concurrency_limit": 1, "concurrency_id": QUEUE, "api_visibility": "private"}
        free = {"queue": False, "api_visibility": "private", "show_progress": "hidden"}
        seen = [self.found_status, self.found, self.lengths, self.panel, self.slider, self.download, self.compared,
                self.shown_sheet, self.download_sheet]  # fmt: skip
        chosen = [self.session, self.image, self.force]
        quiet = {"show_progress": "hidden", **one}
        seen = [self.face, *seen]
        gr.on([self.image.input, self.image.clear], self.read, chosen, seen, **quiet)
        gr.on([self.force.input, self.face.input], self.read, [*chosen, self.face], seen, **quiet)
        drawn = self.person.click(self.draw, [self.session], [self.image, self.found_status], **quiet)
        drawn.then(self.read, chosen, seen, **quiet)
        self.own.change(self.show_dials, self.own, self.dials, **free)
        controls = [self.session, self.expression, self.side, self.grade, self.own, *self.dials, self.strength]
        controls.append(self.seed)
        outputs = [self.status, self.slider, self.download, self.compared]
        sheets = [self.status, self.shown_sheet, self.download_sheet]
        work = [
            self.make.click(self.synthesise, controls, outputs, **quiet),
            self.row.click(self.draw_row, controls, sheets, **quiet),
            self.sheet.click(self.draw_sheet, controls, sheets, **quiet),
        ]
        for made, where in zip(work, ("#slider", "#shown-sheet", "#shown-sheet"), strict=True):
            made.then(None, js=LOOK % where, **free)
        self.stop.click(self.halt, [self.session], [self.status], cancels=work, **free)

    def show_dials(self, own: list[str]) -> list[Any]:
        """Show the sliders that are set by hand."""
        return [gr.update(visible=name in own) for name in DIALS]

    def shown(self, rows: Cells) -> list[list[str]]:
        """Rows of lengths as the page writes them, in mm with one decimal."""
        return [[lengths_in_words(self.texts, str(name)), *(f"{float(mm):.1f}" for mm in rest)] for name, *rest in rows]

    def halt(self, session: Session | None) -> str:
        """Stop what this page is doing."""
        if session is not None:
            session.stop.set()
        return status(self.texts("stopped"))

    def draw(self, session: Session) -> Iterator[Any]:
        """A photograph of a person who does not exist."""
        yield gr.skip(), status(self.texts("working"))
        with telling(self.texts, session, "photograph.cannot") as refusal:
            with self.studio.engine.lock:
                path = draw_person(secrets.randbelow(2**31), session.folder)
            yield str(path), gr.skip()
        if refusal:
            yield gr.skip(), status(refusal.words, bad=True)

    def read(self, session: Session, image: str | None, force: bool, face: int | None = None) -> Iterator[Any]:
        """Find and measure a face, the largest unless one is chosen; what was made of another one is put away."""
        hidden = gr.update(visible=False)
        away = (hidden, hidden, hidden, hidden, hidden)
        if session is not None:
            session.found = None
        if image is None:
            yield hidden, "", gr.update(visible=False, value=None), None, hidden, *away
            return
        yield gr.skip(), status(self.texts("waiting")), hidden, None, hidden, *away
        faces = hidden
        with telling(self.texts, session, "photograph.cannot") as refusal:
            path = take([image], fresh(session.folder, "photograph"))[0]
            faces = self._faces(path, face)
            found = find(self.studio.engine, path, session.folder, force, face)
            session.found = found
            rows = self.shown(found.rows)
            size = found.person.photograph.picture.size
            words = [
                self.texts("photograph.found.yes", width=size[0], height=size[1]),
                *map(self.texts.reason, found.notes),
            ]
            shown = gr.update(visible=True, value=str(found.shown))
            yield faces, status(" ".join(words)), shown, rows, gr.update(visible=bool(rows)), *away
        if refusal:
            yield faces, status(refusal.words, bad=True), hidden, None, hidden, *away

    def _faces(self, path: Path, face: int | None) -> Any:
        """The choice among several faces; hidden if there is one."""
        count = len(self.studio.engine.middles(path))
        return gr.update(choices=list(range(1, count + 1)), value=face or 1, visible=count > 1)

    def wish(self, expression: str, side: str, grade: float, own: list[str], *rest: Any) -> Wish:
        """What the controls say."""
        *dials, strength, seed = rest
        chosen = {name: float(value) for name, value in zip(DIALS, dials, strict=True) if name in own}
        return Wish(expression, side, float(grade), float(strength), seed=int(seed or 0), **chosen)

    def synthesise(self, session: Session, *controls: Any) -> Iterator[Any]:
        """One picture."""
        same = (gr.skip(), gr.skip(), gr.skip())
        if session is None or session.found is None:
            yield status(self.texts("photograph.first"), bad=True), *same
            return
        session.begin()
        yield status(self.texts("working")), *same
        with telling(self.texts, session) as refusal:
            result = synthesise(self.studio.engine, session.found, self.wish(*controls), session.folder)
            rows = self.shown(result.rows)
            yield (
                status(" ".join([self.texts("photograph.done"), *map(self.texts.reason, result.notes)])),
                gr.update(visible=True, value=(str(result.before), str(result.after))),
                gr.update(visible=True, value=str(result.file)),
                gr.update(visible=bool(rows), value=rows),
            )
        if refusal:
            yield status(refusal.words, bad=True), *same

    def draw_row(self, session: Session, *controls: Any) -> Iterator[Any]:
        """The grades I to VI."""
        yield from self._sheet("row", session, *controls)

    def draw_sheet(self, session: Session, *controls: Any) -> Iterator[Any]:
        """The eight expressions."""
        yield from self._sheet("sheet", session, *controls)

    def _sheet(self, what: str, session: Session, *controls: Any) -> Iterator[Any]:
        if session is None or session.found is None:
            yield status(self.texts("photograph.first"), bad=True), gr.skip(), gr.skip()
            return
        session.begin()
        with telling(self.texts, session) as refusal:
            wish = self.wish(*controls)
            steps = sheet(self.studio.engine, session.found, wish, what, session.folder, session.stop.is_set)
            for done, total, file in steps:
                if file is None:
                    yield progress(self.texts("made", done=done, total=total), done, total), gr.skip(), gr.skip()
                    continue
                shown = gr.update(visible=True, value=str(file))
                yield status(self.texts("photograph.done")), shown, shown
        if refusal:
            yield status(refusal.words, bad=not refusal.stopped), gr.skip(), gr.skip()
