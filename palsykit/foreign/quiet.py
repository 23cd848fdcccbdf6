"""Keep a library of Hugging Face quiet while it loads."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


@contextmanager
def quiet(logging: Any) -> Iterator[None]:
    """Turn off reports and progress bars, and leave them as they were.

    Args:
        logging: the library's own module: ``diffusers.utils.logging`` or ``transformers.utils.logging``.
    """
    level, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(level)
        if bars:
            logging.enable_progress_bar()
