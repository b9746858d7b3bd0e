"""What a sweep may try: of each family a range or some choices for its settings."""

import difflib
import itertools
import math
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, get_args

from handgrad.errors import ConfigError
from handgrad.models.registry import FAMILIES, family
from handgrad.training.config import SIZES, ModelName, TrainConfig

EPOCHS = "epochs"
"""How often each example is seen at most; fewer steps where that many do not fit into a trial."""
SEARCHED = (
    "lr", "batch_size", "block_size", "n_embd", "n_hidden", "n_layer", "n_head", "dropout", "tied", "optimizer",
    "warmup", "weight_decay", "minibatches",
)  # fmt: skip
"""Settings of `TrainConfig` that a space may have; the others are the same for all trials."""
KEYS = (*SEARCHED, EPOCHS)
TOGETHER = ("n_embd", "n_head")
"""Settings of which not every two go together."""
PAIRS = 10_000
"""So many of them are looked at."""
WHOLE = {EPOCHS: False, **{f.name: f.type is int for f in fields(TrainConfig) if f.name in SEARCHED}}


@dataclass(frozen=True)
class Range:
    """Numbers from `low` to `high`, both included.

    Args:
        low: the least.
        high: the greatest.
        log: whether each doubling is as likely as another.
        step: what whole numbers are apart.
    """

    low: float
    high: float
    log: bool = False
    step: int = 1


@dataclass(frozen=True)
class Choices:
    """Some values; one alone is fixed."""

    values: tuple[Any, ...]


Dimension = Range | Choices
Dimensions = Mapping[str, Dimension]


@dataclass(frozen=True)
class Space:
    """What may be tried: the families, and of each its settings.

    Args:
        families: of each the settings that differ from trial to trial, or from the family's own defaults.
    """

    families: Mapping[str, Dimensions]

    @property
    def content(self) -> dict[str, Any]:
        """As JSON and TOML have it; `read` reads it again."""
        return {
            name: {key: _written(dimension) for key, dimension in dimensions.items()}
            for name, dimensions in self.families.items()
        }


def default_space(models: Sequence[str]) -> Space:
    """Around the recipe with which each family trains well on the built-in names.

    Example:
        >>> default_space(["gru"]).families["gru"]["n_hidden"]
        Range(low=64, high=256, log=False, step=32)
    """
    return Space({name: _around(name) for name in models})


def read_space(path: Path, models: Sequence[str] | None = None) -> Space:
    """The space that a TOML file describes: keys for all families at the top, and a table for each family.

        lr = {from = 0.001, to = 0.02, log = true}
        batch_size = [16, 32, 64]
        [gru]
        n_hidden = {from = 64, to = 256, step = 64}
        dropout = 0.1

    Args:
        path: of the file.
        models: the families to try; by default those that have a table, else all that have all the keys.

    Raises:
        ConfigError: it cannot be read, or something in it makes no sense.
    """
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError("the space cannot be read", where=path, got=error.strerror) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError("this is no TOML", where=path, got=str(error)) from None
    of_all = {key: value for key, value in content.items() if not (isinstance(value, dict) and key in FAMILIES)}
    tables = {key: value for key, value in content.items() if key not in of_all}
    for key in of_all:
        _require_known(key, f"{path}, {key}")
    names = list(models or tables)
    if not names:
        raise ConfigError(
            "no family is named", where=path, expected="a table such as [gru]", next_step="Or say --models gru,mlp."
        )
    return read({name: {**of_all, **tables.get(name, {})} for name in names}, str(path))


def read(content: Mapping[str, Mapping[str, Any]], where: str) -> Space:
    """The space of each family's settings as JSON and TOML have them.

    Raises:
        ConfigError: something in it makes no sense; `where` is the file's name.
    """
    families = {}
    for name, dimensions in content.items():
        families[name] = {key: _read(name, key, value, f"{where}, [{name}] {key}") for key, value in dimensions.items()}
        _require_some_together(name, families[name], f"{where}, [{name}]")
    return Space(families)


def values_at_ends(dimension: Dimension) -> tuple[Any, ...]:
    """The values between which the others lie, or all choices."""
    if isinstance(dimension, Choices):
        return dimension.values
    return (dimension.low, dimension.high) if dimension.low < dimension.high else (dimension.low,)


def all_values(dimension: Dimension) -> Sequence[Any]:
    """The values of whole numbers or choices, one by one."""
    if isinstance(dimension, Choices):
        return dimension.values
    return range(int(dimension.low), int(dimension.high) + 1, dimension.step)


