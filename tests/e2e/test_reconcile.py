"""`invlog reconcile`: an agent's records against CloudTrail's files, in a folder and in a bucket."""

import datetime
import gzip
import json
import sqlite3
import uuid

from harness import store
from harness.aws import BUCKET
from harness.client import call
from harness.delivery import Delivery
from harness.signing import sign

SIDE_BY_SIDE = True
NONE = {"s3": None, "logs": None}


def event(request_id: str, when: str, region: str = "", **more) -> dict:
    return {"eventVersion": "1.11", "userIdentity": {"type": "AssumedRole", "arn": "arn:aws:sts::123456789012:assumed-role/app/i-1",
                                                     "accountId": "123456789012"},
            "eventTime": when, "eventSource": "bedrock.amazonaws.com", "eventName": "Converse", "awsRegion": "eu-central-1",
            "sourceIPAddress": "198.51.100.7", "requestParameters": {"modelId": "eu.amazon.nova-2-lite-v1:0"}, "responseElements": None,
            "requestID": request_id, "eventID": str(uuid.uuid5(uuid.NAMESPACE_OID, request_id)), "recipientAccountId": "123456789012",
            **({"additionalEventData": {"inferenceRegion": region}} if region else {}), **more}


def events_of(stack: Delivery) -> list[dict]:
    """One for each record: processed in eu-west-1."""
    return [event(row["request_id"], row["started_at"][:19] + "Z", "eu-west-1") for row in store.rows(stack.agent.store)]


def later(hours: float) -> str:
    return (datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(hours=hours)).strftime("%Y-%m-%dT%H:%M:%SZ")


def written(path) -> list:
    return [store.rows(path, sql) for sql in ("SELECT * FROM trail", "SELECT * FROM unseen_call", "SELECT id, source, since, until, events, "
                                              "matched, unseen, missing, outside FROM reconciliation", "SELECT * FROM event")]


def test_a_folder_fills_in_regions_finds_what_is_missing_and_changes_nothing_again():
    with Delivery(**NONE) as stack:
        stack.call("one", "two", "three", "four")
        store.wait_for(stack.agent.store, 4)
        known = events_of(stack)
        trail = stack.folder / "trail"
        trail.mkdir()
        (trail / "a.json.gz").write_bytes(gzip.compress(json.dumps({"Records": known[:2]}).encode()))
        # The newest event, of another service, is two hours ahead: what has no event by then, will have none.
        other = event("x", later(2), eventSource="s3.amazonaws.com", eventName="PutObject")
        (trail / "b.json").write_text(json.dumps({"Records": [known[2], event("past-the-agent", known[0]["eventTime"]), other]}))
        (trail / "c.json.gz").write_bytes(gzip.compress(json.dumps({"Records": known}).encode())[:60])
        found = json.loads(stack.invlog("reconcile", "--cloudtrail", trail, "--json", code=1))
        assert "c.json.gz" in stack.said and "ends in the middle" in stack.said
        assert {name: found[name] for name in ("events", "matched", "unseen", "missing", "not_yet", "outside")} == {
            "events": 4, "matched": 3, "unseen": 1, "missing": 1, "not_yet": 0, "outside": 0}
        assert found["missing_records"][0]["request_id"] == known[3]["requestID"]
        assert found["unseen_calls"][0]["source_address"] == "198.51.100.7"
        regions = [row["inference_region"] for row in store.rows(stack.agent.store)]
        assert regions == ["eu-west-1", "eu-west-1", "eu-west-1", None]
        assert store.record(stack.agent.store, 1)["inferenceRegion"] == "eu-west-1"
        before = written(stack.agent.store)
        stack.invlog("reconcile", "--cloudtrail", trail, code=1)
        assert written(stack.agent.store) == before, "a second run changes nothing"
        assert not before[2], "what was not wholly read was not compared"
        (trail / "c.json.gz").unlink()
        stack.invlog("reconcile", "--cloudtrail", trail)
        after = written(stack.agent.store)
        assert [row["missing"] for row in after[2]] == [1] and after[:2] + after[3:] == before[:2] + before[3:], after
        stack.invlog("reconcile", "--cloudtrail", trail, "--fail-on-unseen", code=1)
        assert [row["kind"] for row in before[3]].count("calls-unseen") == 1
        stack.call("five")  # the agent still writes
        store.wait_for(stack.agent.store, 5)
        stack.agent.stop()
        store.prove(stack.agent.store)


def test_a_call_processed_outside_its_destinations_is_an_alarm_and_exit_code_1():
    with Delivery(**NONE) as stack:
        stack.call("one")
        store.wait_for(stack.agent.store, 1)
        known = events_of(stack)
        stack.agent.stop()
        connection = sqlite3.connect(stack.agent.store)
        with connection:  # as a record of a call that was to stay in the Region
            connection.execute("INSERT INTO label(text) VALUES ('eu-central-1') ON CONFLICT DO NOTHING")
            connection.execute("UPDATE record SET destinations = (SELECT id FROM label WHERE text = 'eu-central-1')")
        connection.close()
        file = stack.folder / "trail.json"
        file.write_text("\n".join(map(json.dumps, known)))
        for _ in range(2):
            text = stack.invlog("reconcile", "--cloudtrail", file, code=1)
            assert "Processed outside the destinations" in text, text
            alarms = store.rows(stack.agent.store, "SELECT * FROM event WHERE kind = 'processed-outside'")
            assert len(alarms) == 1 and json.loads(alarms[0]["details"])["records"] == [1], alarms
        stack.invlog("reconcile", "--cloudtrail", stack.folder / "nowhere.json", code=1)
        assert "No such file" in stack.said
        stack.invlog("reconcile", code=2)


def test_a_bucket_of_a_trail():
    with Delivery(**NONE) as stack:
        stack.call("one", "two")
        store.wait_for(stack.agent.store, 2)
        for name, each in zip(("a", "b"), events_of(stack)):
            key = f"/{BUCKET}/AWSLogs/123456789012/CloudTrail/eu-central-1/{name}.json.gz"
            body = gzip.compress(json.dumps({"Records": [each]}).encode())
            answer = call(stack.aws.url, key, body, sign("s3", "PUT", stack.aws.host, key, body, {}), method="PUT")
            assert answer.status == 200, answer.body
        environment = {**stack.agent.environment, "AWS_ENDPOINT_URL_S3": stack.aws.url}
        place = f"s3://{BUCKET}/AWSLogs/123456789012/CloudTrail/"
        found = json.loads(stack.invlog("reconcile", "--cloudtrail", place, "--json", environment=environment))
        assert (found["source"], found["matched"], found["missing"]) == (place, 2, 0), found
        stack.invlog("reconcile", "--cloudtrail", place + "nothing/", environment=environment, code=1)
        assert "no object there" in stack.said
