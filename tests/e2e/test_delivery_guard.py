"""Records stay in the source Region, and wait for credentials: what delivery refuses, and what it waits for."""

import json
import subprocess

from harness import store
from harness.aws import GROUP, eventually
from harness.delivery import Delivery
from harness.processes import ACCESS_KEY, BUILD, SECRET_KEY, SIGNING

SIDE_BY_SIDE = True
CONTAINER = {"AWS_CONTAINER_CREDENTIALS_FULL_URI": "{aws}/container/credentials", "AWS_CONTAINER_AUTHORIZATION_TOKEN": "fake-container-token",
             "AWS_ENDPOINT_URL_STS": "{aws}"}


def refused(stack: Delivery, destination: str, *words: str) -> None:
    """An event row, a clear message in the log and in status, nothing sent."""
    rows = eventually(lambda: stack.event_rows("delivery-refused"))
    details = json.dumps(rows[0]["details"])
    error = eventually(lambda: stack.destinations()[destination]["last_error"])
    for word in words:
        assert word in details and word in error and word in stack.agent.errors(), f"{word}: {details}\n{error}\n{stack.agent.errors()[-1000:]}"
    assert len(rows) == 1, "said once, not at every attempt"
    sent = stack.aws.calls("s3", "PutObject") if destination == "s3" else stack.aws.calls("logs", "PutLogEvents")
    assert not sent, sent
    assert stack.destinations()[destination]["cursor"] == 0
    stack.ship(code=1)
    assert all(word in stack.said for word in words), stack.said
    stack.ship(code=1)
    assert len(stack.event_rows("delivery-refused")) == 1, "nor by each process anew"
    assert not (stack.aws.calls("s3", "PutObject") if destination == "s3" else stack.aws.calls("logs", "PutLogEvents"))


def test_a_bucket_of_another_region_is_refused():
    with Delivery(s3={}, logs=None, bucket="records-eu=us-east-1") as stack:
        stack.call("one")
        refused(stack, "s3", "records-eu", "us-east-1", "eu-central-1")
        stack.call("capture goes on")
        store.wait_for(stack.agent.store, 2)


def test_a_bucket_whose_region_is_only_told_by_its_head_is_refused():
    """200, but x-amz-bucket-region names another Region."""
    with Delivery(s3={}, logs=None) as stack:
        stack.agent.stop()
        stack.aws.fail("error", operation="HeadBucket", status=200, region="eu-west-1", times=-1)
        stack.start_agent()
        stack.call("one")
        refused(stack, "s3", "records-eu", "eu-west-1")


def test_a_redirect_is_refused_and_not_followed():
    for status in (301, 307):
        with Delivery(s3={}, logs=None) as stack:
            stack.agent.stop()
            stack.aws.fail("redirect", operation="HeadBucket", status=status, location=f"{stack.aws.url}/followed", times=-1)
            stack.start_agent()
            stack.call("one")
            refused(stack, "s3", str(status))
            assert not [line for line in stack.aws.calls() if "followed" in line["target"]]


def test_a_redirect_after_the_proof_stops_delivery_and_is_not_followed():
    with Delivery(logs=None) as stack:
        stack.call("one")
        stack.check_arrived(1)
        stack.aws.fail("redirect", operation="PutObject", status=307, location=f"{stack.aws.url}/followed", region="us-east-1", times=-1)
        stack.call("two")
        eventually(lambda: stack.event_rows("delivery-refused"))
        assert stack.destinations()["s3"]["cursor"] == 1
        assert not [line for line in stack.aws.calls() if "followed" in line["target"]]


def test_a_log_group_of_another_region_is_refused():
    with Delivery(s3=None) as stack:
        stack.agent.stop()
        stack.aws.set(arn_region="us-east-1")
        stack.start_agent()
        stack.call("one")
        refused(stack, "cloudwatch_logs", "us-east-1", GROUP)


