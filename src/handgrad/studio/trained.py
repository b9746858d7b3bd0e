"""The process that makes the models of checkpoints, and answers questions about them until it is ended."""

import base64
import functools
import json
import unicodedata
from collections.abc import Sequence
from multiprocessing.connection import Connection
from typing import Any

import numpy as np

from handgrad.data.dataset import Splits
from handgrad.engine.distributions import Choice
from handgrad.engine.reading import along
from handgrad.errors import CorpusError, HandgradError
from handgrad.models.forms import form_of
from handgrad.models.trained import Model, TextReference
from handgrad.sampling import SampleConfig, choice_of, sample
from handgrad.studio.events import encoded
from handgrad.studio.snapshots import Checkpoint
from handgrad.training import checkpoint as folders
from handgrad.training.state import State, initial_state
from handgrad.training.validation import CALIBRATED

LINES, LONGEST_LINE = 20, 60
SEED = 1
KEPT = 128


class TextGoneError(HandgradError):
    """The text that a run was trained on, which is named, is not there any more, or not the same."""


def live(connection: Connection) -> None:
    """Answer questions until the other end is closed."""
    while True:
        try:
            asked = connection.recv()
        except (EOFError, OSError):
            return
        question, checkpoint, there = asked["question"], asked["checkpoint"], tuple(asked["there"])
        beside = there if question.get("what") in ("letters", "updates") else ()
        connection.send_bytes(_answered(encoded(question), checkpoint, beside))


@functools.lru_cache(maxsize=KEPT)
def _answered(question: str, checkpoint: Checkpoint, there: tuple[Checkpoint, ...]) -> bytes:
    try:
        return encoded(answer(json.loads(question), checkpoint, there)).encode()
    except ModuleNotFoundError as error:
        return encoded({"without": f"This needs {error.name}: pip install 'handgrad[torch]'."}).encode()
    except TextGoneError as error:
        told = f"This needs the text of the run, which is not there any more as it was: {error.what}"
        return encoded({"without": told}).encode()
    except HandgradError as error:
        return encoded({"refused": str(error)}).encode()
    except Exception as error:  # whatever is wrong, the page goes on
        return encoded({"refused": f"This cannot be shown: {type(error).__name__}: {error}"}).encode()


def answer(question: dict[str, Any], checkpoint: Checkpoint, there: Sequence[Checkpoint] = ()) -> dict[str, Any]:
    """The answer to one question of the page; `without` is a sentence in the place of what a model does not have.

    Args:
        question: by its `what`.
        checkpoint: that it is about.
        there: all that there are of its run, for pictures that have to do with several.

    Raises:
        HandgradError: a question that makes no sense, or a checkpoint that cannot be read.
    """
    match question:
        case {"what": "samples"}:
            return {"lines": sample(model_of(checkpoint), LINES, _drawing(question, seed=SEED))}
        case {"what": "next", "prompt": str(prompt)}:
            return next_letters(model_of(checkpoint), prompt, choice_of(_drawing(question)))
        case {"what": "letters"}:
            return letters(model_of(checkpoint), model_of(there[-1] if there else checkpoint))
        case {"what": "layers"}:
            from handgrad.studio.layers import layers

            return layers(checkpoint)
        case {"what": "updates"}:
            from handgrad.studio.updates import ratios

            return ratios(there)
        case {"what": "attention", "line": str(line)}:
            from handgrad.studio.layers import attention

            return attention(model_of(checkpoint), line)
    raise HandgradError("this question is not understood", got=question.get("what"))


def next_letters(model: Model, prompt: str, choice: Choice) -> dict[str, Any]:
    """How likely each letter is after the prompt, the likeliest first, and how likely those of the prompt were.

    Returns:
        `letters`, each with its `probability` and its `share` of the draws; `places`, the same of what was typed;
        `room`, for how many letters more, None where there is no end of it.

    Raises:
        CorpusError: a letter that the model has not seen, or too many.
    """
    tokens = model.vocabulary.encode(unicodedata.normalize("NFC", prompt))
    reader, itos = form_of(model.config.name).readers(model).new(), model.vocabulary.itos
    rows = [np.exp(row.astype(np.float64)) for row in along(model, reader, tokens)]
    last = np.log(np.maximum(rows[-1], 1e-45)).astype(np.float32)
    shares = choice.shares(last, is_begun=len(tokens) > 0)
    order = np.lexsort([-rows[-1], -shares])
    longest = model.config.longest
    return {
        "room": None if longest is None else longest - 1 - len(tokens),
        "letters": [
            {"letter": itos.get(token), "probability": float(rows[-1][token]), "share": float(shares[token])}
            for token in order.tolist()
        ],
        "places": [
            {"letter": itos[token], "probability": float(row[token]), "rank": int((row > row[token]).sum()) + 1}
            for token, row in zip(tokens.tolist(), rows, strict=False)
        ],
    }


