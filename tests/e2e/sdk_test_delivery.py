"""Delivery to servers that are not ours, read back with AWS's own client: moto (CloudWatch Logs, S3, STS, IAM) and
versitygw (S3, checks signatures itself). DuckDB asks a fleet's objects."""

import json
import random

from harness import store
from harness.aws import ACCOUNT, BUCKET, GROUP, STREAM, eventually
from harness.client import CLAUDE, call, claude_body, converse_body, converse_stream, target
from harness.delivery import BEARER, Delivery, record_id, same
from harness.processes import REPOSITORY, SIGNING
from harness.s3_server import Moto, Versitygw
from harness.sdks import python
from sdk_test_views import SDK, run

READ_BACK = {"zstandard": "zstandard"}


def boto3(code: str) -> None:
    """Runs a few lines with `client(service, url)`."""
    run([python(), "-c", "import boto3\nfrom botocore.config import Config\n"
         "def client(service, url):\n    return boto3.client(service, endpoint_url=url, region_name='eu-central-1',"
         " config=Config(s3={'addressing_style': 'path'}))\n" + code], SIGNING)


def make_bucket(url: str, name: str = BUCKET) -> None:
    boto3(f"client('s3', {url!r}).create_bucket(Bucket={name!r}, CreateBucketConfiguration={{'LocationConstraint': 'eu-central-1'}})")


def read_back(s3_url: str, logs_url: str, bucket: str = BUCKET) -> dict:
    return json.loads(run([python(**READ_BACK), SDK / "read_back.py", s3_url or "-", bucket, logs_url or "-", GROUP, STREAM], SIGNING))


def traffic(stack: Delivery, count: int) -> int:
    """Calls of every kind; how many records they make."""
    noise = random.Random(count)
    for number in range(count):
        text = f"call {number}: žilina ☃ " + "".join(noise.choices("abcdefghij klmnop", k=noise.choice((20, 500, 5_000))))
        kind = number % 5
        if kind == 0:
            call(stack.agent.url, target("invoke", CLAUDE), claude_body(text), BEARER)
        elif kind == 1:
            converse_stream(stack.agent.url, text, BEARER)
        elif kind == 2:
            call(stack.agent.url, target("converse"), converse_body(text), {**BEARER, "x-fake": "error=throttling"})
        else:
            call(stack.agent.url, target("converse"), converse_body(text, requestMetadata={"team": f"team-{number % 3}"}), BEARER)
    call(stack.agent.url, target("converse"), converse_body("A sentence that fills the body. " * 6_000), BEARER)
    return count + 1


def check(stack: Delivery, found: dict, in_logs: bool) -> None:
    """Every record of the store in S3 once, and in CloudWatch Logs the same lines."""
    expected = stack.exported()
    same(found["records"], expected)
    if in_logs:
        lines = [json.loads(message) for message in found["messages"] if message.startswith("{")]
        assert sorted(map(record_id, lines)) == sorted(map(record_id, expected))
        whole = {record_id(record): record for record in expected}
        for line in lines:
            for part in ("input", "output"):
                if line.get(part, {}).pop(f"{part}BodyS3Path", None):
                    line[part][f"{part}BodyJson"] = whole[record_id(line)][part][f"{part}BodyJson"]
            assert line == whole[record_id(line)]


def drained(stack: Delivery, count: int) -> None:
    eventually(lambda: all(one["cursor"] == count for one in stack.destinations().values()), 60)


def test_boto3_takes_the_fake_for_the_services():
    with Delivery(s3=None, logs=None) as stack:
        views = json.loads(run([python(), SDK / "fake_aws_cases.py", stack.aws.url], SIGNING))
        assert views["logs"] == {
            "no group": "ResourceNotFoundException", "again": "ResourceAlreadyExistsException", "read back": True, "group": 30,
            "rejected": {"tooOldLogEventEndIndex": 1, "tooNewLogEventStartIndex": 2}, "disorder": "InvalidParameterException",
            "stranger": "UnrecognizedClientException", "forger": "InvalidSignatureException"}
        checked = [True, {"chain": "abc"}, "aws:kms", True]
        assert views["s3"] == {
            "no bucket": "NoSuchBucket", "region": "eu-central-1", "SHA256": checked, "CRC32": checked, "SHA1": checked, "exists": "PreconditionFailed",
            "owner": "AccessDenied", "missing": "NoSuchKey", "pages": [10, 10, 5], "stranger": "InvalidAccessKeyId", "forger": "SignatureDoesNotMatch",
            "listed": sorted(f"dir with space/dt=2026+10/{algorithm} ☃%.json" for algorithm in ("SHA256", "CRC32", "SHA1"))}
        assert views["sts"] == {"caller": f"arn:aws:iam::{ACCOUNT}:user/invlog", "role": f"arn:aws:sts::{ACCOUNT}:assumed-role/shipper/host",
                                "web": f"arn:aws:sts::{ACCOUNT}:assumed-role/pod/pod", "bad token": "InvalidIdentityToken"}


def test_moto_gets_every_record_in_logs_and_s3():
    with Delivery(s3=None, logs=None) as stack:
        moto = Moto(stack.folder)
        make_bucket(moto.url)
        stack.restart_agent(tables=stack.tables({"endpoint": moto.url}, {"endpoint": moto.url, "retention_days": 30}), account_id=None,
                            credentials={**SIGNING, "AWS_ENDPOINT_URL_STS": moto.url})
        count = traffic(stack, 60)
        drained(stack, count)
        check(stack, read_back(moto.url, moto.url), True)
        assert {record["accountId"] for record in stack.exported()} == {ACCOUNT}, "as moto's STS says"
        stack.invlog("doctor")