def refused_configuration(s3: dict | None, logs: dict | None, *words: str) -> None:
    """Code 2, a message that names the key and an event row that says the same, before anything is sent."""
    with Delivery(s3=None, logs=None) as stack:
        stack.agent.stop()
        before = stack.aws.calls()
        stack.agent_options["tables"] = stack.tables(s3, logs)
        stack.write_configuration()
        done = subprocess.run([BUILD / "invlog", "agent", "--config", stack.agent.configuration], capture_output=True, text=True, timeout=20,
                              env=stack.agent.environment)
        assert done.returncode == 2, f"code {done.returncode}: {done.stdout}{done.stderr}"
        for word in (str(stack.agent.configuration), *words):
            assert word in done.stderr, f"{word}: {done.stderr}"
        stack.ship(code=2)
        assert stack.aws.calls() == before
        events = stack.event_rows("configuration-refused")
        assert len(events) == 1, f"what is tried again is said once: {events}"
        for said in (done.stderr, stack.said):
            assert json.loads(events[0]["details"])["reason"] in said, f"{events}: {said}"
        stack.agent_options["tables"] = {}
        stack.start_agent()


def test_what_cannot_be_in_the_region_is_refused_when_the_configuration_is_read():
    refused_configuration({"region_attested": False}, None, "region_attested", "endpoint")
    refused_configuration(None, {"region_attested": False}, "region_attested", "endpoint")
    refused_configuration({"endpoint": "https://s3.us-east-1.amazonaws.com"}, None, "us-east-1", "eu-central-1")
    refused_configuration(None, {"endpoint": "https://logs.us-east-1.amazonaws.com"}, "us-east-1", "eu-central-1")
    refused_configuration({"bucket": "arn:aws:s3:us-east-1:123456789012:accesspoint/mine"}, None, "bucket")
    refused_configuration({"bucket": "arn:aws:s3::123456789012:accesspoint/mine.mrap"}, None, "bucket")
    refused_configuration({"bucket": "mine-0123456789abcdef-s3alias"}, None, "bucket")


def test_expired_credentials_pause_delivery_and_new_ones_resume_it():
    with Delivery(credentials=CONTAINER) as stack:
        stack.call("one")
        stack.check_arrived(1)
        keys = {line["key"] for line in stack.aws.calls("s3", "PutObject")}
        stack.aws.fail("error", service="container", status=500, times=-1)
        stack.aws.set(expire="temporary")
        stack.call("two", "three")
        for destination in ("s3", "cloudwatch_logs"):
            error = eventually(lambda: stack.destinations()[destination]["last_error"])
            assert "credential" in error.lower() or "expired" in error.lower(), error
            assert stack.destinations()[destination]["cursor"] == 1 and stack.destinations()[destination]["dead_letters"] == 0
        stack.aws.work()
        stack.check_arrived(3, 45)
        assert {line["key"] for line in stack.aws.calls("s3", "PutObject") if line["committed"]} > keys
        assert not store.rows(stack.agent.store, "SELECT * FROM event WHERE kind = 'dead-letter'")


def test_no_credentials_pause_delivery_until_there_are_some():
    with Delivery(credentials={"AWS_EC2_METADATA_DISABLED": "true", "AWS_ENDPOINT_URL_STS": "{aws}"}) as stack:
        stack.call("one", "two")
        error = eventually(lambda: stack.destinations()["s3"]["last_error"])
        assert "credential" in error.lower(), error
        assert not stack.aws.calls("s3", "PutObject")
        stack.ship(code=1)
        assert "credential" in stack.said.lower(), stack.said
        file = stack.folder / ".aws/credentials"
        file.parent.mkdir()
        file.write_text(f"[default]\naws_access_key_id = {ACCESS_KEY}\naws_secret_access_key = {SECRET_KEY}\n")
        stack.check_arrived(2, 45)