def letters(model: Model, like: Model) -> dict[str, Any]:
    """The embedding of the letters in two dimensions: their principal components, by singular value decomposition.

    Args:
        model: of whose letters.
        like: whose picture it is turned, or turned over, to resemble, so that letters move no more than they must.

    Returns:
        `letters`, None for the boundary; `x`, `y`; `share`, how much of the variance they have; `name` of the
        parameter.

    Source: Pearson 1901, "On Lines and Planes of Closest Fit"; Schönemann 1966, "A Generalized Solution of the
    Orthogonal Procrustes Problem".
    """
    name = next((name for name in ("C", "W") if name in model.parameters), None)
    if name is None or len(model.parameters[name]) != model.config.vocab_size:
        return {"without": "This model has no embedding of letters: it counts, or mixes what others say."}
    places, share = _components(model.parameters[name])
    goal, _ = _components(like.parameters[name])
    left, _, right = np.linalg.svd(places.T @ goal)
    places = places @ (left @ right)
    itos = model.vocabulary.itos
    return {
        "name": name,
        "letters": [itos.get(token) for token in range(len(places))],
        "x": places[:, 0].round(5).tolist(),
        "y": places[:, 1].round(5).tolist(),
        "share": share,
        "features": model.parameters[name].shape[1],
    }


def _components(table: np.ndarray) -> tuple[np.ndarray, float]:
    """The first two principal components of the rows, (rows, 2), and their share of the variance."""
    left, sizes, _ = np.linalg.svd(table.astype(np.float64) - table.mean(0), full_matrices=False)
    places = left[:, :2] * sizes[:2]
    share = float((sizes[:2] ** 2).sum() / max(float((sizes**2).sum()), 1e-300))
    return np.pad(places, ((0, 0), (0, 2 - places.shape[1]))), share


@functools.lru_cache(maxsize=24)
def model_of(checkpoint: Checkpoint) -> Model:
    """The model of a checkpoint, its statistics of batch norm measured as while it was trained.

    Raises:
        RunError: the copy is damaged.
        TextGoneError: the text is gone that these statistics need.
    """
    if checkpoint.which == "model" or checkpoint.kept:
        return folders.load(checkpoint.folder)
    settings, state = folders.read_settings(checkpoint.folder), state_of(checkpoint)
    network, parameters, buffers = settings.model, dict(state.parameters), {}
    if network.buffer_shapes:
        tokens = splits_of(settings.text).train.tokens
        buffers = form_of(network.name).calibrate(network, parameters, tokens, CALIBRATED)
    return Model(network, settings.vocabulary, parameters, buffers, settings.text, state.step)


def state_of(checkpoint: Checkpoint) -> State:
    """What training goes on from there.

    Raises:
        RunError: it is damaged, or is that of a mixture.
    """
    settings = folders.read_settings(checkpoint.folder)
    return initial_state(settings) if checkpoint.which == "start" else folders.read_state(checkpoint.folder, settings)


@functools.lru_cache(maxsize=8)
def splits_of(text: TextReference) -> Splits:
    """The text of a run again.

    Raises:
        TextGoneError: it is gone, or another.
    """
    try:
        return text.split(text.read())
    except CorpusError:
        raise TextGoneError(text.source) from None


def packed(weights: np.ndarray) -> str:
    """Numbers from 0 to 1 as bytes in base64."""
    return base64.b64encode(np.rint(np.clip(weights, 0, 1) * 255).astype(np.uint8).tobytes()).decode()


def _drawing(question: dict[str, Any], seed: int | None = None) -> SampleConfig:
    top_k = question.get("top_k") or None
    return SampleConfig(temperature=question.get("temperature", 1.0), top_k=top_k, seed=seed, max_length=LONGEST_LINE)
