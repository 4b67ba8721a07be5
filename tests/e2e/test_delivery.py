"""Records leave the host: to S3 and CloudWatch Logs, from the agent and from the command line."""

import json
import os
import re
import shutil
import subprocess
import threading
import time

from harness import store
from harness.aws import BUCKET, GROUP, MARKER, RECORD_KEY, STREAM, eventually, unpack
from harness.client import call, converse_body, converse_stream, target
from harness.delivery import BEARER, Delivery, record_id, same
from harness.processes import REPOSITORY, SIGNING

SIDE_BY_SIDE = True
LEAST = """
[exporters.s3]
bucket = "records-eu"
endpoint = "{url}"
path_style = true
region_attested = true
batch_age = "2s"
[exporters.cloudwatch_logs]
log_group = "/invlog/records"
endpoint = "{url}"
region_attested = true
batch_age = "2s"
"""


def test_the_least_configuration_delivers_to_both():
    """As written in the issue and in the README, and nothing more: the account comes from STS."""
    with Delivery(s3={"batch_age": "2s"}, logs={"batch_age": "2s"}, account_id=None) as stack:
        written = stack.agent.configuration.read_text().replace("\n\n", "\n")
        assert written.endswith(LEAST.format(url=stack.aws.url)), written
        stack.call("Hello", "žilina ☃", 'quotes " and \\ and \n lines')
        converse_stream(stack.agent.url, "and a stream", BEARER)
        assert call(stack.agent.url, target("converse"), converse_body("too much"), {**BEARER, "x-fake": "error=throttling"}).status == 429
        stack.check_arrived(5)
        assert {record["accountId"] for record in stack.aws.records()} == {"123456789012"}
        calls = stack.aws.calls()
        assert {line["headers"]["user-agent"].partition("/")[0] for line in calls} == {"invlog"}
        assert all(line["status"] in (200, 400) for line in calls), [(line["operation"], line["status"], line["code"]) for line in calls]
        assert stack.aws.calls("logs", "PutLogEvents")[0]["headers"]["content-encoding"] == "gzip"


def test_a_stopped_agents_store_is_one_file():
    """Whoever copies it then has all of it, whatever read it meanwhile."""
    with Delivery() as stack:
        stack.call("one", "two", "three")
        stack.arrived(3)
        assert stack.agent.stop() == 0
        assert not os.path.exists(f"{stack.agent.store}-wal")
        copy = stack.agent.folder / "copy.db"
        shutil.copy(stack.agent.store, copy)
        assert store.rows(copy, "SELECT count(*) AS n FROM record")[0]["n"] == 3


def test_no_record_leaves_before_a_slow_sts_has_said_whose_it_is():
    with Delivery(s3=None, logs=None, account_id=None, credentials={}) as stack:
        stack.call("one", "two")
        store.wait_for(stack.agent.store, 2)
        stack.aws.fail("throttle", service="sts", times=1)
        stack.aws.fail("slow", service="sts", seconds=0.5, times=-1)
        stack.restart_agent(tables=stack.tables({}, {}), credentials={**SIGNING, "AWS_ENDPOINT_URL_STS": stack.aws.url})
        stack.call("three")
        check_account(stack, 3)


def test_ship_waits_until_sts_has_said_whose_the_records_are():
    with Delivery(s3=None, logs=None, account_id=None, credentials={}) as stack:
        stack.call("one", "two")
        store.wait_for(stack.agent.store, 2)
        stack.agent.stop()
        stack.aws.fail("throttle", service="sts", times=1)
        stack.aws.fail("slow", service="sts", seconds=0.5, times=-1)
        stack.agent_options["tables"] = stack.tables({}, {})
        stack.write_configuration()
        stack.ship("--timeout", "40s", environment={**stack.agent.environment, **SIGNING, "AWS_ENDPOINT_URL_STS": stack.aws.url})
        check_account(stack, 2)
        stack.start_agent()


def check_account(stack: Delivery, count: int) -> None:
    for records in stack.arrived(count, 40):
        assert {record.get("accountId") for record in records} == {"123456789012"}, records
    assert not [key for key in stack.aws.objects() if "/unknown/" in key], list(stack.aws.objects())


