"""Bad input as people have it, each case with what the message has to say: where, what, got or expected, what next."""

import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from safetensors.numpy import load_file, save_file


@dataclass(frozen=True)
class Text:
    """A file that is no corpus; None where there is nothing, a folder for `FOLDER`."""

    name: str
    content: bytes | None
    says: tuple[str, ...]


FOLDER = b"a folder"

TEXTS = (
    Text("missing", None, ("bad.txt", "there is no such file")),
    Text("folder", FOLDER, ("bad.txt", "this is a folder", "expected a text file", "Name a file inside it")),
    Text("empty", b"", ("bad.txt", "the file is empty", "expected one thing a line")),
    Text("blank", b"\n \r\n\t\n", ("bad.txt", "only blank lines", "expected one thing a line")),
    Text("not-utf8", b"ana\nmar\xeda\n", ("bad.txt, line 2", "not UTF-8", "byte 0xed, byte 4 of the line", "iconv")),
    Text("utf16", "ana\n".encode("utf-16"), ("bad.txt", "UTF-16", "expected UTF-8", "iconv -f UTF-16")),
    Text("nul", b"ana\nbe\0a\n", ("bad.txt, line 2", "binary", "NUL byte", "Save it as plain text")),
    Text("long-line", b"ana\n" + b"a" * 10_001, ("bad.txt, line 2", "too long", "10,001", "at most 10,000", "Put one")),
)  # fmt: skip

TOO_FEW = Text("too-few-lines", b"ana\nbea\neve\n", ("bad.txt", "too few lines", "got 3", "at least 10", "few hundred"))
UNSEEN = Text("unseen-letters", "ana\nzoë7\n".encode(), ("bad.txt", "'7', 'ë'", "line 2", "expected only", "Remove"))


def put(folder: Path, text: Text) -> None:
    """Make `bad.txt`."""
    path = folder / "bad.txt"
    if text.content is FOLDER:
        path.mkdir()
    elif text.content is not None:
        path.write_bytes(text.content)


SETTINGS = {
    "--batch-size 0": ("batch_size", "got 0", "expected 2 to"),
    "--batch-size 1": ("batch_size 1", "batch norm", "variance", "at least 2"),
    "--block-size 0": ("block_size", "got 0", "expected 1 to"),
    "--n-embd 0": ("n_embd", "got 0", "expected 1 to"),
    "--n-hidden -3": ("n_hidden", "got -3", "expected 1 to"),
    "--steps 0": ("steps", "got 0", "expected 1 to"),
    "--steps 1.5": ("--steps: this is no whole number", "got '1.5'", "1e6", "train --help"),
    "--steps": ("--steps: its value is missing", "train --help"),
    "--lr 0": ("lr", "got 0.0", "above 0"),
    "--lr -1": ("lr", "got -1.0", "above 0"),
    "--lr nan": ("lr", "got nan", "above 0"),
    "--lr inf": ("lr", "got inf", "above 0"),
    "--lr fast": ("--lr", "'fast'", "train --help"),
    "--seed -1": ("seed", "got -1", "expected 0 to"),
    "--checkpoint-every 0": ("checkpoint_every", "'0'", "steps such as 1000, or seconds such as 30s"),
    "--checkpoint-every 0s": ("checkpoint_every", "'0s'", "30s"),
    "--checkpoint-every abc": ("checkpoint_every", "'abc'", "30s"),
    "--checkpoint-every nans": ("checkpoint_every", "'nans'", "30s"),
    "--warmup 1": ("warmup", "got 1", "below 1"),
    "--minibatches epoch": ("--minibatches", "'epoch'", "one of epochs, replacement, in-order", "Did you mean epochs?"),
    "--runs 0": ("runs", "got 0", "expected 1 to 1,000"),
    "--device gpu": ("--device", "'gpu'", "expected one of cpu, cuda). 'handgrad train --help'"),
    "--device cuda --engine compiled": ("compiled engine does not run on a GPU", "engine torch", "Leave out --engine"),
    "--preset slow": ("'slow'", "--preset", "default, lecture, microgpt"),
    "--n-hiden 9": ("--n-hiden", "Did you mean --n-hidden?", "train --help"),
    "--n-hidden 100000 --n-embd 100000 --block-size 1000": ("not enough memory", "TiB", "smaller sizes"),
    "--resume run --n-hidden 30": ("--n-hidden", "keeps its settings", "without --resume"),
    "--time 0": ("time makes no sense", "'0'", "12s, or 5m, or 1h"),
    "--time soon": ("time makes no sense", "'soon'", "12s, or 5m, or 1h"),
    "--time 5s --steps 9": ("--time and --steps", "Leave out one"),
    "--split fair": ("--split", "'fair'", "one of distinct, lines"),
    "--keep none": ("--keep", "'none'", "one of best, last"),
    "--random python": ("split", "got distinct", "expected lines", "--split lines"),
    "--resume run --runs 2": ("--runs", "keeps its settings", "without --resume"),
    "--resume run --out other": ("--out", "keeps its settings", "without --resume"),
    "--resume run --preset lecture": ("--preset", "keeps its settings", "without --resume"),
}

