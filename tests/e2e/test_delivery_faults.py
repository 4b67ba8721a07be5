"""Nothing is lost on the way: faults of the service and the network, kill -9, poison, destinations that are down."""

import collections
import concurrent.futures
import json
import os
import pathlib
import random
import shutil
import signal
import subprocess
import tempfile
import time

from harness import store
from harness.aws import FakeAws, eventually
from harness.client import call, converse_body, target
from harness.delivery import BEARER, Delivery, record_id, same, to_logs, to_s3
from harness.processes import BUILD, SIGNING, configuration

SIDE_BY_SIDE = True
SEEDS = int(os.environ.get("INVLOG_DELIVERY_SEEDS", "20"))


def dead_letters(stack: Delivery) -> list[dict]:
    return [json.loads(line) for line in stack.invlog("dead-letters", "list", "--json").splitlines()]


def in_flight(stack: Delivery) -> None:
    """A batch is at both destinations, unanswered."""
    for operation in ("PutObject", "PutLogEvents"):
        eventually(lambda: [line for line in stack.aws.calls(operation=operation) if line["fault"] == "hang"])


def test_kill_with_a_batch_in_flight_delivers_it_once_to_s3_and_at_least_once_to_logs():
    for commit in (True, False):
        with Delivery(s3={"compression": "gzip"}) as stack:
            stack.call("before")
            stack.check_arrived(1)
            for operation in ("PutObject", "PutLogEvents"):
                stack.aws.fail("hang", operation=operation, commit=commit)
            stack.call(*[f"in flight {number} " + "word " * 300 for number in range(10)])
            in_flight(stack)
            stack.call("not in the batch")
            store.wait_for(stack.agent.store, 12)
            stack.agent.kill()
            stack.aws.work()
            # Whatever the configuration says by now: the batch that may have arrived is sent again as the same object.
            stack.agent_options["tables"]["exporters.s3"].update(batch_size="10kB", compression="none")
            stack.start_agent()
            stack.check_arrived(12)
            again = [key for key, versions in stack.aws.objects().items() if len(versions) > 1]
            assert len(again) == int(commit), again
            store.prove(stack.agent.store)


def test_a_batch_in_flight_arrives_once_although_the_bucket_gets_another_endpoint():
    with Delivery(logs=None) as stack:
        stack.aws.fail("close", service="s3", operation="PutObject", commit=True, times=-1)
        stack.call("one")
        eventually(lambda: stack.aws.objects())
        stack.call("two")
        store.wait_for(stack.agent.store, 2)
        stack.agent.stop()
        stack.aws.work()
        stack.agent_options["tables"]["exporters.s3"]["endpoint"] = stack.aws.url.replace("127.0.0.1", "localhost")
        stack.start_agent()
        stack.check_arrived(2)


def test_a_host_without_a_usable_libcurl_records_and_delivers_once_it_has_one():
    with tempfile.TemporaryDirectory() as folder:
        unusable = pathlib.Path(folder, "libcurl.so.4")
        unusable.touch()
        with Delivery(logs=None, preload={"LD_LIBRARY_PATH": folder}) as stack:
            stack.call("one", "two")
            error = eventually(lambda: stack.destinations()["s3"]["last_error"])
            assert f"libcurl cannot be used: {unusable}: file too short: install it" in error, error
            unusable.unlink()
            stack.check_arrived(2)


def test_libcurl_is_loaded_by_the_first_call_of_our_own():
    for delivers, s3 in ((False, None), (True, {})):
        with Delivery(s3=s3, logs=None, credentials=SIGNING) as stack:
            stack.call("one")
            if delivers:
                stack.check_arrived(1)
            mapped = pathlib.Path(f"/proc/{stack.agent.child.pid}/maps").read_text()
            assert ("libcurl" in mapped) == delivers, mapped


def test_sigterm_ends_the_agent_in_time_while_a_destination_hangs():
    with Delivery() as stack:
        for operation in ("PutObject", "PutLogEvents"):
            stack.aws.fail("hang", operation=operation, commit=True)
        stack.call("one", "two")
        in_flight(stack)
        started = time.monotonic()
        assert stack.agent.stop(10) == 0
        assert time.monotonic() - started < 10
        stack.aws.work()
        stack.start_agent()
        stack.check_arrived(2)