def test_a_role_of_motos_iam_is_assumed():
    with Delivery(s3=None, logs=None) as stack:
        moto = Moto(stack.folder)
        make_bucket(moto.url)
        boto3(f"client('iam', {moto.url!r}).create_role(RoleName='shipper', AssumeRolePolicyDocument='{{}}')")
        folder = stack.folder / ".aws"
        folder.mkdir()
        (folder / "credentials").write_text("[base]\naws_access_key_id = {}\naws_secret_access_key = {}\n".format(*SIGNING.values()))
        (folder / "config").write_text(f"[profile delivery]\nrole_arn = arn:aws:iam::{ACCOUNT}:role/shipper\nsource_profile = base\n")
        stack.restart_agent(tables=stack.tables({"endpoint": moto.url}, {"endpoint": moto.url}), account_id=None,
                            credentials={"AWS_PROFILE": "delivery", "AWS_ENDPOINT_URL_STS": moto.url})
        count = traffic(stack, 5)
        drained(stack, count)
        check(stack, read_back(moto.url, moto.url), True)
        assert f"arn:aws:sts::{ACCOUNT}:assumed-role/shipper/" in stack.invlog("doctor", code=1)  # the fake Bedrock does not know the role's keys


def test_an_s3_server_that_checks_signatures_gets_every_record():
    """With each compression and checksum, and with a prefix that has to be encoded."""
    with Delivery(s3=None, logs=None) as stack:
        server = Versitygw(stack.folder)
        expected = 0
        for number, (compression, checksum) in enumerate((("gzip", "sha256"), ("zstd", "crc32"), ("none", "crc32c"))):
            bucket = f"records-{compression}"
            make_bucket(server.url, bucket)
            # A store of its own for each: a cursor belongs to a destination's name.
            stack.restart_agent(state_dir=str(stack.folder / f"state-{number}"), tables=stack.tables(
                {"endpoint": server.url, "bucket": bucket, "compression": compression, "checksum": checksum, "prefix": "fleet=a/ž b+c"}, None))
            stack.agent.store = stack.folder / f"state-{number}/eu-central-1.db"
            count = traffic(stack, 30)
            drained(stack, count)
            found = read_back(server.url, "", bucket)
            assert all(key.startswith("fleet=a/ž b+c/AWSLogs/") for key in found["keys"] if "permission-check" not in key), found["keys"]
            ending = {"gzip": ".json.gz", "zstd": ".json.zst", "none": ".json"}[compression]
            assert all(key.endswith(ending) for key in found["keys"] if "permission-check" not in key), found["keys"]
            check(stack, found, False)
            expected += count
        wrong = {**stack.agent.environment, "AWS_SECRET_ACCESS_KEY": "not-the-one"}
        boto3(f"client('s3', {server.url!r}).create_bucket(Bucket='records-wrong', CreateBucketConfiguration={{'LocationConstraint': 'eu-central-1'}})")
        stack.restart_agent(tables=stack.tables({"endpoint": server.url, "bucket": "records-wrong"}, None), credentials=wrong,
                            state_dir=str(stack.folder / "state-wrong"))
        call(stack.agent.url, target("converse"), converse_body("one"), BEARER)
        error = eventually(lambda: stack.destinations()["s3"]["last_error"])
        assert "SignatureDoesNotMatch" in error or "403" in error, error
        assert not read_back(server.url, "", "records-wrong")["keys"]


def test_duckdb_asks_the_objects_of_three_hosts():
    """Three agents on hosts of different names, each with its own store, one bucket: the README's fleet query."""
    with Delivery(s3=None, logs=None) as stack:
        server = Versitygw(stack.folder)
        make_bucket(server.url)
        asked: dict[str, list[dict]] = {}
        for number, (host, compression) in enumerate((("milan", "gzip"), ("bratislava", "zstd"), ("dublin", "none"))):
            stack.restart_agent(host=host, state_dir=str(stack.folder / host),
                                tables=stack.tables({"endpoint": server.url, "compression": compression}, None))
            stack.agent.store = stack.folder / host / "eu-central-1.db"
            count = traffic(stack, 10 + 5 * number)
            drained(stack, count)
            asked[host] = stack.exported()
            assert {record["invlog"]["host"] for record in asked[host]} == {host}
        found = json.loads(run([python(duckdb="duckdb"), SDK / "duckdb_cases.py", REPOSITORY / "exporters", server.root, BUCKET]))
        everything = [record for records in asked.values() for record in records]
        assert sorted(found["ids"]) == sorted(map(record_id, everything))
        expected: dict[tuple, list[int]] = {}
        for host, records in asked.items():
            for record in records:
                sums = expected.setdefault((host, record["modelId"], record["timestamp"][:10]), [0, 0, 0, 0])
                for place, value in enumerate((1, "errorCode" in record, record.get("input", {}).get("inputTokenCount") or 0,
                                               record.get("output", {}).get("outputTokenCount") or 0)):
                    sums[place] += value
        assert {(row["host"], row["model_id"], row["day"]): [row["calls"], row["errors"], int(row["input_tokens"] or 0), int(row["output_tokens"] or 0)]
                for row in found["fleet"]} == expected
        assert found["athena"], "no column of the documented Athena table was compared"
        different = {name: values for name, values in found["athena"].items() if values["declared"] != values["read"]}
        assert not different, different