def _around(name: str) -> dict[str, Dimension]:
    """Half and double of what the family's recipe has, and more of what depends on the text."""
    kind, config = family(name), TrainConfig.of(name)
    has = {field.name for field in fields(kind)}
    if kind.counted:
        return {"block_size": Range(3, 8)}
    found: dict[str, Dimension] = {
        EPOCHS: Range(2.0, 60.0, log=True),
        "lr": Range(config.lr / 4, config.lr * 2.5, log=True),
        "batch_size": Choices(tuple(max(2, round(config.batch_size * by)) for by in (0.5, 1, 2))),
    }
    if config.weight_decay:
        found["weight_decay"] = Range(config.weight_decay / 5, config.weight_decay * 5, log=True)
    for size in ("n_hidden", "n_embd"):
        value = getattr(config, size)
        if size in has and not (size == "n_embd" and "n_hidden" in has):
            quarter = max(1, value // 4)
            found[size] = Range(2 * quarter, 8 * quarter, step=quarter)
    if "n_layer" in has:
        found["n_layer"] = Range(1, max(2, config.n_layer))
    if "dropout" in has:
        found["dropout"] = Range(0.0, 0.5)
    if name == "mlp":
        found["block_size"] = Range(4, 12)
    return found


def _read(model: str, key: str, value: Any, where: str) -> Dimension:
    _require_known(key, where)
    if isinstance(value, dict):
        dimension = _read_range(key, value, where)
    else:
        values = tuple(value) if isinstance(value, list) else (value,)
        if not values:
            raise ConfigError("there is nothing to choose from", where=where, expected="at least one value")
        dimension = Choices(values)
    for end in values_at_ends(dimension):
        _require_sense(model, key, end, where)
    return dimension


def _require_known(key: str, where: str) -> None:
    if key not in KEYS:
        raise ConfigError(
            "there is no such setting to try", where=where, expected=f"one of {', '.join(KEYS)}, or the table of a "
            f"family: {', '.join(FAMILIES)}", next_step=_near(key, [*KEYS, *FAMILIES]),
        )  # fmt: skip


def _read_range(key: str, value: Mapping[str, Any], where: str) -> Range:
    expected = "{from = …, to = …}, with log = true or step = … if need be"
    if not {"from", "to"} <= value.keys() <= {"from", "to", "log", "step"}:
        raise ConfigError("this is no range", where=where, got=f"the keys {', '.join(value)}", expected=expected)
    low, high, log, step = value["from"], value["to"], value.get("log", False), value.get("step", 1)
    numbers = [number for number in (low, high) if not isinstance(number, bool) and isinstance(number, int | float)]
    if len(numbers) < 2 or not all(map(math.isfinite, numbers)) or not isinstance(log, bool):
        raise ConfigError("this is no range", where=where, got=dict(value), expected=expected)
    if low > high:
        raise ConfigError("this range is empty", where=where, got=f"from {low:g} to {high:g}", expected="from ≤ to")
    if log and low <= 0:
        raise ConfigError("a range with log = true begins above 0", where=where, got=f"from {low:g}")
    if WHOLE[key] and not (isinstance(low, int) and isinstance(high, int)):
        raise ConfigError(f"{key} is a whole number", where=where, got=f"from {low:g} to {high:g}")
    if isinstance(step, bool) or not isinstance(step, int) or step < 1 or ("step" in value and (log or not WHOLE[key])):
        raise ConfigError(
            "a step makes no sense here", where=where, got=step, expected="one of 1 or more, of whole numbers, not log"
        )
    return Range(low, high - (high - low) % step, log, step) if WHOLE[key] else Range(float(low), float(high), log)


def _require_sense(model: str, key: str, value: Any, where: str) -> None:
    """Raise ConfigError unless the family could be trained with this value."""
    if key == EPOCHS:
        if isinstance(value, bool) or not isinstance(value, int | float) or not value > 0:
            raise ConfigError("epochs make no sense", where=where, got=value, expected="a number above 0")
        return
    if key in SIZES and isinstance(value, bool) and key != "tied":
        raise ConfigError(f"{key} makes no sense", where=where, got=value)
    has = [field.name for field in fields(family(model)) if field.name in SIZES]
    if key in SIZES and key not in has:
        raise ConfigError(
            f"the {model} has no {key}", where=where, got=value,
            expected=f"settings that it has: {', '.join(has) or 'none'}",
            next_step="Leave it out there, or name other families with --models.",
        )  # fmt: skip
    fitting = {"n_embd": {"n_head": 1}, "n_head": {"n_embd": value}}.get(key, {}) if "n_head" in has else {}
    try:
        TrainConfig.of(model, **fitting, **{key: value})
    except ConfigError as error:
        raise ConfigError(error.what, got=error.got, expected=error.expected, where=where,
                          next_step=error.next_step) from None  # fmt: skip
    except TypeError:
        raise ConfigError(f"{key} makes no sense", where=where, got=repr(value)) from None


def _require_some_together(model: str, dimensions: Dimensions, where: str) -> None:
    """Raise ConfigError where no value of the one setting goes with any of the other."""
    said = {key: all_values(dimensions[key]) for key in TOGETHER if key in dimensions}
    refused = None
    for values in itertools.islice(itertools.product(*said.values()), PAIRS):
        try:
            TrainConfig.of(model, **dict(zip(said, values, strict=True)))
            return
        except ConfigError as error:
            refused = error
    if refused:
        raise ConfigError(
            refused.what, where=where, got=refused.got, expected=refused.expected,
            next_step="None of the values goes with those of the other: change one of the two.",
        )  # fmt: skip


def models_of(words: str) -> list[str]:
    """The families in 'mlp,gru'.

    Raises:
        ConfigError: there is no such family, or none at all.
    """
    names = list(dict.fromkeys(word.strip() for word in words.split(",") if word.strip()))
    for name in names:
        if name not in FAMILIES:
            raise ConfigError(
                "model is unknown", where="--models", got=name, expected=f"some of {', '.join(get_args(ModelName))}",
                next_step=_near(name, FAMILIES),
            )  # fmt: skip
    if not names:
        raise ConfigError("no family is named", where="--models", expected="some of " + ", ".join(FAMILIES))
    return names


def _written(dimension: Dimension) -> Any:
    if isinstance(dimension, Choices):
        return list(dimension.values)
    more = {"log": True} if dimension.log else {"step": dimension.step} if dimension.step > 1 else {}
    return {"from": dimension.low, "to": dimension.high, **more}


def _near(word: str, known: Iterable[str]) -> str:
    found = difflib.get_close_matches(word, known, n=1)
    return f"Did you mean {found[0]}?" if found else ""