WISHES = {
    "": ("runs: there is no run in this folder", "handgrad train"),
    ".": (".: this is a folder of runs", "newest first: run.", "type 'handgrad sample run'"),
    "run -n 0": ("n makes no sense", "got 0", "expected 1 to"),
    "run -n few": ("-n", "'few'", "sample --help"),
    "run --temperature -1": ("temperature", "got -1.0", "at least 0"),
    "run --temperature nan": ("temperature", "got nan", "at least 0"),
    "run --top-k 0": ("top_k", "got 0", "an integer of at least 1"),
    "run --top-k most": ("--top-k", "'most'", "sample --help"),
    "run --top-p 0": ("top_p", "got 0.0", "above 0 and at most 1"),
    "run --top-p 90": ("top_p", "got 90.0", "above 0 and at most 1"),
    "run --max-length 0": ("max_length", "got 0", "expected 1 to"),
    "run --max-length 3 --prefix emma": ("prefix", "got 4 characters", "fewer than max_length 3"),
    "run --prefix m3x!": ("'m3x!'", "letters", "'!', '3'", "expected only abc"),
    "run --seed -1": ("seed", "got -1", "expected 0 to"),
    "run --temprature 2": ("--temprature", "Did you mean --temperature?", "sample --help"),
}

MEASURES = {
    "": ("runs: there is no run in this folder", "handgrad train"),
    ". --line emma": (".: this is a folder of runs", "newest first: run.", "type 'handgrad evaluate run'"),
    "run --line em7ma": ("'em7ma'", "letters", "'7'", "expected only abc"),
    "run --line": ("--line: its value is missing", "evaluate --help"),
}


@dataclass(frozen=True)
class Damage:
    """Something that happened to a run folder; `of` is the command that has to notice it."""

    does: Callable[[Path], object]
    says: tuple[str, ...]
    of: str = "sample"


def cut(name: str, keep: float) -> Callable[[Path], object]:
    def damage(run: Path) -> None:
        content = (run / name).read_bytes()
        (run / name).write_bytes(content[: int(len(content) * keep)])

    return damage


def replaced(name: str, content: bytes) -> Callable[[Path], object]:
    return lambda run: (run / name).write_bytes(content)


def missing(name: str) -> Callable[[Path], object]:
    return lambda run: (run / name).unlink()


def edited(**changes: object) -> Callable[[Path], object]:
    """Changes in config.json; None takes a key out."""

    def damage(run: Path) -> None:
        content = json.loads((run / "config.json").read_text()) | changes
        kept = {key: value for key, value in content.items() if value is not None}
        (run / "config.json").write_text(json.dumps(kept))

    return damage


def retensored(name: str, **changes: np.ndarray | None) -> Callable[[Path], object]:
    """Changes among the tensors; None takes one out."""

    def damage(run: Path) -> None:
        tensors = {**load_file(run / name), **changes}
        save_file({key: value for key, value in tensors.items() if value is not None}, run / name)

    return damage


