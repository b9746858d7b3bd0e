"""`handgrad.mix`: trained runs into one model, whose run folder is a new one."""

import itertools
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np

from handgrad.errors import ConfigError, RunError
from handgrad.evaluation import mean_loss
from handgrad.models.forms import form_of
from handgrad.models.mix import mixture_of, parts_of
from handgrad.models.trained import Model
from handgrad.sampling import known_lines, sample
from handgrad.training.checkpoint import create, load, packed, read_config
from handgrad.training.files import require_free
from handgrad.training.mixture import Mixture, Part
from handgrad.training.plan import Plan
from handgrad.training.results import Results, now, to_json
from handgrad.training.run import SAMPLES, Outcome, new_folder

STILL = 1e-6
"""Expectation-maximisation ends when no weight moves by more in a step."""
LEAST_WEIGHT = 1e-3
"""A run that would get less is left out."""


class Mixed(NamedTuple):
    """What came of mixing.

    Args:
        folder: the run folder of the mixture.
        parts: the runs; the weight of one that was left out is 0.
        losses: of each on the validation split, in nats.
        outcome: the mixture.
    """

    folder: Path
    parts: list[Part]
    losses: list[float]
    outcome: Outcome


def mix(runs: Sequence[str | Path], *, out: str | Path | None = None, corpus: str | Path | None = None) -> Model:
    """Mix trained runs: the probability of each next character is the weighted mean of what they say.

    The weights are those under which the validation split is most likely. Runs of different kinds gain most.

    Args:
        runs: run folders of the same text, at least two. A mixture among them, or a run of several parts, stands for
            the runs in it.
        out: the run folder of the mixture, which does not need theirs any more; by default
            `runs/<corpus>-mix-<date and time>`.
        corpus: where the training text is now, if it has moved since.

    Returns:
        The mixture, a model like any other; its weights are `model.config.weights`.

    Raises:
        ConfigError: there are fewer than two runs, or they are of different texts.
        CorpusError: the text is not there, or has changed.
        RunError: a run folder cannot be read or written, or its model overflows.

    Source: Jelinek and Mercer 1980, "Interpolated estimation of Markov source parameters from sparse data".

    Example:
        >>> import handgrad
        >>> _ = handgrad.train(model="mlp", steps=20, batch_size=8, n_hidden=16, out=folder / "run")
        >>> _ = handgrad.train(model="ngram", out=folder / "counted")
        >>> model = handgrad.mix([folder / "run", folder / "counted"], out=folder / "mix")
        >>> handgrad.sample(model, 2, seed=1) == handgrad.sample(handgrad.load(folder / "mix"), 2, seed=1)
        True
    """
    return mix_runs(runs, out, corpus).outcome.model


def mix_runs(runs: Sequence[str | Path], out: str | Path | None, corpus: str | Path | None) -> Mixed:
    """As `mix`, with all that there is to show."""
    if len(runs) < 2:
        raise ConfigError("a mixture needs two runs at least", got=len(runs), next_step="Name their folders.")
    if out is not None:
        require_free(Path(out))
    parts, models = _read_all([Path(run) for run in runs], corpus)
    text = models[0].text.read()
    splits = models[0].text.split(text)
    logprobs = np.stack([of_tokens(model, splits.val.tokens) for model in models])
    for part, of_part in zip(parts, logprobs, strict=True):
        if not np.isfinite(of_part).all():
            raise RunError(
                "this run gives no finite probabilities", where=part.run, next_step="Leave it out, or train it anew."
            )
    weights = useful_weights_of(logprobs).tolist()

    parts = [replace(part, weight=weight) for part, weight in zip(parts, weights, strict=True)]
    model = mixture_of(list(itertools.compress(models, weights)), [weight for weight in weights if weight])
    losses = {name: mean_loss(model, part) for name, part in splits._asdict().items()}
    samples = sample(model, SAMPLES, seed=1)
    mixture = Mixture(tuple(itertools.compress(parts, weights)), model.vocabulary, model.text)
    steps = sum(part.steps for part in mixture.parts)
    files = {
        "model.safetensors": packed(model),
        "samples.txt": "".join(f"{line}\n" for line in samples).encode(),
        "results.json": to_json(Results(steps, 0.0, steps, losses, now())),
    }
    folder = Path(out) if out is not None else new_folder(f"{text.name}-mix")
    create(folder, mixture, files)
    outcome = Outcome(model, losses, samples, known_lines(text, samples))
    return Mixed(folder, parts, (-logprobs.mean(1, dtype=np.float64)).tolist(), outcome)


