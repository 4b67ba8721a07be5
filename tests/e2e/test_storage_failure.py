"""A store that does not take records: another process holds its write lock. What configuration says is done, and what
could be kept is there afterwards."""

import sqlite3
import threading
import time
from contextlib import contextmanager

from harness import store
from harness.client import converse
from harness.processes import Stack


@contextmanager
def locked(path):
    connection = sqlite3.connect(path, isolation_level=None, timeout=10)
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
    finally:
        connection.execute("ROLLBACK")
        connection.close()


def first_call(stack: Stack) -> None:
    assert converse(stack.agent.url, "first").status == 200
    store.wait_for(stack.agent.store, 1)


def test_pass_goes_on_serving_and_keeps_what_the_queue_holds():
    with Stack(on_storage_failure="pass") as stack:
        first_call(stack)
        with locked(stack.agent.store):
            for number in range(20):
                assert converse(stack.agent.url, f"while locked {number}").status == 200
        store.wait_for(stack.agent.store, 21, seconds=20)
        store.prove(stack.agent.store)


def test_deny_refuses_with_503_until_the_store_works_again():
    with Stack(on_storage_failure="deny") as stack:
        first_call(stack)
        with locked(stack.agent.store):
            deadline, statuses = time.monotonic() + 15, []
            while 503 not in statuses and time.monotonic() < deadline:
                statuses.append(converse(stack.agent.url, "while locked").status)
                time.sleep(0.1)
            assert statuses[-1] == 503, statuses
        deadline = time.monotonic() + 15
        while converse(stack.agent.url, "again").status != 200:
            assert time.monotonic() < deadline, "the agent denies although the store works"
            time.sleep(0.2)
        store.wait_for_count(stack.agent.store, 3, seconds=10)
        store.prove(stack.agent.store)


def test_overload_with_pass_counts_what_it_does_not_keep():
    with Stack(on_overload="pass", queue_size="64KiB") as stack:
        first_call(stack)
        sent = 30
        with locked(stack.agent.store):
            for number in range(sent):
                assert converse(stack.agent.url, f"{number} " + "large " * 2000).status == 200
        deadline, events = time.monotonic() + 20, []
        while not events and time.monotonic() < deadline:
            events = store.rows(stack.agent.store, "SELECT kind, count FROM event WHERE count > 0 AND kind <> 'started'")
            time.sleep(0.05)
        kept = store.rows(stack.agent.store, "SELECT count(*) AS n FROM record")[0]["n"] - 1
        dropped = sum(event["count"] for event in events)
        assert dropped > 0 and kept + dropped == sent, f"{kept} kept and {dropped} counted as dropped of {sent}: {events}"
        store.prove(stack.agent.store)


def test_overload_with_block_waits_and_keeps_everything():
    with Stack(on_overload="block", queue_size="64KiB") as stack:
        first_call(stack)
        statuses: list[int] = []

        def calls() -> None:
            for number in range(10):
                statuses.append(converse(stack.agent.url, f"{number} " + "large " * 2000).status)

        threads = [threading.Thread(target=calls) for _ in range(3)]
        with locked(stack.agent.store):
            for thread in threads:
                thread.start()
            time.sleep(1)
        for thread in threads:
            thread.join()
        assert statuses == [200] * 30
        store.wait_for(stack.agent.store, 31, seconds=10)
