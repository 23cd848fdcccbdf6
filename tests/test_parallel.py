"""Work in several threads gives results in order, holds few items at a time, and passes errors on."""

import threading
import time
import warnings

import pytest
import torch

from palsykit import parallel
from palsykit.parallel import AHEAD, in_parallel


@pytest.mark.parametrize("count", [1, 4])
def test_results_come_in_order(monkeypatch: pytest.MonkeyPatch, count: int) -> None:
    monkeypatch.setattr(parallel, "workers", lambda: count)

    def square(number: int) -> int:
        time.sleep(0.001 * (number % 3))
        return number**2

    assert list(in_parallel(square, range(50), "square", 50, "numbers")) == [n**2 for n in range(50)]


def test_several_threads_work_and_torch_has_one_in_each(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parallel, "workers", lambda: 3)
    before, meeting = torch.get_num_threads(), threading.Barrier(3)
    torch.set_num_threads(2)

    def meet(_: int) -> int:
        meeting.wait(timeout=60)  # breaks unless three are here at once
        return torch.get_num_threads()

    try:
        assert list(in_parallel(meet, range(3), "meet", 3, "threads")) == [1, 1, 1]
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)


def test_few_items_are_begun_ahead(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parallel, "workers", lambda: 2)
    begun: list[int] = []
    results = in_parallel(begun.append, range(1000), "wait", 1000, "items")
    next(results)
    time.sleep(0.05)
    assert len(begun) <= 2 * AHEAD
    results.close()  # type: ignore[attr-defined]
    assert len(begun) <= 2 * AHEAD


@pytest.mark.parametrize("count", [1, 2])
def test_an_error_is_raised_and_filters_of_warnings_are_as_before(monkeypatch: pytest.MonkeyPatch, count: int) -> None:
    monkeypatch.setattr(parallel, "workers", lambda: count)
    before = list(warnings.filters)

    def fail(number: int) -> int:
        warnings.simplefilter("ignore")
        if number == 7:
            raise ValueError("seven")
        return number

    with pytest.raises(ValueError, match="seven"):
        list(in_parallel(fail, range(100), "fail", 100, "numbers"))
    assert list(warnings.filters) == before
