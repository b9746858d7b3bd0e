"""`handgrad sample`."""

import json as json_format
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import tyro

from handgrad.cli.parse import call
from handgrad.cli.runs_at_hand import Run, open_run
from handgrad.errors import ConfigError
from handgrad.sampling import SampleConfig

if TYPE_CHECKING:
    from handgrad.models.trained import Model

DEFAULTS = SampleConfig()


def sample(
    run: Run = None,
    config: SampleConfig = DEFAULTS,
    *,
    n: Annotated[int, tyro.conf.arg(aliases=["-n"], metavar="LINES")] = 20,
    with_likelihood: bool = False,
    interactive: bool = False,
    corpus: Annotated[Path | None, tyro.conf.arg(metavar="FILE", help_behavior_hint="")] = None,
    json: bool = False,
) -> None:
    """Draw new lines from a trained model, one a line on stdout.

    examples:
      handgrad sample
      handgrad sample runs/names -n 10 --with-likelihood
      handgrad sample runs/names --interactive
      handgrad sample runs/names --prefix mar --temperature 0.7 --new-only --unique

    Args:
        run: The run folder that 'handgrad train' made.
        n: How many lines.
        config: Which lines to draw.
        with_likelihood: Show how likely the model is to write each line: its log-likelihood in nats a character, its
            end included; at temperature 1 and from all letters, however it was drawn.
        interactive: Type a beginning, and see how the model would go on and how likely each next letter is.
        corpus: Where the training text is now, if it has moved; '--new-only' looks into it.
        json: Print the lines and the seed as JSON.
    """
    from handgrad import sampling

    config = config if config.seed is not None else replace(config, seed=sampling.fresh_seed())
    folder, model = open_run("sample", run, corpus)
    if interactive:
        _interact(model, config, folder, alone=not (json or with_likelihood))
        return
    lines = sampling.sample(model, n, config)
    likelihoods = _likelihoods(model, lines) if with_likelihood else []
    if json:
        content: dict[str, Any] = {"seed": config.seed, "lines": lines}
        if with_likelihood:
            content |= {"log_likelihood": likelihoods, "nats_a_character": _a_character(lines, likelihoods)}
        print(json_format.dumps(content, ensure_ascii=False, indent=2))
    else:
        sys.stdout.write("".join(f"{line}\n" for line in (_table(lines, likelihoods) if with_likelihood else lines)))
        if sys.stdout.isatty():
            print(f"(--seed {config.seed} draws these again)", file=sys.stderr)
    if len(lines) < n:
        tries = n * sampling.TRIES_A_LINE
        found = f"{len(lines):,} such line{'s' * (len(lines) != 1)}"
        print(f"handgrad: only {found} among {tries:,} drawn; a higher --temperature varies more.", file=sys.stderr)


def _interact(model: "Model", config: SampleConfig, folder: Path, alone: bool) -> None:
    from handgrad.cli.interactive import run as run_session

    if not alone:
        next_step = "Leave out --json and --with-likelihood."
        raise ConfigError("--interactive shows a screen, not lines", next_step=next_step)
    run_session(model, config, folder)


def _likelihoods(model: "Model", lines: list[str]) -> list[float | None]:
    """Of each line; None where it was cut off at the longest that the model reads, so that its end is not known."""
    from handgrad.evaluation import log_likelihoods

    longest = model.config.longest
    whole = [line for line in lines if longest is None or len(line) < longest]
    known = dict(zip(whole, log_likelihoods(model, whole), strict=True))
    return [known.get(line) for line in lines]


def _table(lines: list[str], likelihoods: list[float | None]) -> list[str]:
    """Each line with its log-likelihood a character, in columns."""
    from rich.cells import cell_len, set_cell_size

    width = max(map(cell_len, lines), default=0)
    figures = ["" if value is None else f"{value:8.4f}" for value in _a_character(lines, likelihoods)]
    rows = zip(lines, figures, strict=True)
    return [f"{set_cell_size(line, width)}  {figure}" if figure else line for line, figure in rows]


def _a_character(lines: list[str], likelihoods: list[float | None]) -> list[float | None]:
    pairs = zip(lines, likelihoods, strict=True)
    return [None if value is None else value / (len(line) + 1) for line, value in pairs]


def main(words: list[str]) -> None:
    """Parse and run the command."""
    call(sample, "handgrad sample", words)
