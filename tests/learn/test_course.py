"""The course is sound without the checker: what runs, what agrees with autograd, what does not."""

import ast
import tomllib
from collections import Counter
from pathlib import Path

import pytest
import torch
from torch.overrides import TorchFunctionMode

from handgrad.learn import source
from handgrad.learn.course import FOLDER, Course, CourseError, Exercise

COURSE = Course.load()
MISTAKES = tomllib.loads((Path(__file__).parent / "mistakes.toml").read_text())["mistake"]
SECOND_SEED = 2
LOOPS = [e for e in COURSE.exercises if e.training]
PLAIN = [e for e in COURSE.exercises if not e.training]


def name_of(case) -> str:
    return case.name if isinstance(case, Exercise) else f"{case['exercise']}: {case['wrong']}"


class AsDouble(TorchFunctionMode):
    """Every float tensor a program makes is a float64 one."""

    def __torch_function__(self, func, types, args=(), kwargs=None):
        out = func(*args, **(kwargs or {}))
        return out.double() if isinstance(out, torch.Tensor) and out.dtype == torch.float32 else out


def statements(text: str) -> list[str]:
    return [ast.unparse(node) for node in ast.parse(text).body]


def run(text: str) -> dict:
    names: dict = {}
    with AsDouble():
        exec(compile(text, "exercise", "exec"), names)
    return names


def by_autograd(exercise: Exercise, text: str) -> dict[str, torch.Tensor]:
    """The gradients of the given part, run with every named float tensor watched."""
    wanted = {name.removeprefix("d") for name in exercise.gradients}
    names: dict = {}
    kept = {}
    given = source.cut(text).before
    for statement in statements(given):
        with AsDouble():
            exec(statement, names)
        for name in wanted - set(kept):
            if isinstance(names.get(name), torch.Tensor) and not statement.startswith("dpicked"):
                tensor = names[name]
                if tensor.grad_fn is None:
                    names[name] = tensor = tensor.detach().requires_grad_()
                kept[name] = tensor
    found = torch.autograd.grad(names["loss"], list(kept.values()), allow_unused=True)
    return {f"d{name}": gradient for name, gradient in zip(kept, found, strict=True)}


def disagreements(exercise: Exercise, solution: str) -> list[str]:
    """The gradients that are not autograd's, for the sizes and seed in the file or for the others."""
    wrong = []
    for variant in (solution, source.resize(solution, exercise.sizes, SECOND_SEED)):
        reference = by_autograd(exercise, variant)
        try:
            ours = run(variant)
        except (RuntimeError, IndexError):
            return ["raises"]
        for name in exercise.gradients:
            want, got = reference[name], ours[name]
            scale = max(want.abs().max(), 1e-12)
            if got.shape != want.shape or (got - want).abs().max() > 1e-9 * scale + 1e-13:
                wrong.append(name)
        given = [n for n in ours if n.startswith("d") and n.removeprefix("d") in ours and n not in exercise.gradients]
        changed = [n for n in given if isinstance(ours[n], torch.Tensor) and "upstream" in ours
                   and n in fresh(variant) and not torch.equal(ours[n], fresh(variant)[n])]  # fmt: skip
        wrong += changed
    return wrong


def fresh(text: str) -> dict:
    return run(source.cut(text).before)


def test_the_course_is_complete():
    assert 40 <= len(COURSE.exercises) <= 50
    assert list(dict.fromkeys(e.chapter for e in COURSE.exercises)) == list(COURSE.chapters)
    for kind in ("exercises", "solutions"):
        assert sorted(p.relative_to(FOLDER / kind).as_posix() for p in (FOLDER / kind).rglob("*.py")) == sorted(
            e.file for e in COURSE.exercises
        )


@pytest.mark.parametrize("exercise", COURSE.exercises, ids=name_of)
def test_each_exercise_is_well_made(exercise):
    assert len(exercise.hints) == 3
    assert all(len(hint) > 20 for hint in exercise.hints)
    assert len(exercise.why) > 80
    assert 0 < exercise.time_limit <= 60
    assert len(set(exercise.sizes.values())) == len(exercise.sizes)
    assert "handgrad" not in exercise.text
    assert max(map(len, exercise.text.splitlines())) <= 112
    assert len(exercise.text.splitlines()) <= 75
    assert source.changed_line(exercise.solution, exercise.text, exercise.sizes) is None
    assert source.unwritten(exercise.text, exercise.gradients) == exercise.gradients
    assert source.unwritten(exercise.solution, exercise.gradients) == []
    assert source.not_by_hand(exercise.solution) is None


def test_the_last_exercise_of_each_chapter_is_short():
    last = {e.chapter: e for e in COURSE.exercises}
    for exercise in last.values():
        assert exercise.max_lines is not None, exercise.name
        assert source.code_lines(exercise.solution) <= exercise.max_lines


@pytest.mark.parametrize("exercise", COURSE.exercises, ids=name_of)
def test_the_first_hint_does_not_contain_the_answer(exercise):
    parts = source.cut(exercise.solution)
    hint = exercise.hints[0].replace(" ", "")
    for line in parts.answer.splitlines():
        _, _, value = line.partition(" = ")
        if len(value.replace(" ", "")) > 2:
            assert value.replace(" ", "") not in hint


@pytest.mark.parametrize("exercise", PLAIN, ids=name_of)
def test_each_exercise_runs_as_it_is(exercise):
    names = run(exercise.text)
    assert names["loss"].ndim == 0
    assert len({names[size] for size in exercise.sizes}) == len(exercise.sizes)
    assert all(names[name] is None for name in exercise.gradients)


@pytest.mark.parametrize("exercise", PLAIN, ids=name_of)
def test_each_solution_agrees_with_autograd(exercise):
    assert disagreements(exercise, exercise.solution) == []


@pytest.mark.parametrize("mistake", [m for m in MISTAKES if not COURSE.by_name[m["exercise"]].training], ids=name_of)
def test_each_mistake_does_not(mistake):
    exercise = COURSE.by_name[mistake["exercise"]]
    differs = bool(disagreements(exercise, planted(exercise, mistake)))
    assert differs != mistake.get("hidden", False)


def planted(exercise: Exercise, mistake: dict) -> str:
    parts = source.cut(exercise.solution)
    assert mistake["right"] in parts.answer
    return source.graft(exercise.solution, parts.answer.replace(mistake["right"], mistake["wrong"], 1))


def test_each_chapter_has_five_mistakes():
    counts = Counter(m["exercise"].partition("/")[0] for m in MISTAKES)
    assert {chapter: n for chapter in COURSE.chapters if (n := counts[chapter]) < 5} == {}


def test_an_exercise_is_found_by_what_one_would_type():
    name = "ch01_scalars/02_used_twice"
    for typed in (name, f"backprop/{name}.py", "02_used_twice", "used_twice"):
        assert COURSE.find(typed).name == name
    with pytest.raises(CourseError, match=r"Did you mean 02_used_twice\?"):
        COURSE.find("02_use_twice")
    with pytest.raises(CourseError, match="exercises have this in their names"):
        COURSE.find("softmax")
    with pytest.raises(CourseError, match="'handgrad learn list' shows them all"):
        COURSE.find("zzz")


def test_next_is_the_next_unsolved_one():
    first, second, *_, last = COURSE.by_name
    assert COURSE.after(first, set()).name == second
    assert COURSE.after(last, {second}).name == first
    assert COURSE.after(last, set(COURSE.by_name) - {last}) is None