def test_sigterm_loses_nothing_under_load():
    with Delivery() as stack:
        for number in range(3):
            stack.call(*[f"round {number} call {index}" for index in range(20)])
            assert stack.agent.stop(10) == 0
            stack.start_agent()
        stack.check_arrived(60)
        assert len(stack.aws.lines()) == 60, "an orderly end sends nothing twice"


def test_capture_does_not_notice_that_every_destination_is_down():
    with Delivery() as stack:
        stack.agent.stop()
        stack.aws.fail("hang", service="s3", times=-1)
        stack.aws.fail("reset", service="logs", times=-1)
        stack.start_agent()
        started = time.monotonic()
        stack.call(*[f"call {number}" for number in range(300)])
        # A call that waits for a destination would wait for seconds; how fast calls are is `make bench`'s matter.
        assert time.monotonic() - started < 20
        store.wait_for(stack.agent.store, 300)
        attempts = len(stack.aws.calls("logs"))
        time.sleep(2)
        assert len(stack.aws.calls("logs")) - attempts < 25, "a busy loop"
        store.prove(stack.agent.store)
        stack.aws.work()
        stack.restart_agent()
        stack.check_arrived(300)


def test_throttling_slows_down_and_retry_after_is_honoured():
    with Delivery(logs=None) as stack:
        stack.aws.fail("throttle", operation="PutObject", times=1, retry_after="3")
        stack.call("one")
        stack.check_arrived(1)
        first, second = [line["time"] for line in stack.aws.calls("s3", "PutObject")][:2]
        assert 2.9 < second - first < 20, f"{second - first:.1f} s"
    with Delivery(s3=None) as stack:
        stack.aws.fail("throttle", operation="PutLogEvents", times=2)
        stack.call("one")
        stack.check_arrived(1)
        times = [line["time"] for line in stack.aws.calls("logs", "PutLogEvents")]
        assert len(times) == 3 and times[1] - times[0] > 0.2, times


def test_each_fault_passes_and_nothing_is_lost():
    faults = [("error", {"status": 500}), ("error", {"status": 503}), ("error", {"status": 500, "commit": True}), ("html", {"status": 502}),
              ("html", {"status": 200}),
              ("throttle", {}), ("reset", {}), ("reset", {"commit": True}), ("close", {}), ("close", {"commit": True}), ("half_close", {}),
              ("half_close", {"commit": True}), ("cut", {}), ("garbage", {}), ("garbage", {"commit": True}), ("slow", {"seconds": 1})]
    with Delivery() as stack:
        for number, (kind, how) in enumerate(faults, 1):
            stack.aws.fail(kind, operation="PutObject", **how)
            stack.aws.fail(kind, operation="PutLogEvents", **how)
            stack.call(f"{kind} {how}")
            stack.arrived(number)
        stack.check_arrived(len(faults), 30)
        assert not store.rows(stack.agent.store, "SELECT * FROM event WHERE kind = 'dead-letter'")


def test_poison_becomes_a_dead_letter_and_the_rest_goes_on():
    with Delivery(logs={"batch_age": "1s"}) as stack:
        stack.aws.fail("error", operation="PutLogEvents", status=400, code="InvalidParameterException", message="not this one", body="arsenic", times=-1)
        stack.call("one", "two", "three arsenic", "four", "five", "six arsenic")
        eventually(lambda: len(stack.aws.lines()) == 4 and stack.destinations()["cloudwatch_logs"]["dead_letters"] == 2)
        poisoned = {row["id"]: row["request_id"] for row in store.rows(stack.agent.store) if row["id"] in (3, 6)}
        assert not set(poisoned.values()) & set(map(record_id, stack.aws.lines()))
        state = eventually(lambda: (found := stack.destinations()) and found["s3"]["cursor"] == 6 and found)
        assert state["cloudwatch_logs"]["cursor"] == 6 and state["s3"]["dead_letters"] == 0
        letters = dead_letters(stack)
        assert {(letter["destination"], letter["record"]) for letter in letters} == {("cloudwatch_logs", 3), ("cloudwatch_logs", 6)}
        assert all("not this one" in letter["reason"] for letter in letters), letters
        assert len(stack.event_rows("dead-letter")) == 2
        listed = stack.invlog("dead-letters", "list")
        assert "not this one" in listed and "cloudwatch_logs" in listed, listed
        first, second = (next(letter["id"] for letter in letters if letter["record"] == number) for number in (3, 6))
        shown = stack.invlog("dead-letters", "show", first)
        assert poisoned[3] in shown and "not this one" in shown, shown
        # Another attempt, still refused; then the cause is gone; the other is dropped.
        stack.invlog("dead-letters", "retry", first)
        stack.ship()
        assert stack.destinations()["cloudwatch_logs"]["dead_letters"] == 2
        stack.aws.work()
        first = next(letter["id"] for letter in dead_letters(stack) if letter["record"] == 3)
        stack.invlog("dead-letters", "retry", first)
        eventually(lambda: poisoned[3] in map(record_id, stack.aws.lines()))
        eventually(lambda: stack.destinations()["cloudwatch_logs"]["dead_letters"] == 1)
        stack.invlog("dead-letters", "drop", second)
        assert stack.destinations()["cloudwatch_logs"]["dead_letters"] == 0
        assert stack.invlog("dead-letters", "show", "99999", code=1) == "" and "99999" in stack.said
        same(stack.aws.records(), stack.exported())
        store.prove(stack.agent.store)