def test_s3_objects_have_awss_names_and_what_was_asked_for():
    options = {"prefix": "fleet/one", "encryption": "aws:kms", "kms_key_id": "alias/records", "bucket_key": True, "storage_class": "STANDARD_IA",
               "expected_bucket_owner": "123456789012", "tags": {"team": "search & rescue", "stage": "prod"}, "checksum": "crc32c",
               "if_none_match": True}
    with Delivery(s3=options, logs=None) as stack:
        stack.call("one", "two", "three")
        stack.check_arrived(3)
        objects = stack.aws.objects()
        for key, versions in objects.items():
            found = RECORD_KEY.fullmatch(key)
            assert found and key.startswith("fleet/one/AWSLogs/123456789012/BedrockModelInvocationLogs/eu-central-1/"), key
            assert found[7].startswith("".join(found.group(3, 4, 5)) + "T" + found[6]), f"{key}: the folder is not the name's hour"
            assert len(versions) == 1 and versions[0]["tags"] == options["tags"]
            headers = versions[0]["headers"]
            assert headers["x-amz-server-side-encryption"] == "aws:kms" and headers["x-amz-server-side-encryption-bucket-key-enabled"] == "true"
            assert headers["x-amz-server-side-encryption-aws-kms-key-id"] == "alias/records" and headers["x-amz-storage-class"] == "STANDARD_IA"
            assert len(headers["x-amz-checksum-crc32c"]) == 8
        put = stack.aws.calls("s3", "PutObject")[-1]["headers"]
        assert put["if-none-match"] == "*" and put["x-amz-expected-bucket-owner"] == "123456789012"


def test_each_compression_and_checksum_reads_back():
    for compression, checksum in (("none", "crc32"), ("gzip", "sha256")):
        with Delivery(s3={"compression": compression, "checksum": checksum}, logs=None) as stack:
            stack.call(*[f"call {number} {'word ' * 50}" for number in range(5)])
            stack.check_arrived(5)
            assert all(key.endswith(".json" if compression == "none" else ".json.gz") for key in stack.aws.objects())
    with Delivery(s3={"compression": "zstd"}, logs=None) as stack:
        stack.call("one")
        key, versions = eventually(stack.aws.objects).popitem()
        assert key.endswith(".json.zst") and stack.aws.body(key).startswith(b"\x28\xb5\x2f\xfd")
        # AWS's other readers tell zstd by the name; a Content-Encoding would make HTTP clients unpack it behind their backs.
        assert "Content-Encoding" not in versions[0]["headers"]


def test_buckets_are_reached_by_host_name_too():
    with Delivery(logs=None, s3={"path_style": False}) as stack:
        stack.agent.stop()
        stack.agent_options["tables"]["exporters.s3"]["endpoint"] = f"http://localhost:{stack.aws.port}"
        stack.start_agent()
        stack.call("one")
        stack.check_arrived(1)
        assert {line["headers"]["host"] for line in stack.aws.calls("s3", "PutObject")} == {f"records-eu.localhost:{stack.aws.port}"}


def test_large_bodies_become_objects_of_their_own():
    big = "A sentence that fills the body. " * 5_000  # 160 KB
    with Delivery() as stack:
        stack.call("small", big, "small again")
        records, lines = stack.arrived(3)
        stack.check_arrived(3)
        paths = [json.loads(line) for key in stack.aws.objects() if "/data/" not in key
                 for line in unpack(key, stack.aws.body(key)).decode().splitlines()]
        row = store.rows(stack.agent.store)[1]
        large = next(record for record in paths if record["requestId"] == row["request_id"])
        assert "inputBodyJson" not in large["input"]
        data = [key for key in stack.aws.objects() if "/data/" in key]
        names = sorted(re.fullmatch(r"(.*)_[0-9a-f]{16}(_.*)", key.rpartition("/")[2]).groups() for key in data)
        assert names == sorted((row["request_id"], f"_{part}.json.gz") for part in ("input", "output") if f"{part}BodyS3Path" in large[part])
        assert large["input"]["inputBodyS3Path"] in {f"s3://records-eu/{key}" for key in data}
        assert json.loads(unpack("x.gz", stack.aws.body(large["input"]["inputBodyS3Path"][len("s3://records-eu/"):]))) == converse_body(big)
        event = next(json.loads(event["message"]) for event in stack.aws.events() if row["request_id"] in event["message"])
        assert event["input"]["inputBodyJson"] == converse_body(big), "an event has room for it"
    with Delivery(s3={"large_bodies": False}, logs=None) as stack:
        stack.call(big)
        stack.check_arrived(1)
        assert not [key for key in stack.aws.objects() if "/data/" in key]


