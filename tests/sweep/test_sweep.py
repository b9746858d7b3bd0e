"""What is tried and which trials go on follow from the seed and from losses, whoever is faster, dies, or goes on."""

import csv
import io
import itertools
import shutil
import time
from pathlib import Path

import pytest

from handgrad.cli import main, sweeping
from handgrad.cli.console import console
from handgrad.data import resolve_corpus
from handgrad.errors import ConfigError, CorpusError, RunError
from handgrad.evaluation import evaluate
from handgrad.sweep import driver, records
from handgrad.sweep.alone import alone
from handgrad.sweep.driver import Sweep, run
from handgrad.sweep.job import Options, begin, reopen, write_results
from handgrad.sweep.space import default_space, read
from handgrad.sweep.table import to_csv
from handgrad.sweep.work import Bench
from handgrad.training.checkpoint import load
from handgrad.training.files import write
from handgrad.training.folders import best_beside, refuse_folder_of_runs, runs_in

from .inline import Inline, pretended

MODELS = ("mlp", "gru")
OPTIONS = Options(trials=18, budget=0.004, round=4)


@pytest.fixture(scope="module")
def text(tmp_path_factory) -> str:
    path = tmp_path_factory.mktemp("text") / "names.txt"
    path.write_text("\n".join(list(resolve_corpus().lines())[:400]))
    return str(path)


def swept(text: str, folder: Path, **workers) -> Sweep:
    sweep = begin(text, default_space(MODELS), OPTIONS, folder)
    run(sweep, Inline(**workers), lambda _: None)
    return sweep


def table(sweep: Sweep) -> list[list[str]]:
    """All but the seconds."""
    return [row[:-1] for row in csv.reader(io.StringIO(to_csv(records.read_trials(sweep.folder)).decode()))]


@pytest.fixture(scope="module")
def whole(text, tmp_path_factory) -> Sweep:
    """A sweep by one worker."""
    return swept(text, tmp_path_factory.mktemp("sweep") / "whole", n=1)


def test_a_sweep_halves_its_rounds_and_keeps_the_default(whole):
    trials = records.read_trials(whole.folder)
    assert [trial.number for trial in trials] == list(range(18))
    assert [trial.round for trial in trials] == [0] * 4 + [1] * 4 + [2] * 4 + [3] * 4 + [4] * 2
    for _, round_ in itertools.groupby(trials, key=lambda trial: trial.round):
        ends = sorted(len(trial.rungs) for trial in round_ if trial.origin != "default")
        assert ends in ([1, 1, 2, 3], [1, 2, 3], [1, 1, 2], [1, 3], [1, 1, 3])
    assert trials[0].origin == "default"
    assert trials[0].status == "finished"
    assert {trial.config.model for trial in trials} == set(MODELS)
    assert {"gru", "mlp"} <= {trial.config.model for trial in trials if trial.origin == "recipe"}
    assert all((trial.status == "finished") == (trial.step == trial.config.steps) for trial in trials)


@pytest.mark.one_in(2)
@pytest.mark.parametrize("workers", [{"n": 3}, {"n": 8, "seed": 1}, {"n": 2, "seed": 2, "dies": 0.2}], ids=str)
def test_who_is_faster_or_dies_changes_nothing(text, whole, tmp_path, workers):
    assert table(swept(text, tmp_path / "sweep", **workers)) == table(whole)


class Died(Exception):
    pass


@pytest.mark.one_in(3)
@pytest.mark.parametrize("writes", [2, 5, 13, 40, 80], ids="after {} files".format)
def test_a_driver_that_dies_goes_on_as_if_it_had_not(text, whole, tmp_path, monkeypatch, writes):
    """Wherever it is killed: between any two files."""
    left = itertools.count(writes, -1)

    def dying(folder: Path, name: str, content: bytes) -> None:
        if not next(left):
            raise Died
        write(folder, name, content)

    sweep = begin(text, default_space(MODELS), OPTIONS, tmp_path / "sweep")
    with monkeypatch.context() as patched:
        for place in ("handgrad.training.files.write", "handgrad.training.checkpoint.write"):
            patched.setattr(place, dying)
        with pytest.raises(Died):
            run(sweep, Inline(seed=writes), lambda _: None)
    again = reopen(sweep.folder)
    run(again, Inline(n=3), lambda _: None)
    assert table(again) == table(whole)


def test_more_trials_go_on_from_those_there_are(text, whole, tmp_path):
    sweep = begin(text, default_space(MODELS), Options(trials=8, budget=0.004, round=4), tmp_path / "sweep")
    run(sweep, Inline(), lambda _: None)
    again = reopen(sweep.folder, trials=18)
    run(again, Inline(), lambda _: None)
    assert table(again) == table(whole)


def test_what_fits_into_a_time_is_what_a_longer_sweep_begins_with(text, whole, tmp_path):
    sweep = begin(text, default_space(MODELS), Options(trials=None, budget=0.004, round=4), tmp_path / "sweep")
    run(sweep, Inline(), lambda _: None, ends=time.monotonic())  # the first round is begun in any case
    assert records.read_trials(sweep.folder) == records.read_trials(whole.folder)[:4]


