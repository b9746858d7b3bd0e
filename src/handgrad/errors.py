"""The errors handgrad raises on purpose: what, got, expected, where, what next."""


class HandgradError(Exception):
    """A mistake its user can mend. The command line prints it on one line and exits with 2.

    Args:
        what: what is wrong, as a sentence without its full stop.
        got: what was found.
        expected: what would have been right.
        where: the file, line, step or argument concerned.
        next_step: what to do about it, as a sentence.

    Example:
        >>> print(HandgradError("batch_size is too small", got=1, expected="at least 2", where="--batch-size"))
        --batch-size: batch_size is too small (got 1, expected at least 2).
    """

    def __init__(  # noqa: D107
        self, what: str, *, got: object = None, expected: object = None, where: object = None, next_step: str = ""
    ):
        self.what, self.got, self.expected, self.where, self.next_step = what, got, expected, where, next_step
        found = ", ".join(f"{k} {v}" for k, v in (("got", got), ("expected", expected)) if v is not None)
        place = f"{where}: " if where is not None else ""
        super().__init__(f"{place}{what}{f' ({found})' if found else ''}.{f' {next_step}' if next_step else ''}")


class ConfigError(HandgradError):
    """A size, rate or other setting that makes no sense."""


class CorpusError(HandgradError):
    """A text that cannot be read, split, or written in the model's letters."""


class RunError(HandgradError):
    """A run folder that is missing, damaged, from a later version, or cannot be written."""


class DivergedError(HandgradError):
    """A loss that is no longer a finite number."""


class ProcessLost(HandgradError):  # noqa: N818
    """One of several processes that train together is not there any more."""


class DeriveError(HandgradError):
    """A forward pass that cannot be read, or a line of it that no rule covers."""