def test_large_bodies_of_one_request_id_and_awss_own_do_not_overwrite_each_other():
    with Delivery(s3={"if_none_match": True}, logs=None) as stack:
        request_id = "0f7ad5ad-19b5-4eb6-8a22-2a4b8a62ab11"
        own = None
        for number, word in enumerate(("first", "second"), 1):
            answer = call(stack.agent.url, target("converse"), converse_body(word + " sentence of the body. " * 6_000),
                          {**BEARER, "x-fake": f"request_id={request_id}"})
            assert answer.status == 200, answer.body
            eventually(lambda: stack.destinations()["s3"]["cursor"] == number)
            if own is None:  # AWS's logging writes into the same folder
                folder = next(key for key in stack.aws.objects() if "/data/" in key).rpartition("/")[0]
                own = f"{folder}/{request_id}_input.json.gz"
                assert stack.aws.call_s3("PUT", f"/{BUCKET}/{own}", b"AWS's own").status == 200
        assert stack.aws.body(own) == b"AWS's own"
        words = [record["input"]["inputBodyJson"]["messages"][0]["content"][0]["text"].split()[0] for record in stack.aws.records()]
        assert sorted(words) == ["first", "second"]


def test_an_event_over_the_limit_is_cut_at_a_json_valid_place_and_marked():
    with Delivery(s3=None) as stack:
        stack.call("small", "☃ " * 600_000, "small again")  # 2.4 MB as UTF-8
        eventually(lambda: len(stack.aws.lines()) == 3)
        small, cut, again = stack.aws.lines()
        events = stack.aws.events()
        assert 500_000 < len(events[1]["message"].encode()) <= 1_048_576 - 26
        expected = stack.exported()
        assert (small, again) == (expected[0], expected[2])
        for name in ("requestId", "modelId", "operation", "timestamp", "region"):
            assert cut[name] == expected[1][name]
        row = store.rows(stack.agent.store)[1]
        assert cut["invlog"]["inputCut"] is True and cut["invlog"]["inputOriginalBytes"] == row["request_bytes"]
        text = cut["input"]["inputBodyJson"]["messages"][0]["content"][0]["text"]
        assert len(text) > 100_000 and ("☃ " * 600_000).startswith(text), "a beginning of it"
        assert not store.rows(stack.agent.store, "SELECT * FROM event WHERE kind = 'dead-letter'")


def test_an_event_over_the_limit_points_to_its_body_in_s3():
    with Delivery() as stack:
        stack.call("small")
        eventually(lambda: stack.destinations()["s3"]["cursor"] == 1)  # before, nothing shows that S3 takes what comes
        stack.call("☃ " * 600_000)
        stack.arrived(2)
        expected = stack.exported()
        line = {record_id(one): one for one in stack.aws.lines()}[record_id(expected[1])]
        assert "inputBodyJson" not in line["input"] and line["input"]["inputBodyS3Path"].startswith(f"s3://{BUCKET}/"), line["input"]
        assert re.fullmatch(expected[1]["requestId"] + r"_[0-9a-f]{16}_input\.json\.gz", line["input"]["inputBodyS3Path"].rpartition("/")[2])
        same([stack.aws.whole(line)], [expected[1]])


def test_an_event_over_the_limit_does_not_point_to_a_bucket_that_s3_is_kept_from():
    with Delivery(aws_options=("--bucket", "records-us=us-east-1")) as stack:
        stack.call("small")
        eventually(lambda: stack.destinations()["s3"]["cursor"] == 1)
        stack.restart_agent(tables=stack.tables({"bucket": "records-us"}, {}))
        stack.call("x" * 1_300_000)
        line = eventually(lambda: len(stack.aws.lines()) == 2 and stack.aws.lines()[1])
        assert "inputBodyS3Path" not in line["input"] and line["invlog"]["inputCut"] is True
        assert stack.destinations()["s3"]["cursor"] == 1
        stack.restart_agent(tables=stack.tables({}, {}))
        stack.arrived(2)


def test_an_event_points_to_where_s3_has_its_body_whatever_is_configured_by_then():
    with Delivery() as stack:
        stack.aws.fail("error", service="logs", operation="PutLogEvents", status=503, code="ServiceUnavailableException", message="x", times=-1)
        stack.call("x" * 1_200_000)
        eventually(lambda: stack.destinations()["s3"]["cursor"] == 1)
        stack.agent.stop()
        stack.aws.work()
        stack.agent_options["tables"]["exporters.s3"].update(prefix="team", compression="none")
        stack.start_agent()
        eventually(lambda: stack.aws.lines())
        same([stack.aws.whole(stack.aws.lines()[0])], stack.exported())


