"""Losses and samples of a run for TensorBoard, through its own package and without TensorFlow or PyTorch."""

import importlib.util
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from handgrad.errors import ConfigError

if TYPE_CHECKING:
    from handgrad.training.loop import Progress, Report

FLUSH_SECONDS = 10


class TensorBoard:
    """Writes how each run goes into its folder, for `tensorboard --logdir`; a context manager.

    Args:
        progress: is told as well.

    Raises:
        ConfigError: the package tensorboard is not installed.
    """

    def __init__(self, progress: "Progress | None" = None):  # noqa: D107
        require_tensorboard()
        self._progress, self._scalars, self._validated = progress, {}, {}

    def __call__(self, report: "Report") -> None:
        """Some more steps of a run are done."""
        folder, new = report.folder, report.val_loss != self._validated.get(report.folder)
        if folder not in self._scalars:
            self._scalars[folder] = Scalars(folder, report.step - len(report.losses))
        val_loss = self._validated[folder] = report.val_loss
        self._scalars[folder].losses(report.step, float(report.losses.mean()), val_loss if new else None, report.lr)
        if self._progress:
            self._progress(report)

    def samples(self, folder: Path, step: int, lines: Sequence[str]) -> None:
        """Lines drawn in the end, after so many steps."""
        if folder not in self._scalars:
            self._scalars[folder] = Scalars(folder, step)
        self._scalars[folder].samples(step, lines)

    def __enter__(self) -> "TensorBoard":
        """Itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Write what has not been written yet."""
        for scalars in self._scalars.values():
            scalars.close()


def require_tensorboard() -> None:
    """Make sure that it is installed.

    Raises:
        ConfigError: it is not.
    """
    if importlib.util.find_spec("tensorboard") is None:
        next_step = "Install it: pip install 'handgrad[tensorboard]'."
        raise ConfigError("the package tensorboard is not installed", next_step=next_step)


class Scalars:
    """Writes what `tensorboard --logdir FOLDER` shows; a context manager.

    Args:
        folder: where its file of events is made, beside those from before.
        step: that the run goes on from; what an earlier file has of later steps is not shown any more.

    Raises:
        ConfigError: the package tensorboard is not installed.

    Example:
        >>> with Scalars(folder / "events") as scalars:
        ...     scalars.losses(1_000, train=2.1, val=2.2, lr=0.006)
        ...     scalars.samples(1_000, ["emma", "ava"])
        >>> len(list((folder / "events").glob("events.out.tfevents.*")))
        1
    """

    def __init__(self, folder: str | Path, step: int = 0):  # noqa: D107
        require_tensorboard()
        from tensorboard.compat.proto import event_pb2, summary_pb2
        from tensorboard.summary.writer.event_file_writer import EventFileWriter

        self._events, self._summaries = event_pb2, summary_pb2
        self._writer = EventFileWriter(str(folder), flush_secs=FLUSH_SECONDS)
        if step:
            started = event_pb2.SessionLog(status=event_pb2.SessionLog.START)
            self._writer.add_event(event_pb2.Event(wall_time=time.time(), step=step + 1, session_log=started))

    def losses(self, step: int, train: float, val: float | None = None, lr: float | None = None) -> None:
        """The training loss after so many steps; the validation loss, where it was measured; the learning rate."""
        values = {"loss/train": train, "loss/validation": val, "learning_rate": lr}
        self._add(step, [{"tag": tag, "simple_value": value} for tag, value in values.items() if value is not None])

    def samples(self, step: int, lines: Sequence[str]) -> None:
        """Lines drawn after so many steps."""
        from tensorboard.compat.proto.tensor_pb2 import TensorProto
        from tensorboard.compat.proto.tensor_shape_pb2 import TensorShapeProto
        from tensorboard.compat.proto.types_pb2 import DT_STRING
        from tensorboard.plugins.text.metadata import create_summary_metadata

        text = "\n".join(f"    {line}" for line in lines)  # as they are: indented by four, it is code in Markdown
        one = TensorShapeProto(dim=[TensorShapeProto.Dim(size=1)])
        tensor = TensorProto(dtype=DT_STRING, tensor_shape=one, string_val=[text.encode()])
        metadata = create_summary_metadata(display_name="samples", description="")
        self._add(step, [{"tag": "samples", "tensor": tensor, "metadata": metadata}])

    def close(self) -> None:
        """Write what has not been written yet."""
        self._writer.close()

    def __enter__(self) -> "Scalars":
        """Itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close it."""
        self.close()

    def _add(self, step: int, values: list[dict[str, Any]]) -> None:
        summary = self._summaries.Summary(value=[self._summaries.Summary.Value(**value) for value in values])
        self._writer.add_event(self._events.Event(wall_time=time.time(), step=step, summary=summary))
