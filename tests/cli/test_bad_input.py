"""Bad input, by running the command: exit code 2, one clear line on stderr, and nothing half-written."""

import pytest

from handgrad.cli import COMMANDS

from .cases import DAMAGES, MEASURES, OF, SETTINGS, TEXTS, TOO_FEW, UNSEEN, WISHES, put
from .command import cold, refused


def by_name(texts):
    return pytest.mark.parametrize("text", texts, ids=lambda text: text.name)


def table(cases):
    return pytest.mark.parametrize(("words", "says"), cases.items(), ids=[words or "nothing" for words in cases])


@pytest.mark.slow
@pytest.mark.one_in(9)
@by_name([*TEXTS, TOO_FEW])
def test_a_text_that_cannot_be_trained_on(handgrad, tmp_path, text):
    put(tmp_path, text)
    refused(handgrad, "train", "bad.txt", folder=tmp_path, says=text.says)


@by_name([*TEXTS, UNSEEN])
def test_a_text_that_cannot_be_measured(handgrad, work, text):
    put(work, text)
    refused(handgrad, "evaluate", "run", "--text", "bad.txt", folder=work, says=text.says)


@pytest.mark.one_in(3)
@table(SETTINGS)
def test_settings_that_make_no_sense(handgrad, work, words, says):
    text = [] if "--resume" in words else ["names.txt", "--model", "mlp"]
    refused(handgrad, "train", *text, *words.split(), folder=work, says=says)


@table(WISHES)
def test_samples_no_one_can_draw(handgrad, work, words, says):
    refused(handgrad, "sample", *words.split(), folder=work, says=says)


@table(MEASURES)
def test_what_cannot_be_measured(handgrad, work, words, says):
    refused(handgrad, "evaluate", *words.split(), folder=work, says=says)


@pytest.mark.one_in(3)
@pytest.mark.parametrize("damage", DAMAGES.values(), ids=list(DAMAGES))
def test_a_run_folder_that_is_not_what_it_was(handgrad, work, damage):
    damage.does(work / "run")
    refused(handgrad, *OF[damage.of], folder=work, says=damage.says)


NEEDS_THE_TEXT = {"sample": ("sample", "run", "--new-only"), "evaluate": OF["evaluate"], "resume": OF["resume"]}


@pytest.mark.slow
@pytest.mark.one_in(3)
@pytest.mark.parametrize("words", NEEDS_THE_TEXT.values(), ids=list(NEEDS_THE_TEXT))
def test_the_training_text_has_changed_or_moved(handgrad, work, words):
    names, moved = work / "names.txt", work / "moved.txt"
    names.rename(moved)
    gone = (str(names), "there is no such file", "--corpus FILE", "train FILE --resume RUN")
    refused(handgrad, *words, folder=work, says=gone)
    given = words[:1] if words[0] == "train" else (*words, "--corpus")
    rest = words[1:] if words[0] == "train" else ()
    assert handgrad(*given, "moved.txt", *rest, folder=work).code == 0
    names.write_bytes(moved.read_bytes() + b"zoe\n")
    changed = ("names.txt: this is not the text", "got sha256", "--corpus FILE", "train anew")
    refused(handgrad, *words, folder=work, says=changed)
    refused(handgrad, *given, "names.txt", *rest, folder=work, says=changed)


@pytest.mark.slow
def test_a_place_for_the_run_that_is_taken(handgrad, work):
    for out, more in (("run", ["handgrad train --resume run"]), ("names.txt", [])):
        says = (f"handgrad: {out}: there is something here already", "--out", *more)
        refused(handgrad, "train", "names.txt", "--out", out, folder=work, says=says)


@pytest.mark.parametrize("out", ["names.txt/run", "a" * 300], ids=["below a file", "too long a name"])
def test_a_place_for_the_run_that_cannot_be(handgrad, work, out):
    refused(
        handgrad, "train", "names.txt", "--out", out, folder=work, says=(out, "cannot be written", "Choose a folder")
    )


@pytest.mark.slow
def test_mistakes_from_a_cold_start(work):
    """The cases above run in forked processes; these four show that a user's own process does the same."""
    put(work, TOO_FEW)
    refused(cold, "train", "bad.txt", folder=work, says=TOO_FEW.says)
    refused(cold, "train", "names.txt", "--lr", "nan", folder=work, says=SETTINGS["--lr nan"])
    refused(cold, "sample", "nowhere", folder=work, says=("nowhere: no such run folder",))
    refused(cold, "teach", folder=work, says=("no such command: 'teach'", ", ".join(COMMANDS)))
