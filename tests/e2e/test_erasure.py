"""`invlog erase` beside an agent that goes on working, and what `invlog verify` says of it."""

import contextlib
import json
import os
import sqlite3
import threading

from harness import store
from harness.aws import BUCKET, GROUP, STREAM, eventually
from harness.client import call, converse_body, target
from harness.delivery import BEARER, Delivery

SIDE_BY_SIDE = True
SECRET = "planted-secret-4711 of Jane Doe"


def in_files(path) -> bool:
    return any(SECRET.encode() in open(name, "rb").read() for name in (path, f"{path}-wal", f"{path}-shm") if os.path.exists(name))


def backup(path, target_path) -> None:
    with contextlib.closing(sqlite3.connect(path)) as source, contextlib.closing(sqlite3.connect(target_path)) as copy:
        source.backup(copy)


def rename(path, name: str) -> None:
    with contextlib.closing(sqlite3.connect(path)) as changed, changed:
        changed.execute("UPDATE instance SET name = ?", (name,))


def in_bodies(path) -> list[int]:
    return [row["id"] for row in store.rows(path, "SELECT id, invlog_request(id) AS request, invlog_response(id) AS response FROM invocations", True)
            if SECRET.encode() in store.as_bytes(row["request"]) + store.as_bytes(row["response"])]


def test_bodies_go_while_the_agent_records():
    with Delivery(logs=None) as stack:
        for number in range(30):
            stack.call(f"turn {number} " + "word " * 200 + (SECRET if 10 <= number < 20 else ""))
        stack.arrived(30)
        path = stack.agent.store
        secret = in_bodies(path)
        assert len(secret) == 10, secret
        stop, statuses = threading.Event(), []

        def traffic():
            while not stop.is_set():
                statuses.append(call(stack.agent.url, target("converse"), converse_body("other words"), BEARER).status)

        thread = threading.Thread(target=traffic)
        thread.start()
        try:
            where = f"invlog_contains(id, '{SECRET}')"
            dry = json.loads(stack.invlog("erase", "--where", where, "--json"))
            assert dry["records"] == 10 and dry["erased"] is False and len(in_bodies(path)) == 10
            done = json.loads(stack.invlog("erase", "--where", where, "--reason", "request 17", "--yes", "--json"))
        finally:
            stop.set()
            thread.join()
        assert done["erased"] is True and done["records"] == 10 and done["log_emptied"] is True, done
        assert set(statuses) == {200}, "the application does not notice"
        assert in_bodies(path) == [] and not in_files(path)
        rows = store.rows(path, f"SELECT * FROM invocations WHERE id IN ({','.join(map(str, secret))})")
        assert all(row["request_bytes"] == row["response_bytes"] == 0 and row["input_tokens"] and row["outcome"] == "complete" for row in rows)
        store.prove(path)
        # What has left the host is named, and there.
        places = done["shipped"][0]["places"]
        assert places and {place.removeprefix("s3://records-eu/") for place in places} <= set(stack.aws.objects())
        event = json.loads(stack.event_rows("erased")[0]["details"])
        assert event["why"] == "request 17" and SECRET not in json.dumps(event), event
        assert event["shipped"][0]["places"] == places
        stack.agent.stop()
        store.prove(path)
        assert not in_files(path)


def test_an_agent_whose_lock_file_was_removed_goes_on_beside_an_erasure():
    with Delivery(logs=None) as stack:
        for number in range(10):
            stack.call(f"before {number}")
        stack.arrived(10)
        path = stack.agent.store
        os.unlink(f"{path}-lock")
        assert json.loads(stack.invlog("erase", "--where", "id = 2", "--yes", "--json"))["records"] == 1
        for number in range(10):
            stack.call(f"after {number}")
        stack.arrived(20)
        assert stack.event_rows("recovered") == [], "the agent ended its segment itself"
        store.prove(path)
        stack.agent.stop()
        store.prove(path)


def test_what_arrived_without_an_answer_is_named():
    with Delivery(s3=None) as stack:
        stack.aws.fail("close", operation="PutLogEvents", times=-1, commit=True)
        stack.call(SECRET)
        stack.arrived(1)
        done = json.loads(stack.invlog("erase", "--where", "id = 1", "--yes", "--json"))
        shipped = done["shipped"]
        assert [one["destination"] for one in shipped] == ["cloudwatch_logs"] and shipped[0]["under_way"] and shipped[0]["target"], shipped
        assert json.loads(stack.event_rows("erased")[0]["details"])["shipped"] == shipped


def named(stack: Delivery, record: int) -> dict[tuple[str, str], dict]:
    """What `erase` says of a record's whereabouts, by destination and target."""
    shipped = json.loads(stack.invlog("erase", "--where", f"id = {record}", "--json"))["shipped"]
    return {(one["destination"], one["target"]): one for one in shipped}


