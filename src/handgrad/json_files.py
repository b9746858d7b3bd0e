"""JSON files, checked at the door: what is missing, what has another type than it should, and where."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

Value = TypeVar("Value")


def read_json(path: Path, kind: type[Value]) -> Value:
    """What a file holds, which is of a kind: a dataclass, a TypedDict, or lists and dicts of such.

    Args:
        path: of the file.
        kind: as `msgspec` takes it, with bounds by `msgspec.Meta`. A dataclass is made, its own checks included; what
            it has no field for is left out.

    Raises:
        OSError: the file cannot be read.
        ValueError: it holds something else; the message says what and where, in one line.

    Example:
        >>> _ = (folder / "sizes.json").write_text('{"sizes": [3, "four"]}')
        >>> read_json(folder / "sizes.json", dict[str, list[int]])
        Traceback (most recent call last):
        ValueError: [...][1]: Expected `int`, got `str`
    """
    import msgspec

    with _said():
        return msgspec.json.decode(path.read_bytes(), type=kind)


def conform(value: Any, kind: Any) -> None:
    """Raise ValueError, as `read_json` does, unless what was read from JSON is of a kind."""
    import msgspec

    with _said():
        msgspec.convert(value, kind)


@contextmanager
def _said() -> Iterator[None]:
    """Where something is wrong before what is."""
    import msgspec

    try:
        yield
    except RecursionError:
        raise ValueError("it nests too many levels") from None
    except msgspec.MsgspecError as error:
        what, _, place = str(error).partition(" - at `$")
        place = place.strip(".`")
        raise ValueError(f"{place}: {what}" if place else what) from None