def test_the_instances_credentials_are_used_and_renewed():
    with Delivery(credentials={"AWS_EC2_METADATA_SERVICE_ENDPOINT": "{aws}", "AWS_ENDPOINT_URL_STS": "{aws}"}) as stack:
        stack.call("one")
        stack.check_arrived(1)
        stack.aws.set(expire="temporary")
        stack.call("two")
        stack.check_arrived(2, 45)
        assert len({line["key"] for line in stack.aws.calls("s3", "PutObject")}) >= 2
        assert all(line["status"] == 200 for line in stack.aws.calls("imds")), "IMDSv2: with a token, always"


def test_roles_are_assumed_for_delivery():
    role = "arn:aws:iam::123456789012:role/shipper"
    with Delivery(credentials={**SIGNING, "AWS_ROLE_ARN": role, "AWS_PROFILE": "delivery", "AWS_ENDPOINT_URL_STS": "{aws}"}) as stack:
        stack.agent.stop()
        for name in SIGNING:  # or the environment would win
            del stack.agent_options["credentials"][name]
        del stack.agent_options["credentials"]["AWS_ROLE_ARN"]
        folder = stack.folder / ".aws"
        folder.mkdir()
        (folder / "credentials").write_text(f"[base]\naws_access_key_id = {ACCESS_KEY}\naws_secret_access_key = {SECRET_KEY}\n")
        (folder / "config").write_text(f"[profile delivery]\nrole_arn = {role}\nsource_profile = base\nexternal_id = handshake\n")
        stack.aws.set(external_ids={role: "handshake"})
        stack.start_agent()
        stack.call("one")
        stack.check_arrived(1)
        assert all(line["key"].startswith("ASIA") for line in stack.aws.calls("s3", "PutObject"))
        assert stack.aws.calls("sts", "AssumeRole")


def test_ship_waits_for_a_role_that_a_busy_sts_does_not_give_at_once():
    with Delivery(s3=None, credentials={"AWS_EC2_METADATA_DISABLED": "true", "AWS_ENDPOINT_URL_STS": "{aws}"}) as stack:
        stack.call("one")
        store.wait_for(stack.agent.store, 1)
        stack.agent.stop()
        folder = stack.folder / ".aws"
        folder.mkdir()
        (folder / "credentials").write_text(f"[base]\naws_access_key_id = {ACCESS_KEY}\naws_secret_access_key = {SECRET_KEY}\n")
        (folder / "config").write_text("[default]\nrole_arn = arn:aws:iam::123456789012:role/shipper\nsource_profile = base\n")
        stack.aws.fail("throttle", service="sts", operation="AssumeRole", times=1)
        stack.ship("--timeout", "40s")
        assert len(stack.aws.lines()) == 1 and len(stack.aws.calls("sts", "AssumeRole")) == 2
        stack.start_agent()


def test_a_clock_that_is_off_is_corrected_from_the_answers_date():
    for offset in (3600, -3600):
        with Delivery() as stack:
            stack.agent.stop()
            stack.aws.set(clock_offset=offset)
            stack.start_agent()
            stack.call("one")
            if offset < 0:  # by the service's clock the event is an hour in the future, which it takes
                assert stack.arrived(1)
            stack.check_arrived(1)


def test_no_secret_is_said_or_kept():
    with Delivery(credentials=CONTAINER) as stack:
        stack.call("one")
        stack.check_arrived(1)
        stack.aws.set(expire="temporary")
        stack.aws.fail("html", service="s3", status=502, times=2)
        stack.call("two")
        stack.check_arrived(2, 45)
        said = stack.agent.errors() + stack.invlog("status") + stack.invlog("doctor", code=1)  # the fake Bedrock does not know these keys
        kept = b"".join(path.read_bytes() for path in stack.agent.state.iterdir())
        for secret in ("fake-container-token", "X-Amz-Security-Token", "Signature="):
            assert secret not in said and secret.encode() not in kept, secret