def emptied(run: Path) -> None:
    shutil.rmtree(run)
    run.mkdir()


SETTINGS_DAMAGED = ("run: config.json is damaged", "backup", "train anew")
MODEL_DAMAGED = ("run: model.safetensors is damaged", "backup", "train anew")
STATE_DAMAGED = ("run: state.safetensors is damaged", "backup", "train anew")
LATER = ("run", "later version", "got format 99", "expected format 1", "Upgrade")


def settings(does: Callable[[Path], object], *says: str) -> Damage:
    return Damage(does, (*SETTINGS_DAMAGED, *says))


def model(does: Callable[[Path], object] | None = None, *says: str, **tensors: np.ndarray | None) -> Damage:
    return Damage(does or retensored("model.safetensors", **tensors), (*MODEL_DAMAGED, *says))


def state(does: Callable[[Path], object] | None = None, *says: str, **tensors: np.ndarray | None) -> Damage:
    return Damage(does or retensored("state.safetensors", **tensors), (*STATE_DAMAGED, *says), of="resume")


WRONG_SHAPE = np.zeros((3, 5), np.float32)

DAMAGES = {
    "folder missing": Damage(shutil.rmtree, ("run: no such run folder", "handgrad train")),
    "folder empty": Damage(emptied, ("run", "config.json is missing")),
    "later version": Damage(edited(format=99), LATER),
    "later version to resume": Damage(edited(format=99), LATER, of="resume"),
    "model missing": Damage(missing("model.safetensors"), ("run: no model yet", "train --resume run")),
    "config cut": settings(cut("config.json", 0.5)),
    "config empty": settings(replaced("config.json", b"")),
    "config not json": settings(replaced("config.json", b"hello")),
    "config not utf-8": settings(replaced("config.json", b'{"a": "\xff"}')),
    "config a list": settings(replaced("config.json", b"[1, 2]")),
    "config without a format": settings(edited(format=None), "'format'"),
    "config without settings": settings(edited(training=None), "'training'"),
    "config without letters": settings(edited(vocabulary=None), "'vocabulary'"),
    "config without a text": settings(edited(text=None), "'text'"),
    "format in words": settings(edited(format="one")),
    "settings a list": settings(edited(training=[])),
    "settings of a wrong type": settings(edited(training={"n_hidden": "8"}), "n_hidden", "got 8"),
    "letters a number": settings(edited(vocabulary=7)),
    "letters unsorted": settings(edited(vocabulary="ba"), "'ba'"),
    "text a number": settings(edited(text=7)),
    "text of wrong types": settings(edited(text={"name": "n", "source": 7, "sha256": "0"}), "7"),
    "model empty": model(replaced("model.safetensors", b"")),
    "model cut in its header": model(cut("model.safetensors", 0.1)),
    "model cut in a tensor": model(cut("model.safetensors", 0.9)),
    "model something else": model(replaced("model.safetensors", b"PK\x03\x04" * 99)),
    "model of a wrong shape": model(None, "no W1 of shape (6, 8)", W1=WRONG_SHAPE),
    "model without a tensor": model(None, "no b2 of shape", b2=None),
    "model in integers": model(None, "no bngain of shape (1, 8)", bngain=np.ones((1, 8), int)),
    "model without statistics": model(None, "no bnvar of shape (1, 8)", bnvar=None),
    "model without its steps": model(None, "no steps", steps=np.zeros(2)),
    "state empty": state(replaced("state.safetensors", b"")),
    "state cut": state(cut("state.safetensors", 0.5)),
    "state of a wrong shape": state(None, "no C of shape", C=WRONG_SHAPE),
    "state without a tensor": state(None, "no W2 of shape (8, ", W2=None),
    "state without its step": state(None, "no step", step=None),
    "state with two steps": state(None, "no step", step=np.arange(2)),
    "state ahead of its losses": state(None, "20 losses at step 19", step=np.array(19)),
}

OF = {"sample": ("sample", "run"), "resume": ("train", "--resume", "run"), "evaluate": ("evaluate", "run")}
