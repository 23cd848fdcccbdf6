"""What a newcomer meets before any code: completion, the container, and the files that the hub reads."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from palsykit import __version__

ROOT = Path(__file__).parents[1]


@pytest.mark.parametrize(
    ("words", "expected"),
    [("palsykit wh", "whence"), ("palsykit meas", "measure"), ("palsykit verify --im", "--images")],
)
def test_the_shell_completes_commands_and_options_also_of_plugins(words: str, expected: str) -> None:
    found = subprocess.run(
        [sys.executable, "-m", "palsykit"],
        env={"_PALSYKIT_COMPLETE": "complete_bash", "COMP_WORDS": words, "COMP_CWORD": str(words.count(" "))},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert found.stdout.split() == [expected], found.stderr


def test_the_citation_names_this_version() -> None:
    page = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert page["version"] == __version__
    assert {"title", "authors", "message", "license", "cff-version"} <= set(page)


def test_the_forms_for_issues_can_be_read() -> None:
    forms = sorted((ROOT / ".github" / "ISSUE_TEMPLATE").glob("*.yml"))
    pages = {form.stem: yaml.safe_load(form.read_text(encoding="utf-8")) for form in forms}
    for name in set(pages) - {"config"}:
        assert {"name", "description", "body"} <= set(pages[name])
        for field in pages[name]["body"]:
            assert field["type"] in ("markdown", "textarea", "dropdown", "input")
            assert field["type"] == "markdown" or field["attributes"]["label"]
    assert "palsykit doctor" in str(pages["fault"])


def test_the_container_copies_what_there_is_and_does_not_run_as_root() -> None:
    lines = (ROOT / "Dockerfile").read_text(encoding="utf-8").replace("\\\n", " ").splitlines()
    copied = [line.split()[1:-1] for line in lines if line.startswith("COPY") and "--from" not in line]
    names = [name for line in copied for name in line]
    assert all((ROOT / name).exists() for name in names)
    ignored = (ROOT / ".dockerignore").read_text(encoding="utf-8").split()
    assert not set(names) & set(ignored)
    last = lines[max(i for i, line in enumerate(lines) if line.startswith("FROM")) :]
    assert any(re.fullmatch(r"USER (?!root)\w+", line) for line in last)
    assert any("HF_HUB_OFFLINE=1" in line for line in last)