def test_where_every_record_is_refused_none_is_given_up():
    """Nor by one process after the other, as from cron: it is not the records."""
    with Delivery(s3=None, logs={"batch_age": "1s"}) as stack:
        stack.agent.stop()
        stack.aws.fail("error", operation="PutLogEvents", status=400, code="InvalidParameterException", message="not this group", times=-1)
        stack.start_agent()
        stack.call("one", "two", "three", "four")
        eventually(lambda: "configuration is suspected" in (stack.destinations()["cloudwatch_logs"]["last_error"] or ""))
        for _ in range(3):
            stack.ship(code=1)
        assert stack.destinations()["cloudwatch_logs"]["dead_letters"] == 0
        stack.aws.work()
        stack.ship()
        stack.check_arrived(4)


def test_a_bucket_that_takes_nothing_keeps_the_records_waiting():
    """S3 does not look into objects: what it refuses is how they come, so no record is given up for that."""
    with Delivery(logs=None) as stack:
        stack.aws.fail("error", operation="PutObject", status=400, code="InvalidStorageClass", message="not here", times=-1)
        stack.call("one", "two")
        error = eventually(lambda: stack.destinations()["s3"]["last_error"])
        assert "InvalidStorageClass" in error and "configuration" in error, error
        stack.ship(code=1)
        assert "InvalidStorageClass" in stack.said, stack.said
        assert stack.destinations()["s3"]["backlog_records"] == 2 and not dead_letters(stack)
        stack.aws.work()
        stack.ship()
        stack.check_arrived(2)


def test_rejected_events_become_dead_letters_with_the_reason():
    with Delivery(s3=None, logs={"batch_age": "1s"}) as stack:
        stack.aws.fail("reject", operation="PutLogEvents", too_old=3)
        stack.call(*[f"call {number}" for number in range(5)])
        eventually(lambda: len(stack.aws.lines()) == 2)
        letters = eventually(lambda: (found := dead_letters(stack)) and len(found) == 3 and found)
        reasons = {letter["record"]: letter["reason"] for letter in letters}
        assert set(reasons) == {1, 2, 3} and "old" in reasons[1], reasons
        stack.call("and on it goes")
        eventually(lambda: len(stack.aws.lines()) == 3)
        stack.invlog("dead-letters", "retry", "--all")
        eventually(lambda: len(stack.aws.lines()) == 6)
        same(stack.aws.lines(), stack.exported())


def test_a_host_whose_clock_is_hours_ahead_waits_and_says_so():
    with Delivery(s3=None, logs={"batch_age": "1s"}) as stack:
        stack.aws.set(clock_offset=-3 * 3600)
        stack.call("one", "two", "three")
        eventually(lambda: "ahead of the service's clock" in (stack.destinations()["cloudwatch_logs"]["last_error"] or ""))
        state = stack.destinations()["cloudwatch_logs"]
        assert (state["backlog_records"], state["dead_letters"], state["last_success_at"]) == (3, 0, None) and not stack.aws.lines(), state
        stack.aws.set(clock_offset=-3600)  # two hours later
        stack.call("four")
        stack.arrived(4, 70)
        assert not dead_letters(stack)


def test_a_proxy_that_answers_in_the_place_of_the_service_makes_no_dead_letter():
    with Delivery(s3=None, logs={"batch_age": "1s"}) as stack:
        stack.aws.fail("html", service="logs", operation="PutLogEvents", status=400, times=5)
        stack.call("one", "two", "three")
        stack.arrived(3, 40)
        assert not dead_letters(stack) and not store.rows(stack.agent.store, "SELECT * FROM event WHERE kind = 'dead-letter'")


