"""Corpora that have a name: one that is built in, and some to download, each pinned by its sha256."""

import difflib
import logging
import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from handgrad.errors import CorpusError

BUILT_IN = "ssa_names_2018"
TIMEOUT_S = 5


@dataclass(frozen=True)
class Entry:
    """One corpus of the catalogue.

    Args:
        name: what to call it on the command line; `NAME.txt` is its file.
        description: what stands on a line.
        lines: how many there are.
        licence: under which terms it may be used.
        source: where it comes from: the file to download or, for the built-in corpus, who published it.
        sha256: of the file's bytes.
    """

    name: str
    description: str
    lines: int
    licence: str
    source: str
    sha256: str

    @property
    def built_in(self) -> bool:
        """Whether the file comes with the package."""
        return self.name == BUILT_IN

    def path(self) -> Path:
        """Where the file is, or will be once it is fetched."""
        folder = Path(__file__).parent / "files" if self.built_in else cache_folder()
        return folder / f"{self.name}.txt"


CATALOGUE = {
    entry.name: entry
    for entry in (
        Entry(
            BUILT_IN,
            "US first names given to five or more children born in 2018",
            32_257,
            "public domain",
            "US Social Security Administration, national baby-name data",
            "bd02dfd33179e23ec2dd093cbd4de619834f75d660ef1ae04d3127e7a0110053",
        ),
        Entry(
            "names",
            "US first names, the list of the makemore lectures",
            32_033,
            "MIT",
            "https://raw.githubusercontent.com/karpathy/makemore/988aa59e4d8fefa526d06f3b453ad116258398d4/names.txt",
            "0a30b5557f192f32ab962680889aac5f6fda0f4cecf40a6d0b5694f58ea8cc4d",
        ),
        Entry(
            "english_words",
            "English words without capitals or accents (ENABLE)",
            172_823,
            "public domain",
            "https://raw.githubusercontent.com/dolph/dictionary/c65f04b0b5b27a981f437b940cf62fe71320d5ec/enable1.txt",
            "3f16130220645692ed49c7134e24a18504c2ca55b3c012f7290e3e77c63b1a89",
        ),
        Entry(
            "dutch_words",
            "Dutch words with accents, capitals and hyphens (OpenTaal)",
            199_403,
            "BSD-3-Clause or CC BY 3.0",
            "https://raw.githubusercontent.com/OpenTaal/opentaal-wordlist/b250510dda431785f962019167d1415198ff3905/elements/basiswoorden-gekeurd.txt",
            "28af5de8297e4ebcd94d6cf8fafa1fd02a4b88820147f24cc33227e40ab8a704",
        ),
    )
}
"""The corpora by name."""


def cache_folder() -> Path:
    """Where fetched corpora are kept: the environment variable HANDGRAD_DATA, or else the user's cache folder."""
    import pooch

    return Path(os.environ.get("HANDGRAD_DATA") or pooch.os_cache("handgrad")).absolute()


def fetch(name: str, folder: Path | None = None) -> Path:
    """Download a corpus of the catalogue, unless the right file is there already.

    Args:
        name: a name of the catalogue.
        folder: where to keep the file; by default `cache_folder()`.

    Returns:
        The path of the file.

    Raises:
        CorpusError: there is no such name, the network or the folder does not do its part, or what came is not the
            file the catalogue means. The message has the path to put the file at by hand.
    """
    import pooch
    import requests

    entry = _entry(name)
    if entry.built_in:
        return entry.path()
    path = (folder or cache_folder()) / entry.path().name
    pooch.get_logger().setLevel(logging.WARNING)
    downloader = pooch.HTTPDownloader(timeout=TIMEOUT_S, stream=False)  # a stream would stay open on an error
    by_hand = f"Or download it by other means and put it at {path}."
    try:
        # pyrefly: ignore[bad-argument-type]  (pooch's types do not admit its own downloader)
        pooch.retrieve(entry.source, entry.sha256, path.name, path.parent, downloader=downloader)
    except requests.RequestException as error:
        answer = f"HTTP status {error.response.status_code}" if error.response is not None else type(error).__name__
        raise CorpusError(
            "the corpus could not be fetched",
            got=answer,
            where=entry.source,
            next_step=f"Check the network and try again. {by_hand}",
        ) from error
    except OSError as error:
        raise CorpusError(
            "the corpus cannot be kept",
            got=error.strerror or type(error).__name__,
            expected="a folder that can be written to",
            where=path.parent,
            next_step="Name another in the environment variable HANDGRAD_DATA.",
        ) from error
    except ValueError as error:
        raise CorpusError(
            "what came is not the file of the catalogue",
            got="another sha256",
            expected=entry.sha256,
            where=entry.source,
            next_step=f"Try again, perhaps over another network. {by_hand}",
        ) from error
    return path


def _entry(name: str) -> Entry:
    if name not in CATALOGUE:
        raise CorpusError(
            "there is no corpus of that name",
            expected=f"one of {', '.join(CATALOGUE)}",
            where=name,
            next_step=did_you_mean(name, CATALOGUE),
        )
    return CATALOGUE[name]


def did_you_mean(name: str, candidates: Iterable[str]) -> str:
    """What to try next: the candidate, a name or a path, whose name is nearest."""
    by_name = {Path(candidate).name: candidate for candidate in candidates}
    near = difflib.get_close_matches(name, by_name, n=1)
    return f"Did you mean {by_name[near[0]]}?" if near else "See what there is: handgrad data list."