def useful_weights_of(logprobs: np.ndarray) -> np.ndarray:
    """As `weights_of`, but 0 for each model that would get less than `LEAST_WEIGHT`."""
    weights = weights_of(logprobs)
    useful = weights >= LEAST_WEIGHT
    if not useful.all():
        weights[~useful], weights[useful] = 0, useful_weights_of(logprobs[useful])
    return weights


def weights_of(logprobs: np.ndarray) -> np.ndarray:
    r"""The weights of a mixture under which some tokens are most likely, by expectation-maximisation.

    From equal weights on, each becomes the mean share that its model has in the probability of a token,

    $$ w_k \leftarrow \frac{1}{N} \sum_n \frac{w_k p_k(x_n)}{\sum_j w_j p_j(x_n)}, $$

    which never makes the tokens less likely, until no weight moves by more than `STILL`.

    Args:
        logprobs: (models, N), of each token by each model.

    Returns:
        (models,) float64, above 0; they add up to 1.

    Source: Jelinek and Mercer 1980, "Interpolated estimation of Markov source parameters from sparse data"; for why no
    step makes the tokens less likely, Dempster, Laird and Rubin 1977, "Maximum Likelihood from Incomplete Data via the
    EM Algorithm", theorem 1.

    Example:
        >>> weights_of(np.log([[0.5, 0.5, 0.5], [0.9, 0.9, 0.1]])).round(3)
        array([0.583, 0.417])
    """
    probs = np.exp(np.subtract(logprobs, logprobs.max(0), dtype=np.float64))
    weights = np.full(len(probs), 1 / len(probs))
    while True:
        shares = weights * np.einsum("kn,n->k", probs, 1 / (weights @ probs)) / probs.shape[1]
        before, weights = weights, shares
        if np.abs(weights - before).max() <= STILL:
            return weights


def _read_all(folders: list[Path], corpus: str | Path | None) -> tuple[list[Part], list[Model]]:
    """The runs and their models; in place of a mixture what it is made of.

    Raises:
        ConfigError: they are not of the same text.
    """
    parts, models = [], []
    for folder in folders:
        settings = read_config(folder)
        if isinstance(settings, Plan):
            of_parts = _read_all([folder / name for name in settings.names], corpus)
            parts += of_parts[0]
            models += of_parts[1]
            continue
        model = load(folder, corpus)
        if isinstance(settings, Mixture):
            parts += settings.parts
            models += parts_of(model)
        else:
            parts.append(Part(str(folder), 1.0, model.steps, settings.config))
            models.append(model)
        ours, first = model.text, models[0].text
        if (ours.sha256, model.vocabulary) != (first.sha256, models[0].vocabulary):
            raise ConfigError(
                "these runs are not of the same text", where=f"{folders[0]} and {folder}",
                got=f"{first.name}, sha256 {first.sha256[:12]}…, and {ours.name}, {ours.sha256[:12]}…",
                expected="one text",
            )  # fmt: skip
        if (ours.shuffle_seed, ours.distinct) != (first.shuffle_seed, first.distinct):
            raise ConfigError(
                "these runs do not hold out the same lines", where=f"{folders[0]} and {folder}",
                next_step="Train them with the same --split and --random, and with 'python' with the same --seed.",
            )  # fmt: skip
    return parts, models


def of_tokens(model: Model, tokens: np.ndarray) -> np.ndarray:
    """The log-probability of each token of some lines, after those before it in its line: (N,) float32."""
    from handgrad.engine import reading

    return reading.of_tokens(model, form_of(model.config.name).readers(model), tokens)
