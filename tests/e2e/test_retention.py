"""[retention] max_size of a running agent whose destination is down: what is kept, what is served, what is said."""

import json
import os
import time

from harness import store
from harness.aws import eventually
from harness.client import call, converse_body, target
from harness.delivery import BEARER, Delivery

MAX_SIZE = 16 << 20
MOST = MAX_SIZE + MAX_SIZE // 20


def size(stack: Delivery) -> int:
    return sum(os.path.getsize(path) for path in (stack.agent.store, f"{stack.agent.store}-wal") if os.path.exists(path))


def noisy_call(stack: Delivery) -> int:
    """A call that takes about 100 KB of the store: hex of random bytes compresses to a half."""
    return call(stack.agent.url, target("converse"), converse_body(os.urandom(100_000).hex()), BEARER).status


def dead(stack: Delivery) -> None:
    stack.aws.fail("error", service="s3", status=500, code="InternalError", times=-1)


def retention(stack: Delivery) -> int:
    return len(stack.event_rows("retention"))


def storage(stack: Delivery) -> dict:
    return (json.loads(stack.invlog("status", "--json"))["agent"] or {}).get("storage", {})


def with_retention(**keys) -> dict:
    return {"logs": None, "more": {"retention": {"max_size": "16MiB", **keys}}}


def test_a_full_store_serves_on_says_so_and_recovers_when_delivery_does():
    with Delivery(on_storage_failure="pass", **with_retention()) as stack:
        dead(stack)
        deadline, sent = time.monotonic() + 40, 0
        while not storage(stack).get("failing"):
            assert time.monotonic() < deadline, f"{sent} calls did not fill the store: {size(stack)} bytes"
            for _ in range(10):
                assert noisy_call(stack) == 200
                sent += 1
            assert size(stack) <= MOST
        assert store.rows(stack.agent.store, "SELECT min(id) AS id FROM record")[0]["id"] == 1, "nothing undelivered went"
        for _ in range(5):
            assert noisy_call(stack) == 200, "the application does not notice"
        assert "max_size (16 MiB)" in storage(stack)["last_error"] and "s3 lacks" in storage(stack)["last_error"]
        assert "the store takes no records" in stack.agent.errors()
        text = stack.invlog("status")
        assert "FAILING: " in text and "of 16" in text, text
        assert json.loads(stack.invlog("status", "--json"))["store"]["max_bytes"] == MAX_SIZE
        assert retention(stack) == 0
        stack.aws.work()
        eventually(lambda: retention(stack) and not storage(stack)["failing"], 30)
        eventually(lambda: "the store takes records again" in stack.agent.errors())
        assert noisy_call(stack) == 200

        def all_arrived() -> bool:
            """Whatever was stored, also what is gone by now."""
            stored = store.rows(stack.agent.store, "SELECT max(id) AS id FROM record")[0]["id"]
            arrived = len({record["requestId"] for record in stack.aws.records()})
            assert arrived == stored, f"{arrived} of {stored} records arrived"
            return True
        eventually(all_arrived, 30)
        assert stack.destinations()["s3"]["taken_undelivered"] == 0
        store.prove(stack.agent.store)


def test_deny_refuses_calls_while_the_store_is_full():
    with Delivery(on_storage_failure="deny", **with_retention()) as stack:
        dead(stack)
        deadline, status = time.monotonic() + 40, 200
        while status == 200:
            assert time.monotonic() < deadline
            status = noisy_call(stack)
        assert status == 503
        stack.aws.work()
        eventually(lambda: noisy_call(stack) == 200, 30)


def test_a_full_store_does_not_keep_the_agent_from_ending_or_starting():
    with Delivery(on_storage_failure="pass", **with_retention()) as stack:
        dead(stack)
        deadline = time.monotonic() + 40
        while not storage(stack).get("failing"):
            assert time.monotonic() < deadline
            noisy_call(stack)
        stack.agent.kill()
        store.prove(stack.agent.store)
        stack.start_agent()
        assert noisy_call(stack) == 200
        started = time.monotonic()
        assert stack.agent.stop(10) == 0
        assert time.monotonic() - started < 10
        stack.start_agent()
        stack.aws.work()
        eventually(lambda: noisy_call(stack) == 200 and retention(stack), 30)
        store.prove(stack.agent.store)


def test_without_keep_undelivered_the_store_stays_under_its_size_also_over_kills():
    with Delivery(**with_retention(keep_undelivered=False)) as stack:
        dead(stack)
        for kill_after in (230, 25, 33, 41):
            for _ in range(kill_after):
                assert noisy_call(stack) == 200
                assert size(stack) <= MOST
            stack.agent.kill()
            store.prove(stack.agent.store)
            stack.start_agent()
        assert not storage(stack).get("failing")

        def taken_is_said() -> tuple[int, int]:
            """Retention may still go on, and the destination says what went at its next turn."""
            first, last = store.rows(stack.agent.store, "SELECT min(id) AS first, max(id) AS last FROM record")[0].values()
            s3 = stack.destinations()["s3"]
            assert s3["cursor"] == first - 1 == s3["taken_undelivered"] and s3["backlog_records"] == last - first + 1, (first, last, s3)
            assert f"{first - 1} records, which [retention] took" in stack.invlog("status")
            return first, last
        first, last = eventually(taken_is_said)
        assert first > 50 and last > 230, (first, last)
        stack.aws.work()
        eventually(lambda: stack.destinations()["s3"]["cursor"] == last, 30)
        assert len(stack.aws.records()) == last - first + 1
        store.prove(stack.agent.store)
