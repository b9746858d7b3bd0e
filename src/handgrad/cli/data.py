"""`handgrad data`: see what corpora there are, fetch one, look into one."""

import json
from typing import Annotated

import numpy as np
from rich.console import Console
from rich.table import Table
from tyro.conf import Positional, arg

from handgrad.data import CATALOGUE, Corpus, fetch, resolve_corpus


def list_corpora(json_: Annotated[bool, arg(name="json")] = False) -> None:
    """List the corpora that have a name, and whether they are on this machine.

    Example: handgrad data list

    Args:
        json_: print a JSON array instead of a table.
    """
    if json_:
        print(json.dumps([vars(entry) | {"path": str(entry.path())} for entry in CATALOGUE.values()], indent=2))
        return
    table = Table(box=None, pad_edge=False)
    for heading in ("name", "lines", "what", "licence", "state"):
        table.add_column(heading, justify="right" if heading == "lines" else "left", overflow="fold")
    for entry in CATALOGUE.values():
        state = "built in" if entry.built_in else "fetched" if entry.path().is_file() else "to fetch"
        table.add_row(entry.name, f"{entry.lines:,}", entry.description, entry.licence, state)
    Console().print(table)


def fetch_corpus(name: Annotated[Positional[str], arg(metavar="NAME")]) -> None:
    """Download a corpus, check it, and print the path of its file.

    Example: handgrad data fetch names

    Args:
        name: a name that 'handgrad data list' shows.
    """
    print(fetch(name))


def show_corpus(
    file: Annotated[Positional[str | None], arg(metavar="[FILE]")] = None,
    lines: Annotated[int, arg(aliases=["-n"])] = 10,
    json_: Annotated[bool, arg(name="json")] = False,
) -> None:
    """Describe a corpus as training would read it: lines, letters, duplicates, where it comes from.

    Example: handgrad data show names -n 5

    Args:
        file: a text file with one thing a line, or a name that 'handgrad data list' shows; the built-in names if left
            out.
        lines: how many lines to print, evenly spaced from the first to the last.
        json_: print a JSON object instead.
    """
    corpus = resolve_corpus(file)
    entry = CATALOGUE.get(corpus.name) if corpus.source.startswith("built-in:") else CATALOGUE.get(str(file))
    facts = {
        "name": corpus.name,
        "source": corpus.source,
        "sha256": corpus.sha256,
        **({"publisher": entry.source, "licence": entry.licence} if entry else {}),
        "lines": corpus.n_lines,
        "duplicates": corpus.n_lines - corpus.n_distinct,
        "longest": corpus.longest,
        "letters": len(corpus.vocabulary.chars),
    }
    if json_:
        samples = {"alphabet": corpus.vocabulary.chars, "samples": _evenly_spaced(corpus, lines)}
        print(json.dumps(facts | samples, ensure_ascii=False, indent=2))
        return
    for key, value in facts.items():
        print(f"{key:<12}{value:,}" if isinstance(value, int) else f"{key:<12}{value}")
    print(f"{'':<12}{corpus.vocabulary}\n")
    print(*_evenly_spaced(corpus, lines), sep="\n")


def _evenly_spaced(corpus: Corpus, count: int) -> list[str]:
    starts = corpus.starts
    picks = np.linspace(0, corpus.n_lines - 1, min(max(count, 0), corpus.n_lines)).round().astype(int)
    return [corpus.vocabulary.decode(corpus.tokens[starts[i] : starts[i + 1] - 1]) for i in picks]


COMMAND = {"list": list_corpora, "fetch": fetch_corpus, "show": show_corpus}
