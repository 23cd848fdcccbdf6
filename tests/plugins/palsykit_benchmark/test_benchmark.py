"""A whole benchmark in small: what it leaves, how it goes on, what it does with what fails."""

import csv
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Run = Callable[..., Any]
UNTRAINED = ("--system", "darker", "--system", "copy")
FOLDER = Path("runs/benchmarks/small")


def lines(folder: Path = FOLDER, **wanted: Any) -> list[dict[str, Any]]:
    found = [json.loads(text) for text in (folder / "results.jsonl").read_text().splitlines()]
    return [line for line in found if all(line.get(key) == value for key, value in wanted.items())]


@pytest.fixture(scope="module")
def kept(finished: Any) -> Path:
    """The folder of a whole benchmark, only looked at."""
    folder: Path = finished.folder
    return folder


def test_a_third_partys_fusion_and_synthesiser_need_one_line_each(finished: Any, kept: Path) -> None:
    done, page = finished.done, finished.page
    assert done.code == 0, done.err
    assert done.out.count("Protocol: ") == 2
    assert "[1/6] cfcpalsy on drawn, seed 0" in done.err
    assert page.startswith("# Results\n")
    assert "    palsykit benchmark small.yaml --set 'seeds=[0, 1]'" in page
    for protocol in ("Self-reconstruction", "Transfer"):
        assert f"### {protocol}, drawn\n\n16 pictures of 2 people. Protocol: " in page
    assert "|  | truth | cfcpalsy | mine | darker | copy |" in page
    assert "| training images |  | 4 | 4 | 0 | 0 |" in page
    assert (kept / "tables.md").read_text().strip() in page
    assert finished.made == 2 * 3 * 16, "two protocols, each with the two passes of aFID; one seed"


def test_its_lines_say_everything(kept: Path) -> None:
    kinds = {line["kind"] for line in lines(kept)}
    assert kinds == {"job", "figure", "comparison"}
    assert {(j["system"], j["seed"]) for j in lines(kept, kind="job")} == {
        ("cfcpalsy", 0), ("cfcpalsy", 1), ("mine", 0), ("mine", 1), ("darker", 0), ("copy", 0),
    }  # fmt: skip
    for job in lines(kept, kind="job"):
        trained = job["system"] in ("cfcpalsy", "mine")
        assert (job["training_images"] == 4) == (job["training_seconds"] > 0) == (job["parameters"] > 0) == trained
        assert all(seconds > 0 for seconds in job["synthesis_seconds_a_picture"].values())
        assert len(job["synthesis_seconds_a_picture"]) == 2
    keys = {"benchmark", "kind", "data", "protocol", "figure", "people", "unit", "better", "system", "seed", "value",
            "low", "high", "count", "bold"}  # fmt: skip
    for figure in lines(kept, kind="figure"):
        assert set(figure) == keys
        assert figure["protocol"] in ("self-reconstruction", "transfer")
    names = {f["figure"] for f in lines(kept, kind="figure")}
    assert {"psnr", "identity_similarity", "afid/self2", "afid/swap_back"} <= names
    mean, *by_seed = [f["value"] for f in lines(kept, kind="figure", figure="psnr", system="mine", protocol="transfer")]
    assert mean == pytest.approx(sum(by_seed) / 2)
    (truth,) = lines(kept, kind="figure", figure="identity_similarity_to_target", system="truth", protocol="transfer")
    assert truth["value"] == pytest.approx(1)
    same = {"kind": "figure", "system": "copy", "seed": None, "protocol": "transfer", "figure": "afid/swap_back"}
    assert lines(kept, **same)[0]["value"] == pytest.approx(0, abs=1e-3)


def test_comparisons_are_those_of_the_figures(kept: Path) -> None:
    found = lines(kept, kind="comparison")
    assert {c["system"] for c in found} == {"mine", "darker", "copy"}
    assert {c["reference"] for c in found} == {"cfcpalsy"}
    for comparison in found:
        place = {key: comparison[key] for key in ("data", "protocol", "figure")}
        own, other = (
            lines(kept, kind="figure", seed=None, system=system, **place)[0]["value"]
            for system in (comparison["system"], "cfcpalsy")
        )
        if None not in (own, other):
            assert comparison["value"] == pytest.approx(own - other, abs=1e-6)
        if comparison["test"] is None:
            assert comparison["figure"].startswith("afid/"), "a distance of sets without resamples"
        else:
            assert comparison["p"] <= comparison["p_holm"] <= 1
            assert comparison["p"] >= 0.5, "of two people no test can say more"
            assert comparison["verdict"] is None