def test_records_are_named_where_they_went_before_a_destination_was_pointed_elsewhere():
    with Delivery() as stack:
        stack.aws.set(bucket={"name": "other-eu", "region": "eu-central-1"})
        stack.call("one")
        stack.arrived(1)
        eventually(lambda: all(one["cursor"] == 1 for one in stack.destinations().values()) and len(stack.destinations()) == 2)
        former = named(stack, 1)
        assert {target for _, target in former} == {f"s3://{BUCKET} at {stack.aws.url}", f"{GROUP} {STREAM}"}, former
        stack.restart_agent(tables=stack.tables({"bucket": "other-eu"}, {"log_group": "/other/group", "log_stream": "s2"}))
        stack.call("two")
        eventually(lambda: all(one["cursor"] == 2 for one in stack.destinations().values()))
        assert named(stack, 1) == former
        assert {target for _, target in named(stack, 2)} == {f"s3://other-eu at {stack.aws.url}", "/other/group s2"}
        stack.invlog("erase", "--where", "id = 1", "--yes")
        assert json.loads(stack.event_rows("erased")[0]["details"])["shipped"] == list(former.values())
        report = json.loads(stack.invlog("report", "--format", "json"))
        places = {place["target"]: place for one in report["deliveries"] for place in one["places"]}
        assert {target: place["records"] for target, place in places.items()} == {
            f"s3://{BUCKET} at {stack.aws.url}": [[1, 1]], f"s3://other-eu at {stack.aws.url}": [[2, 2]],
            f"{GROUP} {STREAM}": [[1, 1]], "/other/group s2": [[2, 2]]}
        assert not any(place["under_way"] for place in places.values())
        assert "/other/group s2" in stack.invlog("report") and f"{GROUP} {STREAM}" in stack.invlog("report")


def test_a_batch_that_may_have_arrived_is_named_although_its_bucket_was_given_up():
    with Delivery(logs=None) as stack:
        stack.aws.set(bucket={"name": "other-eu", "region": "eu-central-1"})
        stack.aws.fail("close", service="s3", operation="PutObject", commit=True, times=-1)
        stack.call("one")
        eventually(lambda: stack.aws.objects())
        former = f"s3://{BUCKET} at {stack.aws.url}"
        eventually(lambda: ("s3", former) in named(stack, 1))
        stack.agent.stop()
        stack.aws.work()
        stack.agent_options["tables"] = stack.tables({"bucket": "other-eu"}, None)
        stack.start_agent()
        eventually(lambda: stack.destinations()["s3"]["cursor"] == 1)
        found = named(stack, 1)
        assert {target for _, target in found} == {former, f"s3://other-eu at {stack.aws.url}"}, found
        assert found["s3", former]["under_way"] and not found["s3", f"s3://other-eu at {stack.aws.url}"].get("under_way")


def test_what_never_left_is_not_named():
    with Delivery(s3=None, logs=None) as stack:
        stack.call("before")
        store.wait_for(stack.agent.store, 1)
        stack.restart_agent(tables=stack.tables({"start": "now"}, {"start": "now"}))
        eventually(lambda: all(one["begun"] for one in stack.destinations().values()))
        stack.call("after")
        eventually(lambda: all(one["cursor"] == 2 for one in stack.destinations().values()))
        assert named(stack, 1) == {} and len(named(stack, 2)) == 2
        stack.aws.fail("reject", service="logs", operation="PutLogEvents", too_old=1)
        stack.call("refused")
        eventually(lambda: all(one["cursor"] == 3 for one in stack.destinations().values()))
        assert [destination for destination, _ in named(stack, 3)] == ["s3"]
        stack.invlog("dead-letters", "drop", "1")
        assert [destination for destination, _ in named(stack, 3)] == ["s3"]


def test_an_erasure_between_two_attempts_does_not_stop_a_bucket_that_takes_each_name_once():
    with Delivery(logs=None, s3={"if_none_match": True}) as stack:
        stack.aws.fail("close", service="s3", operation="PutObject", commit=True, times=-1)
        stack.call(SECRET)
        eventually(lambda: stack.aws.objects())
        stack.agent.kill()
        stack.invlog("erase", "--where", "id = 1", "--yes")
        key = next(iter(stack.aws.objects()))
        stack.aws.work()
        stack.start_agent()
        stack.call("two")
        eventually(lambda: stack.destinations()["s3"]["cursor"] == 2, 40)
        assert stack.destinations()["s3"]["dead_letters"] == 0
        with contextlib.closing(sqlite3.connect(stack.agent.store)) as connection:
            assert (f"s3://{BUCKET}/{key}", 1, 1) in connection.execute("SELECT place, first, last FROM delivered_object").fetchall()


def test_what_was_not_shipped_yet_is_shipped_without_its_body():
    with Delivery(logs=None, s3={"batch_age": "6s"}) as stack:
        stack.call("one", SECRET, "three")
        store.wait_for(stack.agent.store, 3)
        done = json.loads(stack.invlog("erase", "--where", "id = 2", "--yes", "--json"))
        assert done["records"] == 1 and done["shipped"] == [], done
        stack.check_arrived(3)
        assert not any(SECRET in json.dumps(record) for record in stack.aws.records())


