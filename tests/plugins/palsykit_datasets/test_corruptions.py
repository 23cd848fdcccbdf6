"""A thousand damaged files over all layouts: none is a traceback, each is used or listed."""

import sys
from collections import Counter
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import pytest

from palsykit.registry import registry

SCRIPT = Path(__file__).parents[3] / "benchmarks" / "corruptions.py"


@pytest.mark.parametrize("count", [200, pytest.param(1000, marks=pytest.mark.slow)])
def test_damaged_files_are_used_or_listed(monkeypatch, count):
    spec = spec_from_file_location("benchmark_corruptions", SCRIPT)
    script = module_from_spec(spec)
    monkeypatch.setitem(sys.modules, spec.name, script)  # its dataclasses look themselves up there
    spec.loader.exec_module(script)
    layouts = {name for name in registry().names("datasets") if _is_ours(name)} - {"joined"}  # which reads no files
    assert set(script.LAYOUTS) == layouts
    counts, faults = script.run(count, seed=0)
    assert faults == []
    total = sum(counts.values(), Counter())
    assert sum(total[damage.__name__] for damage in script.DAMAGES) == count
    assert (total["tracebacks"], total["lost"]) == (0, 0)
    assert total["used"] > 0.3 * count
    assert total["listed"] > 0.8 * count
    assert all(found["used"] and found["listed"] for found in counts.values())


def _is_ours(name):
    return registry().get("datasets", name).plugin == "datasets"