def test_the_spreadsheet_has_the_same_numbers(kept: Path) -> None:
    rows = list(csv.DictReader((kept / "tables.csv").open(encoding="utf-8")))
    assert len(rows) == len(lines(kept, kind="figure"))
    for row, line in zip(rows, lines(kept, kind="figure"), strict=True):
        assert row["value"] == ("" if line["value"] is None else str(line["value"]))
    tested = [row for row in rows if row["p_holm"]]
    assert {row["seed"] for row in tested} == {""}
    assert len(tested) == len([c for c in lines(kept, kind="comparison") if c["p_holm"] is not None])


def test_the_latex_is_sound(kept: Path) -> None:
    text = (kept / "tables.tex").read_text()
    body = re.sub(r"(?<!\\)%.*", "", text)  # comments
    assert body.count("{") - body.count(r"\{") == body.count("}") - body.count(r"\}")
    begun, ended = (re.findall(rf"\\{word}{{(\w+)}}", body) for word in ("begin", "end"))
    assert sorted(begun) == sorted(ended)
    assert "tabular" in begun
    for tabular in re.findall(r"\\begin{tabular}{(\w+)}(.*?)\\end{tabular}", body, re.DOTALL):
        for row in re.findall(r"^(.*) \\\\$", tabular[1], re.MULTILINE):
            assert len(re.findall(r"(?<!\\)&", row)) == len(tabular[0]) - 1, row
    outside = re.sub(r"\$[^$]*\$", "", body)  # mathematics
    outside = re.sub(r"\\begin{tabular}{\w+}|[^\\]&", "", outside)
    assert not re.search(r"(?<!\\)[%#_^~<>]", outside)
    assert text.isascii()
    assert r"resizebox" not in text, "which made them too small to read"
    assert re.search(r"\\shortstack\[r\]{\\rule{0pt}{3ex}[\d.]+\\\\\\scriptsize [\d.]+ to [\d.]+} ", text)
    assert all(len(tabular) <= 6 for tabular in re.findall(r"\\begin{tabular}{(\w+)}", text))
    assert text.count(r"training images & training, s & synthesis, s per picture") == 2, "once a table"


def test_the_page_holds_everything_and_loads_nothing(kept: Path) -> None:
    page = (kept / "report.html").read_text()
    for word in ("Self-reconstruction, drawn", "Transfer, drawn", "Side by side", "Metric cards", "sign-flip", "Holm",
                 "aFID, swap_back (biased)", "NOT comparable with Inception", "seed", "training images",
                 "no corrected p can be below"):  # fmt: skip
        assert word in page
    assert not re.search(r"(?:src|href)=\"(?!data:|#)", page)
    assert "<script" not in page
    assert page.count("data:image/png") == 2, "a sheet a protocol"
    assert page.count("<img") == page.count('alt="')


def test_a_stopped_benchmark_resumes(small: Path, palsykit: Run, darker: Any) -> None:
    darker.stops_after = 5
    stopped = palsykit("benchmark", small, *UNTRAINED)
    assert stopped.code == 130
    assert "resume with: palsykit benchmark small.yaml --system darker --system copy" in stopped.err
    assert darker.made == 5, "a batch"
    darker.stops_after = None
    done = palsykit("benchmark", small, *UNTRAINED)
    assert done.code == 0, done.err
    assert darker.made == 2 * 3 * 16, "nothing is made twice"
    first = (FOLDER / "tables.csv").read_text()
    assert palsykit("benchmark", small, *UNTRAINED).code == 0
    assert darker.made == 2 * 3 * 16
    assert (FOLDER / "tables.csv").read_text() == first


def test_a_failed_job_is_reported_and_the_others_run(small: Path, palsykit: Run, darker: Any) -> None:
    darker.error = RuntimeError("out of memory")
    done = palsykit("benchmark", small, *UNTRAINED)
    assert done.code == 1
    assert "FAILED darker on drawn, seed 0, transfer: RuntimeError: out of memory" in done.out
    assert "Traceback" not in done.out + done.err
    failed = lines(kind="failure")
    assert [(f["system"], f["seed"], f["error"]) for f in failed] == [("darker", 0, "RuntimeError: out of memory")] * 2
    assert "out of memory" in Path(failed[0]["trace"]).read_text()
    assert {f["system"] for f in lines(kind="figure")} == {"truth", "copy"}
    page = (FOLDER / "report.html").read_text()
    assert '<a href="#failed">What failed</a>' in page
    assert "out of memory" in page
    darker.error = None
    done = palsykit("benchmark", small, *UNTRAINED)
    assert done.code == 0
    assert lines(kind="failure") == []
    assert {f["system"] for f in lines(kind="figure")} == {"truth", "darker", "copy"}


