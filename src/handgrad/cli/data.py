"""`handgrad data`: see what corpora there are, fetch one, look into one."""

import json as json_format
from collections.abc import Callable
from typing import Annotated

import numpy as np
from rich.table import Table
from tyro.conf import Positional, arg

from handgrad.cli.console import console
from handgrad.cli.parse import call_one_of
from handgrad.data import CATALOGUE, Corpus, fetch, kept, resolve_corpus


def list_corpora(*, json: bool = False) -> None:
    """List the corpora that have a name, and whether they are on this machine.

    example:
      handgrad data list

    Args:
        json: Print a JSON array instead of a table.
    """
    if json:
        print(json_format.dumps([vars(entry) | {"path": str(entry.path())} for entry in CATALOGUE.values()], indent=2))
        return
    table = Table("name", box=None, pad_edge=False, header_style="dim")
    table.add_column("lines", justify="right")
    for heading in ("what stands on a line", "licence", "state"):
        table.add_column(heading)
    for entry in CATALOGUE.values():
        state = "built in" if entry.built_in else "fetched" if entry.path().is_file() else "to fetch"
        table.add_row(entry.name, f"{entry.lines:,}", entry.description, entry.licence, state)
    console().print(table)
    if size := kept.n_bytes(kept.kept_folder()):
        console().print(f"\nkept of large texts: {size / 1e6:,.1f} MB (handgrad data clear)", style="dim")


def fetch_corpus(name: Annotated[Positional[str], arg(metavar="NAME")]) -> None:
    """Download a corpus, check it, and print the path of its file.

    example:
      handgrad data fetch names

    Args:
        name: A name that 'handgrad data list' shows.
    """
    print(fetch(name))


def show_corpus(
    file: Annotated[Positional[str | None], arg(metavar="[FILE]", help_behavior_hint="")] = None,
    *,
    lines: Annotated[int, arg(aliases=["-n"], metavar="LINES")] = 10,
    json: bool = False,
) -> None:
    """Describe a corpus as training would read it: lines, letters, duplicates, where it comes from.

    examples:
      handgrad data show names.txt -n 5
      handgrad data show english_words

    Args:
        file: A text file, or a name that 'handgrad data list' shows; without it, the built-in names.
        lines: How many lines to print, evenly spaced from the first to the last.
        json: Print a JSON object instead.
    """
    corpus = resolve_corpus(file)
    entry = next((entry for entry in CATALOGUE.values() if entry.sha256 == corpus.sha256), None)
    facts = {
        "name": corpus.name,
        "source": corpus.source,
        "sha256": corpus.sha256,
        **({"origin": entry.source, "licence": entry.licence} if entry else {}),
        "lines": corpus.n_lines,
        "duplicates": corpus.n_lines - corpus.n_distinct,
        "longest": corpus.longest,
        "letters": len(corpus.vocabulary.chars),
    }
    if json:
        samples = {"alphabet": corpus.vocabulary.chars, "samples": _evenly_spaced(corpus, lines)}
        print(json_format.dumps(facts | samples, ensure_ascii=False, indent=2))
        return
    for key, value in facts.items():
        print(f"{key:<12}{value:,}" if isinstance(value, int) else f"{key:<12}{value}")
    print(f"{'':<12}{corpus.vocabulary}\n")
    print(*_evenly_spaced(corpus, lines), sep="\n")


def clear_kept() -> None:
    """Remove what is kept of large texts, so that they need not be read and shuffled again.

    Of a file of 64 MB or more, tokens and splits are kept in the cache folder, a few times as large as the file. They
    are made again where they are needed.

    example:
      handgrad data clear
    """
    print(f"{kept.clear() / 1e6:,.1f} MB removed from {kept.kept_folder()}.")


def _evenly_spaced(corpus: Corpus, count: int) -> list[str]:
    starts = corpus.starts
    picks = np.linspace(0, corpus.n_lines - 1, min(max(count, 0), corpus.n_lines)).round().astype(int)
    return [corpus.vocabulary.decode(corpus.tokens[starts[i] : starts[i + 1] - 1]) for i in picks]


COMMAND: dict[str, Callable[..., int | None]] = {
    "list": list_corpora,
    "fetch": fetch_corpus,
    "show": show_corpus,
    "clear": clear_kept,
}


def main(words: list[str]) -> int | None:
    """Parse and run the command."""
    return call_one_of(COMMAND, "handgrad data", words)