def test_records_that_are_too_old_for_logs_go_to_s3_and_are_accounted_for():
    """The service's clock is 20 days ahead: to it the records are 20 days old."""
    with Delivery(s3=None, logs=None) as stack:
        stack.call("one", "two")
        store.wait_for(stack.agent.store, 2)
        stack.aws.set(clock_offset=20 * 86_400)
        stack.restart_agent(tables=stack.tables({}, {}))
        eventually(lambda: len(stack.aws.records()) == 2)
        eventually(lambda: stack.destinations()["cloudwatch_logs"]["dead_letters"] == 2)
        assert not stack.aws.lines()


def seeded_run(number: int, master: Delivery, folder) -> str:
    """Drains a copy of the store against one seed's faults, with kill -9 among them; what is wrong, "" if nothing is."""
    fates = random.Random(number)
    folder.mkdir()
    state = folder / "state"
    shutil.copytree(master.agent.state, state)
    aws = FakeAws(folder, name=f"aws-{number}")
    file = folder / "invlog.toml"
    file.write_text(configuration({
        "agent": {"region": "eu-central-1", "state_dir": str(state), "account_id": "123456789012"},
        "exporters.s3": to_s3(aws.url, batch_size=fates.choice(("20kB", "60kB", "5MB")), compression=fates.choice(("gzip", "none"))),
        "exporters.cloudwatch_logs": to_logs(aws.url, batch_size=fates.choice(("40kB", "1MiB")))}))
    aws.seed(number, fates.choice((0.1, 0.3)), limit=8)
    kills = 0
    for attempt in range(30):
        process = subprocess.Popen([BUILD / "invlog", "ship", "--once", "--timeout", "60s", "--config", file], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
                                   env={**master.agent.environment, "AWS_ENDPOINT_URL_STS": aws.url})
        try:
            _, said = process.communicate(timeout=fates.random() * 1.5 if kills < 3 else 40)
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
            process.communicate()
            kills += 1
            continue
        if process.returncode == 0:
            break
    else:
        return f"seed {number}: not drained; {said.decode()[-500:]}"
    expected = master.exported()
    problems = []
    found = collections.Counter(map(record_id, aws.records()))
    if found != collections.Counter(map(record_id, expected)):
        problems.append(f"S3 has {sum(found.values())} records of {len(found)} of {len(expected)}")
    if set(map(record_id, aws.lines())) != set(map(record_id, expected)):
        problems.append(f"CloudWatch Logs has {len(set(map(record_id, aws.lines())))} of {len(expected)}")
    if letters := store.rows(state / "eu-central-1.db", "SELECT * FROM event WHERE kind = 'dead-letter'"):
        problems.append(f"{len(letters)} dead letters")
    aws.kill()
    shutil.rmtree(folder)
    return f"seed {number}: {'; '.join(problems)}" if problems else ""


def test_seeds_of_faults_with_kills_among_them_lose_nothing():
    with Delivery(s3=None, logs=None) as stack:
        noise = random.Random(1)
        stack.call(*["".join(noise.choices("abcdefghij klmnop", k=noise.choice((100, 3_000, 20_000)))) for _ in range(39)], "big " * 40_000)
        store.wait_for(stack.agent.store, 40)
        stack.agent.stop()
        with concurrent.futures.ThreadPoolExecutor(4) as pool:
            problems = list(filter(None, pool.map(lambda number: seeded_run(number, stack, stack.folder / f"seed-{number}"), range(SEEDS))))
        assert not problems, "\n".join(problems)
        stack.start_agent()


def test_an_agent_under_load_and_faults_and_kills_delivers_everything():
    moments = random.Random(5)
    with Delivery() as stack:
        def records() -> int:
            return store.rows(stack.agent.store, "SELECT count(*) AS n FROM record")[0]["n"]

        stack.aws.seed(3, 0.2, limit=40)
        for _ in range(6):
            for _ in range(moments.randrange(5, 30)):
                call(stack.agent.url, target("converse"), converse_body("word " * moments.randrange(10, 2_000)), BEARER)
            time.sleep(moments.random() * 0.5)
            committed = records()
            stack.agent.kill()
            stack.start_agent()
            assert records() >= committed
        stack.aws.work()
        count = records()
        assert count > 0
        stack.check_arrived(count, 40)
        store.prove(stack.agent.store)