def test_a_store_that_was_put_back_shows_against_a_head_kept_elsewhere():
    with Delivery(logs=None) as stack:
        path = stack.agent.store
        stack.call("one", "two")
        store.wait_for(path, 2)
        stack.agent.stop()
        old = stack.aws_folder / "old.db"
        backup(path, old)
        stack.start_agent()
        stack.call("three")
        store.wait_for(path, 3)
        stack.agent.stop()
        verified = json.loads(store.invlog("verify", "--store", path, "--json"))
        head = f"{verified['chain_segment']}:{verified['chain_head']}"
        assert json.loads(store.invlog("verify", "--store", path, "--head", head, "--json"))["heads_confirmed"] == 1
        store.invlog("verify", "--store", old)  # by itself it is whole
        assert "rolled back" in store.invlog("verify", "--store", old, "--head", head, code=1)


def deliver_in_segments(stack: Delivery, first: int, last: int) -> None:
    """A call for each of these, each in a segment of its own. The agent is stopped then."""
    for count in range(first, last + 1):
        stack.call(str(count))
        stack.arrived(count)
        stack.agent.stop()
        if count < last:
            stack.start_agent()


def test_heads_that_do_not_arrive_are_told_and_are_no_alarm():
    integrity = STREAM + "/integrity"
    with Delivery(s3=None, logs=None) as stack:
        for operation, stream in (("CreateLogGroup", {}), ("CreateLogStream", {"logStreamName": STREAM})):
            assert stack.aws.call_logs(operation, {"logGroupName": GROUP, **stream}).status == 200
        stack.restart_agent(tables=stack.tables(None, {"create": False}))
        deliver_in_segments(stack, 1, 3)
        assert "nothing was compared" in stack.invlog("verify", "--delivered")
        assert f"warning  logs:PutLogEvents on {GROUP} {integrity}: " in stack.invlog("doctor")
        assert stack.aws.call_logs("CreateLogStream", {"logGroupName": GROUP, "logStreamName": integrity}).status == 200
        assert f"ok       logs:PutLogEvents on {GROUP} {integrity}: " in stack.invlog("doctor")
        stack.start_agent()
        deliver_in_segments(stack, 4, 4)
        whole = json.loads(stack.invlog("verify", "--delivered", "--json"))
        assert whole["heads_confirmed"] == 1 and not whole["notes"], whole


def test_another_prefix_has_no_heads_yet_and_that_is_no_alarm():
    with Delivery(logs=None) as stack:
        deliver_in_segments(stack, 1, 3)
        assert json.loads(stack.invlog("verify", "--delivered", "--json"))["heads_confirmed"] == 2
        stack.agent_options["tables"]["exporters.s3"]["prefix"] = "new"
        stack.write_configuration()
        assert "nothing was compared" in stack.invlog("verify", "--delivered")


def test_a_store_that_was_put_back_shows_against_what_was_delivered():
    with Delivery() as stack:
        path = stack.agent.store
        stack.call("one", "two")
        stack.arrived(2)
        stack.agent.stop()  # which closes the segment
        old = stack.aws_folder / "old.db"
        backup(path, old)
        for text in ("three", "four"):
            stack.start_agent()
            stack.call(text)
            stack.arrived({"three": 3, "four": 4}[text])
            stack.agent.stop()
        whole = json.loads(stack.invlog("verify", "--delivered", "--json"))
        assert whole["whole"] and whole["heads_confirmed"] == 4, whole
        assert {one["destination"]: one["chain_segment"] for one in whole["delivered"]} == {"s3": 2, "cloudwatch_logs": 2}, whole
        for suffix in ("-wal", "-shm"):
            path.with_name(path.name + suffix).unlink(missing_ok=True)
        os.replace(old, path)
        stack.invlog("verify")  # by itself it is whole
        said = stack.invlog("verify", "--delivered", code=1)
        assert said.count("rolled back") == 2 and "s3://" in said and "/integrity" in said, said
        name = store.rows(path, "SELECT name FROM instance")[0]["name"]
        rename(path, "0" * 32)  # under which no destination keeps a head
        said = stack.invlog("verify", "--delivered", code=1)
        assert f"event 1 says as {name}" in said and "rolled back" not in said, said
        rename(path, name)
        for count, text in enumerate(("five", "six", "seven"), 5):  # and goes on, past where it was
            stack.start_agent()
            stack.call(text)
            stack.arrived(count)
            stack.agent.stop()
        said = stack.invlog("verify", "--delivered", code=1)
        assert said.count("rolled back and went on") >= 2 and "s3://" in said and "/integrity" in said, said
        stack.aws.kill()
        assert "is whole" in stack.invlog("verify", "--delivered", code=1) and "s3" in stack.said, stack.said