def test_a_trial_that_kills_its_workers_is_lost_and_the_rest_goes_on(text, tmp_path):
    sweep = begin(text, default_space(["gru"]), Options(trials=4, budget=0.004, round=4), tmp_path / "sweep")
    lost = driver.Lost("out of memory")
    run(sweep, Inline(lambda work: lost if work.name == "trial-002" else pretended(work)), lambda _: None)
    assert sweep.trials["trial-002"].status == "lost"
    assert sweep.trials["trial-002"].note == "3 workers died at it: out of memory"
    assert sweep.trials["trial-000"].status == "finished"


def test_trials_are_runs_and_seeds_say_how_sure_the_best_is(text, tmp_path):
    """With real training."""
    space = read({"gru": {"n_hidden": [8, 16], "n_embd": 8, "lr": {"from": 0.002, "to": 0.02, "log": True}}}, "")
    sweep = begin(text, space, Options(trials=3, budget=0.004, round=3, seeds=2), tmp_path / "sweep")
    run(sweep, Inline(Bench(sweep.text).do), lambda _: None)
    results = write_results(sweep, mix=True)
    best = results.best
    assert len(best.val) == len(best.test) == 2
    assert best.deviation == pytest.approx(abs(best.val[0] - best.val[1]) / 2**0.5)
    assert results.default is not None
    assert (sweep.folder / f"{best.trial.name}-seed-2" / "samples.txt").exists()
    assert best_beside(sweep.folder / "trial-000") == sweep.folder / best.trial.name
    mixed, of_default = results.mixed
    assert mixed.outcome.losses["val"] < min(best.val)
    assert of_default.keys() == {"train", "val", "test"}
    assert len(runs_in(sweep.folder)) == len(sweep.trials) + 2  # and the n-gram, and the mixture
    for trial in sweep.trials.values():
        model = load(sweep.folder / trial.name)
        if trial.loss:
            assert evaluate(model) == pytest.approx(trial.loss)


def test_a_space_of_few_recipes_is_tried_to_its_end(text, tmp_path):
    options = Options(trials=30, budget=0.004, round=4)
    sweep = begin(text, default_space(["ngram"]), options, tmp_path / "sweep")
    run(sweep, Inline(), lambda _: None)
    sizes = [trial.config.block_size for trial in sweep.trials.values() if trial.config.model == "ngram"]
    assert sorted(sizes) == list(range(3, 9))
    assert sweep.is_exhausted
    again = reopen(sweep.folder)
    run(again, Inline(n=3), lambda _: None)
    assert table(again) == table(sweep)


def test_sizes_that_the_text_does_not_allow_are_found_before_a_folder_is_made(text, tmp_path):
    with pytest.raises(ConfigError, match="block_size"):
        begin(text, read({"transformer": {"block_size": [2, 3]}}, ""), OPTIONS, tmp_path / "sweep")
    assert not (tmp_path / "sweep").exists()


def test_a_text_that_has_moved(text, tmp_path):
    moved = Path(shutil.copy(text, tmp_path / "moved.txt"))
    sweep = begin(str(moved), default_space(MODELS), OPTIONS, tmp_path / "sweep")
    moved.unlink()
    with pytest.raises(CorpusError, match=r"'handgrad sweep FILE --resume .*/sweep'\.$"):
        reopen(sweep.folder)
    assert reopen(sweep.folder, text).asked == sweep.asked


def test_what_is_no_sweep_cannot_be_gone_on_with(tmp_path):
    with pytest.raises(RunError, match=r"this is no sweep: sweep.json is missing"):
        reopen(tmp_path)
    (tmp_path / "sweep.json").write_text("{}")
    with pytest.raises(RunError, match=r"sweep.json is damaged"):
        reopen(tmp_path)


def test_two_processes_do_not_work_on_one_sweep(whole, capsys):
    before = (whole.folder / "sweep.json").read_bytes()
    with alone(whole.folder):
        assert main(["sweep", "--resume", str(whole.folder), "--trials", "20"]) == 2
    assert "another process is at work on this sweep" in capsys.readouterr().err
    assert (whole.folder / "sweep.json").read_bytes() == before
    with alone(whole.folder):  # it is free again
        pass


def test_what_is_shown_says_what_became_of_all(whole, capsys, monkeypatch):
    monkeypatch.setattr(sweeping, "PLAIN_LINE_SECONDS", 0)
    with sweeping.SweepProgress(console(stderr=True)) as told:
        told(whole)
    results = write_results(whole)
    sweeping.show_results(whole, results)
    said, stopped = capsys.readouterr(), sum(trial.status == "stopped" for trial in whole.trials.values())
    assert said.err.startswith("18 of 18 trials done, 0 under way, 0s elapsed, best ")
    assert f"{stopped} stopped early: all are in sweep.csv" in said.out
    best = sweeping.content_of(whole, results)["best"]
    assert (best["steps"], best["planned"]) == (results.best.trial.step, results.best.trial.config.steps)
    with pytest.raises(RunError, match=rf"For the best trial type 'handgrad sample .*/{best['trial']}'"):
        refuse_folder_of_runs(whole.folder, "handgrad sample")


def test_a_folder_that_is_a_sweep_says_how_to_go_on(text, whole):
    with pytest.raises(RunError, match=r"something here already.*or go on with 'handgrad sweep --resume"):
        begin(text, default_space(MODELS), OPTIONS, whole.folder)
