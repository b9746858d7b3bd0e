"""`handgrad sample`."""

import json as json_format
import sys
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import tyro

from handgrad.cli.parse import call
from handgrad.sampling import SampleConfig

DEFAULTS = SampleConfig()


def sample(
    run: Annotated[tyro.conf.Positional[Path], tyro.conf.arg(metavar="RUN")],
    config: SampleConfig = DEFAULTS,
    *,
    n: Annotated[int, tyro.conf.arg(aliases=["-n"], metavar="LINES")] = 20,
    corpus: Annotated[Path | None, tyro.conf.arg(metavar="FILE", help_behavior_hint="")] = None,
    json: bool = False,
) -> None:
    """Draw new lines from a trained model, one a line on stdout.

    examples:
      handgrad sample runs/names -n 10
      handgrad sample runs/names --prefix mar --temperature 0.7 --new-only --unique

    Args:
        run: The run folder that 'handgrad train' made.
        n: How many lines.
        config: Which lines to draw.
        corpus: Where the training text is now, if it has moved; '--new-only' looks into it.
        json: Print the lines and the seed as JSON.
    """
    from handgrad import sampling
    from handgrad.training.checkpoint import load

    config = config if config.seed is not None else replace(config, seed=sampling.fresh_seed())
    lines = sampling.sample(load(run, corpus), n, config)
    if json:
        print(json_format.dumps({"seed": config.seed, "lines": lines}, ensure_ascii=False, indent=2))
    else:
        sys.stdout.write("".join(f"{line}\n" for line in lines))
        if sys.stdout.isatty():
            print(f"(--seed {config.seed} draws these again)", file=sys.stderr)
    if len(lines) < n:
        tries = n * sampling.TRIES_A_LINE
        print(f"handgrad: only {len(lines):,} such lines among {tries:,} drawn; --temperature above 1 varies more.",
              file=sys.stderr)  # fmt: skip


def main(words: list[str]) -> None:
    """Parse and run the command."""
    call(sample, "handgrad sample", words)
