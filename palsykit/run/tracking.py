"""Where the log goes beside ``log.jsonl``: TensorBoard, if the recipe says so."""

from collections.abc import Callable
from typing import Any

from palsykit.errors import PalsykitError
from palsykit.run.folder import RunFolder

Log = Callable[[dict[str, Any]], None]


def logger(run: RunFolder, tracking: str | None) -> Log:
    """What takes a line of the training log.

    Args:
        run: its log.jsonl is always written.
        tracking: "tensorboard" writes event files to RUN/tensorboard as well; None writes no more.

    Raises:
        PalsykitError: where TensorBoard is not installed.
    """
    if tracking is None:
        return run.log
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError as error:
        raise PalsykitError(
            f"tracking: tensorboard is not installed ({error}); install it with pip install 'palsykit[tracking]', or "
            "leave the key out"
        ) from error
    writer = SummaryWriter(str(run.path / "tensorboard"))

    def log(line: dict[str, Any]) -> None:
        run.log(line)
        for name, value in {"loss": line["loss"], "lr": line["lr"], **line["terms"]}.items():
            writer.add_scalar(f"{line['job']}/{name}", value, line["step"])
        writer.flush()

    return log