def test_athenas_partitions_are_where_the_objects_are():
    """The place that athena.sql has its engine compute for an hour is the place that objects go to."""
    template = re.search(r"'storage.location.template' = 's3://records-eu/(.*)'", (REPOSITORY / "exporters/athena.sql").read_text())[1]
    place = re.escape(template).replace(r"\$\{account\}", r"\d{12}").replace(r"\$\{source_region\}", "eu-central-1").replace(
        r"\$\{date_hour\}", r"\d{4}/\d\d/\d\d/\d\d")
    with Delivery(logs=None) as stack:
        stack.call("one")
        stack.arrived(1)
        assert [key for key in stack.aws.objects() if not re.fullmatch(place + r"[^/]+\.json\.gz", key)] == []


def test_batches_end_by_size():
    with Delivery(s3={"batch_size": "200kB", "compression": "none", "batch_age": "2s"}, logs={"batch_size": "200kB", "batch_age": "2s"}) as stack:
        stack.call(*["word " * 4_000 for _ in range(20)])  # about 25 KB a record
        stack.check_arrived(20)
        sizes = [versions[0]["bytes"] for versions in stack.aws.objects().values()]
        assert len(sizes) >= 3 and max(sizes) < 250_000, sizes
        batches = stack.aws.groups()[GROUP]["streams"][STREAM]
        assert max(batches) <= 8, f"{batches} records: more than 200 kB"


def test_ship_drains_a_store_that_no_agent_has_open():
    with Delivery(s3=None, logs=None) as stack:
        stack.call(*[f"call {number}" for number in range(20)])
        store.wait_for(stack.agent.store, 20)
        stack.agent.stop()
        stack.agent_options["tables"] = stack.tables({}, {})
        stack.write_configuration()
        stack.ship()
        assert len(stack.aws.records()) == 20 and len(stack.aws.lines()) == 20
        stack.check_arrived(20)
        before = len(stack.aws.calls("s3", "PutObject")), len(stack.aws.calls("logs", "PutLogEvents"))
        stack.ship()
        assert before == (len(stack.aws.calls("s3", "PutObject")), len(stack.aws.calls("logs", "PutLogEvents"))), "there was nothing to do"
        state = stack.destinations()
        assert state["s3"]["cursor"] == state["cloudwatch_logs"]["cursor"] == 20
        store.prove(stack.agent.store)
        stack.start_agent()
        stack.call("one more")
        stack.check_arrived(21)


def test_ship_says_what_it_cannot_do():
    with Delivery(s3=None) as stack:
        stack.call("one")
        stack.arrived(1)
        stack.aws.kill()
        stack.call("two")
        store.wait_for(stack.agent.store, 2)
        started = time.monotonic()
        stack.ship("--timeout", "3s", code=1)
        assert 3 <= time.monotonic() - started < 20
        assert f"127.0.0.1:{stack.aws.port}" in stack.said, stack.said


def test_ship_and_a_running_agent_take_turns():
    with Delivery(s3={"batch_age": "50ms"}, logs={"batch_age": "50ms"}) as stack:
        stop, calls = threading.Event(), []

        def talk():
            while not stop.is_set():
                stack.call("and on it goes")
                calls.append(1)
        talker = threading.Thread(target=talk)
        talker.start()
        try:
            for _ in range(4):
                stack.ship()
        finally:
            stop.set()
            talker.join()
        count = len(calls)
        assert count > 20
        store.wait_for_count(stack.agent.store, count)
        stack.check_arrived(count)
        assert all(len(versions) == 1 for versions in stack.aws.objects().values()), "nothing was sent twice"
        assert len(stack.aws.lines()) == count


def test_start_now_leaves_the_past_where_it_is():
    with Delivery(s3=None, logs=None) as stack:
        stack.call("before")
        store.wait_for(stack.agent.store, 1)
        stack.restart_agent(tables=stack.tables({"start": "now"}, {"start": "oldest"}))
        eventually(lambda: len(stack.aws.lines()) == 1)
        eventually(lambda: "s3" in stack.destinations())
        stack.call("after")
        eventually(lambda: len(stack.aws.lines()) == 2 and len(stack.aws.records()) == 1)
        assert stack.aws.records()[0]["requestId"] == store.rows(stack.agent.store)[1]["request_id"]