def test_data_without_the_truth_fails_alone(small: Path, palsykit: Run, tmp_path: Path) -> None:
    import numpy as np
    from PIL import Image

    rng = np.random.default_rng(0)
    rows = []
    for person in ("a", "b", "c", "d"):
        for expression in ("rest", "smile_full"):
            name = f"{person}-{expression}.png"
            (tmp_path / "faces").mkdir(exist_ok=True)
            Image.fromarray(rng.integers(0, 255, (32, 32, 3), np.uint8)).save(tmp_path / "faces" / name)
            rows.append(
                {"file_name": name, "subject": person, "expression": expression, "split": "test", "aligned": True}
            )
    (tmp_path / "faces" / "metadata.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    data = f"data={{photographs: {{use: imagefolder, root: {tmp_path / 'faces'}}}}}"
    protocols = "protocols=[transfer, transfer-without-truth]"
    done = palsykit("benchmark", small, "--set", data, "--data", "photographs", "--system", "copy", "--set", protocols)
    assert done.code == 1
    (failure,) = lines(kind="failure")
    assert failure["what"] == "transfer on photographs"
    assert "does not know the true result of a transfer" in failure["error"]
    figures = lines(kind="figure", protocol="transfer-without-truth", system="copy")
    assert {"identity_similarity", "afid/swap_back"} <= {f["figure"] for f in figures}
    assert not {"psnr", "identity_similarity_to_target", "afid/self2"} & {f["figure"] for f in figures}


def test_a_figure_that_no_judge_has_is_refused_before_anything_is_trained(
    small: Path, palsykit: Run, darker: Any
) -> None:
    done = palsykit("benchmark", small, "--set", "figures={psrn: {}}")
    assert done.code == 2
    assert "small.yaml: figures: found psrn, expected figures of the judges: psnr, " in done.err
    assert not (FOLDER / "runs").exists()


def test_measuring_alone_trains_nothing(small: Path, palsykit: Run, darker: Any) -> None:
    assert palsykit("benchmark", small, "--system", "copy").code == 0
    done = palsykit("benchmark", small, "--system", "copy", "--system", "cfcpalsy", "--measure-only")
    assert done.code == 1
    assert "FAILED cfcpalsy on drawn, seed 0: it has not run yet; repeat the command without --measure-only" in done.out
    assert {f["system"] for f in lines(kind="figure")} == {"truth", "copy"}


def test_a_finished_run_is_examined(small: Path, palsykit: Run, darker: Any, kept: Path) -> None:
    (run,) = (kept / "runs").glob("cfcpalsy-seed0-*")
    more = ["--set", f"systems.model={{run: {run}}}", "--system", "model", "--system", "copy"]
    done = palsykit("benchmark", small, *more)
    assert done.code == 0, done.err
    ours, theirs = lines(kind="figure", system="model", seed=0), lines(kept, kind="figure", system="cfcpalsy", seed=0)
    expected = {f["figure"]: pytest.approx(f["value"], rel=1e-3) for f in theirs if f["value"] is not None}
    assert {f["figure"]: f["value"] for f in ours if f["value"] is not None} == expected
    (job,) = lines(kind="job", system="model")
    assert job["training_images"] == 4


def test_another_benchmark_shares_its_runs_and_pictures(small: Path, palsykit: Run, darker: Any, kept: Path) -> None:
    before = {file: file.stat().st_mtime_ns for file in kept.rglob("*") if file.is_file()}
    done = palsykit("benchmark", small, "--system", "darker", "--system", "cfcpalsy", "--runs", kept)
    assert done.code == 0, done.err
    assert darker.made == 0, "everything is there"
    assert {file: file.stat().st_mtime_ns for file in kept.rglob("*") if file.is_file()} == before
    assert not (FOLDER / "runs").exists()
    ours, theirs = (lines(folder, kind="figure", system="darker", seed=0) for folder in (FOLDER, kept))
    assert [f["value"] for f in ours] == pytest.approx([f["value"] for f in theirs], rel=1e-3, nan_ok=True)
    again = palsykit("benchmark", small, "--runs", "nowhere")
    assert again.code == 2
    assert "--runs nowhere: not a folder, expected that of another benchmark" in again.err


def test_what_asks_for_a_second_synthesis_may_be_left_to_one_protocol(small: Path, palsykit: Run, darker: Any) -> None:
    assert palsykit("benchmark", small, *UNTRAINED, "--set", "again=[transfer]").code == 0
    assert darker.made == 16 + 3 * 16
    for system in ("truth", "darker", "copy"):
        own, other = (
            {f["figure"] for f in lines(kind="figure", system=system, protocol=protocol)}
            for protocol in ("self-reconstruction", "transfer")
        )
        assert other - own >= {"afid/self2", "afid/swap_back"}
        assert own <= other
