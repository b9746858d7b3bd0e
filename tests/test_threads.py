"""Work shared among threads: results in order, errors and Ctrl-C at once."""

import threading
import time

import pytest

from handgrad.errors import ConfigError
from handgrad.threads import n_threads, share


@pytest.mark.parametrize("threads", ["1", "3", "8"])
def test_results_come_in_the_order_of_the_parts(monkeypatch, threads):
    monkeypatch.setenv("HANDGRAD_THREADS", threads)

    def later_if_earlier(number):
        time.sleep((5 - number) / 1000)
        return number * 10

    assert share(range(5), lambda: later_if_earlier) == [0, 10, 20, 30, 40]
    assert share([], lambda: later_if_earlier) == []


def test_each_thread_has_what_was_begun_for_it_and_all_work_at_the_same_time(monkeypatch):
    monkeypatch.setenv("HANDGRAD_THREADS", "3")
    together, users = threading.Barrier(3, timeout=30), []

    def begin():
        own = []
        users.append(own)

        def work(_):
            own.append(threading.current_thread())
            return together.wait()

        return work

    assert sorted(share(range(6), begin)) == [0, 0, 1, 1, 2, 2]
    assert len(users) == len({thread for own in users for thread in own}) == 3
    assert [len(set(own)) for own in users] == [1, 1, 1]


@pytest.mark.parametrize("threads", ["1", "3"])
@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_an_error_ends_the_work(monkeypatch, threads, error):
    monkeypatch.setenv("HANDGRAD_THREADS", threads)
    done = []

    def fail(number):
        done.append(number)
        if number == 1:
            raise error("here")
        time.sleep(0.01)

    with pytest.raises(error, match="here"):
        share(range(1000), lambda: fail)
    assert len(done) < 20


@pytest.mark.parametrize("word", ["0", "-1", "two", "1.5", "1025"])
def test_a_number_of_threads_that_is_none(monkeypatch, word):
    monkeypatch.setenv("HANDGRAD_THREADS", word)
    with pytest.raises(ConfigError, match="no number of threads"):
        n_threads()


def test_without_a_wish_there_is_at_least_one(monkeypatch):
    monkeypatch.delenv("HANDGRAD_THREADS", raising=False)
    assert n_threads() >= 1
