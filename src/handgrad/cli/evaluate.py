"""`handgrad evaluate`."""

import json as json_format
import unicodedata
from pathlib import Path
from typing import Annotated

import tyro

from handgrad.cli.console import show_figures, show_losses
from handgrad.cli.parse import call


def evaluate(
    run: Annotated[tyro.conf.Positional[Path], tyro.conf.arg(metavar="RUN")],
    *,
    text: Annotated[Path | None, tyro.conf.arg(metavar="FILE", help_behavior_hint="")] = None,
    line: Annotated[
        tyro.conf.UseAppendAction[tuple[str, ...]], tyro.conf.arg(metavar="LINE", help_behavior_hint="(repeatable)")
    ] = (),
    corpus: Annotated[Path | None, tyro.conf.arg(metavar="FILE", help_behavior_hint="")] = None,
    json: bool = False,
) -> None:
    """Measure a model: its loss on each split of its text or on another file, or the likelihood of lines.

    The loss is the mean cross-entropy in nats a character, line ends included; the perplexity is its exponential.

    examples:
      handgrad evaluate runs/names
      handgrad evaluate runs/names --text more_names.txt
      handgrad evaluate runs/names --line emma --line xqzw

    Args:
        run: The run folder that 'handgrad train' made.
        text: Measure the loss on this file instead.
        line: Measure how likely the model is to write exactly this line.
        corpus: Where the training text is now, if it has moved.
        json: Print the figures as JSON.
    """
    from handgrad.evaluation import evaluate as losses_of
    from handgrad.evaluation import log_likelihood, perplexity
    from handgrad.training.checkpoint import load

    model = load(run, corpus)
    losses = losses_of(model, text) if text or not line else {}
    words = [unicodedata.normalize("NFC", word) for word in line]
    likelihoods = {word: log_likelihood(model, word) for word in words}
    if json:
        content = {
            "loss": losses,
            "perplexity": {name: perplexity(loss) for name, loss in losses.items()},
            "log_likelihood": likelihoods,
        }
        print(json_format.dumps(content, ensure_ascii=False, indent=2))
        return
    if losses:
        show_losses(losses)
    if likelihoods:
        rows = [(word, f"{value:.4f}", f"{value / (len(word) + 1):.4f}") for word, value in likelihoods.items()]
        show_figures(("line", "log-likelihood (nats)", "a character"), rows)


def main(words: list[str]) -> None:
    """Parse and run the command."""
    call(evaluate, "handgrad evaluate", words)
