"""`handgrad evaluate`."""

import json as json_format
import math
import unicodedata
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import tyro

from handgrad.cli.console import console, show_figures, show_losses
from handgrad.cli.parse import call
from handgrad.cli.runs_at_hand import Run, open_run

if TYPE_CHECKING:
    from handgrad.evaluation import Letter


def evaluate(
    run: Run = None,
    *,
    text: Annotated[Path | None, tyro.conf.arg(metavar="FILE", help_behavior_hint="")] = None,
    line: Annotated[
        tyro.conf.UseAppendAction[tuple[str, ...]], tyro.conf.arg(metavar="LINE", help_behavior_hint="(repeatable)")
    ] = (),
    corpus: Annotated[Path | None, tyro.conf.arg(metavar="FILE", help_behavior_hint="")] = None,
    json: bool = False,
) -> None:
    """Measure a model: its loss on each split of its text or on another file, or the likelihood of lines.

    The loss is the mean cross-entropy in nats a character, line ends included; the perplexity is its exponential. The
    likelihood of a line is shown letter by letter, with what else might have stood there.

    examples:
      handgrad evaluate
      handgrad evaluate runs/names
      handgrad evaluate runs/names --text more_names.txt
      handgrad evaluate runs/names --line emma --line xqzw

    Args:
        run: The run folder that 'handgrad train' made.
        text: Measure the loss on this file instead.
        line: Measure how likely the model is to write exactly this line, letter by letter.
        corpus: Where the training text is now, if it has moved.
        json: Print the figures as JSON.
    """
    from handgrad.evaluation import evaluate as losses_of
    from handgrad.evaluation import letter_by_letter, perplexity

    _, model = open_run("evaluate", run, corpus)
    words = [unicodedata.normalize("NFC", word) for word in line]
    letters = {word: letter_by_letter(model, word) for word in words}
    likelihoods = {word: math.fsum(place.log_probability for place in places) for word, places in letters.items()}
    losses = losses_of(model, text) if text or not line else {}
    if json:
        content = {
            "loss": losses,
            "perplexity": {name: perplexity(loss) for name, loss in losses.items()},
            "log_likelihood": likelihoods,
            "letters": {word: [_content(place) for place in places] for word, places in letters.items()},
        }
        print(json_format.dumps(content, ensure_ascii=False, indent=2))
        return
    if losses:
        show_losses(losses)
    if likelihoods:
        rows = [(word, f"{value:.4f}", f"{value / (len(word) + 1):.4f}") for word, value in likelihoods.items()]
        show_figures(("line", "log-likelihood (nats)", "a character"), rows)
        _show_letters(letters)


def _content(place: "Letter") -> dict[str, Any]:
    """A letter of a line, for a program; null is the end of the line."""
    others = [{"letter": letter, "log_probability": log_probability} for letter, log_probability in place.others]
    return {"letter": place.letter, "log_probability": place.log_probability, "others": others}


def _show_letters(letters: dict[str, list["Letter"]]) -> None:
    from handgrad.cli.letters import letter_table

    for word, places in letters.items():
        console().print()
        if len(letters) > 1:
            console().print(word, style="bold", markup=False)
        console().print(letter_table(places))


def main(words: list[str]) -> None:
    """Parse and run the command."""
    call(evaluate, "handgrad evaluate", words)