def test_a_group_is_made_as_asked_and_a_stream_per_host():
    key = "arn:aws:kms:eu-central-1:123456789012:key/01234567-89ab-cdef-0123-456789abcdef"
    with Delivery(s3=None, logs={"retention_days": 30, "kms_key_arn": key, "host_suffix": True}) as stack:
        stack.call("one")
        host = subprocess.run(["uname", "-n"], capture_output=True, text=True, check=True).stdout.strip()
        eventually(lambda: len(stack.aws.lines(stream=f"{STREAM}/{host}")) == 1)
        group = stack.aws.groups()[GROUP]
        assert (group["retention"], group["kms_key"]) == (30, key)
    with Delivery(s3=None, logs={"create": False}) as stack:
        stack.call("one")
        eventually(lambda: stack.destinations()["cloudwatch_logs"]["last_error"])
        assert not stack.aws.groups() and not stack.aws.calls("logs", "CreateLogGroup")
        assert stack.aws.call_logs("CreateLogGroup", {"logGroupName": GROUP}).status == 200
        assert stack.aws.call_logs("CreateLogStream", {"logGroupName": GROUP, "logStreamName": STREAM}).status == 200
        eventually(lambda: len(stack.aws.lines()) == 1, 40)


def test_each_record_says_the_host_it_was_made_on_after_a_rename():
    with Delivery(host="image-builder") as stack:
        stack.call("one")
        stack.arrived(1)
        stack.restart_agent(host="web-17")
        stack.call("two")
        stack.check_arrived(2)
        assert [record["invlog"]["host"] for record in stack.exported()] == ["image-builder", "web-17"]
        change, = stack.event_rows("host-changed")
        assert json.loads(change["details"]) == {"from": "image-builder", "to": "web-17", "first_record": 2}
        assert "say host image-builder, those from now on say web-17" in stack.agent.errors()


def test_a_log_group_that_is_there_needs_no_more_than_to_be_written():
    with Delivery(s3=None) as stack:
        stack.call("one")
        stack.arrived(1)
        stack.agent.stop()
        for operation in ("DescribeLogGroups", "CreateLogGroup", "CreateLogStream"):
            stack.aws.fail("error", service="logs", operation=operation, status=400, code="AccessDeniedException", times=-1)
        stack.start_agent()
        stack.call("two")
        stack.check_arrived(2)
        assert "AccessDenied" in stack.invlog("doctor"), "said, and no failure"


def test_status_tells_of_each_destination():
    with Delivery() as stack:
        stack.call("one", "two")
        stack.check_arrived(2)
        stack.aws.fail("error", operation="PutObject", status=500, code="InternalError", times=-1)
        stack.call("three", "four", "five")
        eventually(lambda: stack.destinations()["s3"]["last_error"] and len(stack.aws.lines()) == 5)
        state = eventually(lambda: (found := stack.destinations()) and found["cloudwatch_logs"]["backlog_records"] == 0 and found)
        s3, logs = state["s3"], state["cloudwatch_logs"]
        assert (s3["cursor"], s3["backlog_records"], s3["dead_letters"]) == (2, 3, 0) and s3["backlog_body_bytes"] > 0
        assert "500" in s3["last_error"] or "InternalError" in s3["last_error"]
        assert (logs["cursor"], logs["last_error"]) == (5, None)
        text = stack.invlog("status")
        for word in ("s3", "records-eu", GROUP, "500"):
            assert word in text, text
        stack.aws.work()
        stack.check_arrived(5, 40)
        assert eventually(lambda: stack.destinations()["s3"]["backlog_records"] == 0)
        assert stack.destinations()["s3"]["last_error"] is None and stack.destinations()["s3"]["retries"] >= 1


def test_doctor_names_the_link_the_caller_and_each_permission():
    with Delivery() as stack:
        text = stack.invlog("doctor")
        for word in ("environment", "arn:aws:iam::123456789012:user/invlog", "PutObject", "PutLogEvents", "records-eu", GROUP):
            assert word in text, f"{word} is not in:\n{text}"
        assert SIGNING["AWS_SECRET_ACCESS_KEY"] not in text + stack.said
        stack.aws.fail("error", service="s3", operation="PutObject", status=403, code="AccessDenied", message="no s3:PutObject", times=-1)
        text = stack.invlog("doctor", code=1)
        assert "AccessDenied" in text or "no s3:PutObject" in text, text
        stack.aws.work()
        stack.aws.set(expire="static")
        text = stack.invlog("doctor", code=1)
        assert "expired" in text.lower(), text


def test_nothing_is_delivered_that_is_not_a_record():
    """The doctor's markers are AWS's own: no reader takes them for records."""
    with Delivery() as stack:
        stack.invlog("doctor")
        stack.call("one")
        stack.check_arrived(1)
        for key in stack.aws._ask("objects")["records-eu"]:
            assert key.endswith(MARKER) or RECORD_KEY.fullmatch(key), key
