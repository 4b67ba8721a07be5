"""The fake of CloudWatch Logs, S3, STS, IMDS and a container's endpoint: what it accepts and refuses. No agent."""

import base64
import binascii
import gzip
import hashlib
import http.client
import json
import pathlib
import re
import shutil
import socket
import tempfile
import time
from contextlib import contextmanager

from harness.aws import BUCKET, GROUP, STREAM, FakeAws
from harness.client import call
from harness.processes import ACCESS_KEY, SECRET_KEY
from harness.signing import sign

HOUR, DAY = 3_600_000, 86_400_000
PUT = {"logGroupName": GROUP, "logStreamName": STREAM}


@contextmanager
def fake_aws(*options, bucket=BUCKET):
    folder = pathlib.Path(tempfile.mkdtemp(prefix="invlog-e2e-"))
    fake = FakeAws(folder, *options, bucket=bucket)
    try:
        yield fake
    finally:
        fake.kill()
        shutil.rmtree(folder)


def logs_code(answer) -> tuple[int, str]:
    return answer.status, answer.json().get("__type", "") if answer.body else ""


def xml_code(answer) -> tuple[int, str]:
    found = re.search(rb"<Code>([^<]*)</Code>", answer.body)
    return answer.status, found[1].decode() if found else ""


def now() -> int:
    return int(time.time() * 1000)


def events(*pairs) -> list[dict]:
    return [{"timestamp": time, "message": message} for time, message in pairs]


def with_stream(fake: FakeAws) -> FakeAws:
    assert logs_code(fake.call_logs("CreateLogGroup", {"logGroupName": GROUP})) == (200, "")
    assert logs_code(fake.call_logs("CreateLogStream", PUT)) == (200, "")
    return fake


def test_logs_are_kept_as_they_came_and_read_back():
    with fake_aws() as fake:
        with_stream(fake)
        start = now()
        first = events((start, "one"), (start, "žilina ☃"), (start + 5, "three"))
        plain = fake.call_logs("PutLogEvents", {**PUT, "logEvents": first})
        assert plain.status == 200 and "rejectedLogEventsInfo" not in plain.json() and plain.json()["nextSequenceToken"]
        packed = gzip.compress(json.dumps({**PUT, "logEvents": events((start + 9, "four"))}).encode())
        assert fake.call_logs("PutLogEvents", packed, {"Content-Encoding": "gzip"}).status == 200
        answer = fake.call_logs("GetLogEvents", {**PUT, "startFromHead": True, "limit": 3}).json()
        rest = fake.call_logs("GetLogEvents", {**PUT, "startFromHead": True, "nextToken": answer["nextForwardToken"]}).json()
        assert [event["message"] for event in answer["events"] + rest["events"]] == ["one", "žilina ☃", "three", "four"]
        assert fake.groups()[GROUP]["streams"][STREAM] == [3, 1]
        described = fake.call_logs("DescribeLogStreams", {"logGroupName": GROUP}).json()["logStreams"]
        assert described[0]["arn"] == f"arn:aws:logs:eu-central-1:123456789012:log-group:{GROUP}:log-stream:{STREAM}"
        group = fake.call_logs("DescribeLogGroups", {"logGroupNamePrefix": "/invlog"}).json()["logGroups"][0]
        assert group["arn"].startswith("arn:aws:logs:eu-central-1:123456789012:log-group:/invlog/records")


def test_logs_refuse_a_batch_that_breaks_a_limit():
    with fake_aws() as fake:
        with_stream(fake)
        start = now()

        def put(*pairs):
            return logs_code(fake.call_logs("PutLogEvents", {**PUT, "logEvents": events(*pairs)}))
        refused = (400, "InvalidParameterException")
        assert put() == refused
        assert put((start, "")) == refused
        assert put((start, "a"), (start - 1, "b")) == refused, "out of order"
        assert put((start - DAY - 1, "a"), (start, "b")) == refused, "more than 24 hours"
        assert put((start - DAY, "a"), (start, "b")) == (200, "")
        assert put(*[(start, "a")] * 10_001) == refused
        assert put(*[(start, "a")] * 10_000) == (200, "")
        assert put((start, "x" * (1_048_576 - 26))) == (200, "")
        assert put((start, "x" * (1_048_576 - 25))) == refused
        assert put((start, "x" * 600_000), (start, "☃" * ((448_576 - 52) // 3))) == (200, ""), "bytes, not characters"
        assert put((start, "x" * 600_000), (start, "☃" * (448_576 // 3))) == refused
        for body in (b"{", b"[]", json.dumps({**PUT, "logEvents": [{"timestamp": start}]}).encode(),
                     json.dumps({**PUT, "events": []}).encode()):
            assert logs_code(fake.call_logs("PutLogEvents", body)) == (400, "SerializationException"), body
        assert logs_code(fake.call_logs("PutLogEvents", b"not gzip", {"Content-Encoding": "gzip"})) == (400, "SerializationException")
        assert logs_code(fake.call_logs("PutLogEvents", {**PUT, "logEvents": []}, {"Content-Type": "application/json"}))[0] == 400
        assert logs_code(fake.call_logs("PutLogEvents", {**PUT, "logGroupName": "nowhere"})) == (400, "ResourceNotFoundException")
        assert logs_code(fake.call_logs("PutLogEvents", {**PUT, "logStreamName": "nowhere"})) == (400, "ResourceNotFoundException")
        assert len(fake.events()) == 2 + 10_000 + 1 + 2, "nothing of a refused batch is kept"


def test_logs_reject_single_events_by_age_and_take_the_rest():
    with fake_aws() as fake:
        with_stream(fake)
        start = now()

        def put(*pairs):
            answer = fake.call_logs("PutLogEvents", {**PUT, "logEvents": events(*pairs)})
            assert answer.status == 200, answer.body
            return answer.json().get("rejectedLogEventsInfo")
        assert put((start - 15 * DAY, "old"), (start, "good"), (start + 3 * HOUR, "new"), (start + 4 * HOUR, "newer")) == {
            "tooOldLogEventEndIndex": 1, "tooNewLogEventStartIndex": 2}
        assert put((start - 20 * DAY, "a"), (start - 19 * DAY, "b")) == {"tooOldLogEventEndIndex": 2}
        assert fake.call_logs("PutRetentionPolicy", {"logGroupName": GROUP, "retentionInDays": 3}).status == 200
        assert put((start - 15 * DAY, "old"), (start - 4 * DAY, "expired"), (start, "fine")) == {
            "tooOldLogEventEndIndex": 1, "expiredLogEventEndIndex": 2}
        assert [event["message"] for event in fake.events()] == ["good", "fine"]


def test_logs_check_names_keys_and_days():
    with fake_aws() as fake:
        refused, exists = (400, "InvalidParameterException"), (400, "ResourceAlreadyExistsException")
        for name in ("", "with space", "aws/mine", "x" * 513, "colon:"):
            assert logs_code(fake.call_logs("CreateLogGroup", {"logGroupName": name})) == refused, name
        key = "arn:aws:kms:{}:123456789012:key/01234567-89ab-cdef-0123-456789abcdef"
        for arn in ("alias/mine", key.format("us-east-1"), "arn:aws:kms:eu-central-1:123456789012:alias/mine"):
            assert logs_code(fake.call_logs("CreateLogGroup", {"logGroupName": "g", "kmsKeyId": arn})) == refused, arn
        assert fake.call_logs("CreateLogGroup", {"logGroupName": "g", "kmsKeyId": key.format("eu-central-1")}).status == 200
        assert logs_code(fake.call_logs("CreateLogGroup", {"logGroupName": "g"})) == exists
        for name in ("", "a:b", "a*", "x" * 513):
            assert logs_code(fake.call_logs("CreateLogStream", {"logGroupName": "g", "logStreamName": name})) == refused, name
        stream = {"logGroupName": "g", "logStreamName": STREAM}
        assert fake.call_logs("CreateLogStream", stream).status == 200
        assert logs_code(fake.call_logs("CreateLogStream", stream)) == exists
        assert logs_code(fake.call_logs("PutRetentionPolicy", {"logGroupName": "g", "retentionInDays": 4})) == refused


def test_a_signature_is_checked_as_each_service_checks_it():
    key = "/records-eu/AWSLogs/dt%3D2026/a%20b.json"
    with fake_aws() as fake:
        with_stream(fake)
        assert fake.call_s3("PUT", key, b"x").status == 200

        def both(**how):
            return (logs_code(fake.call_logs("DescribeLogGroups", {}, **how))[1], xml_code(fake.call_s3("PUT", key, b"x", **how))[1])
        assert both() == ("", "")
        assert both(secret="another") == ("InvalidSignatureException", "SignatureDoesNotMatch")
        assert both(access="AKIANOBODY") == ("UnrecognizedClientException", "InvalidAccessKeyId")
        assert both(token="surplus") == ("UnrecognizedClientException", "InvalidToken")
        assert both(region="us-east-1") == ("InvalidSignatureException", "AuthorizationHeaderMalformed")
        assert both(seconds=-400) == ("InvalidSignatureException", ""), "S3 takes 15 minutes"
        assert both(seconds=1000) == ("InvalidSignatureException", "RequestTimeTooSkewed")
        fake.set(clock_offset=1000)
        assert both(seconds=1000) == ("", "")
        date = fake.call_logs("DescribeLogGroups", {}).header("date")
        assert date and abs(time.mktime(time.strptime(date, "%a, %d %b %Y %H:%M:%S %Z")) - time.mktime(time.gmtime()) - 1000) < 60
        fake.set(clock_offset=0)
        for headers in ({}, {"Authorization": "Bearer x"}):
            answer = call(fake.url, key, b"x", headers, method="PUT")
            assert answer.status in (400, 403) and not answer.header("etag")
        assert xml_code(fake.call_s3("PUT", key, b"x", {"X-Amz-Content-Sha256": hashlib.sha256(b"y").hexdigest()})) == (400, "XAmzContentSHA256Mismatch")


def test_credentials_expire_and_new_ones_are_accepted():
    with fake_aws() as fake:
        def container():
            return call(fake.url, "/container/credentials", b"", {"Authorization": "fake-container-token"}, method="GET").json()

        def caller(key):
            return logs_code(fake.call_logs("DescribeLogGroups", {}, access=key["AccessKeyId"], secret=key["SecretAccessKey"], token=key["Token"]))
        first = container()
        assert caller(first) == (200, "") and container() == first
        fake.set(expire="temporary")
        assert caller(first) == (400, "ExpiredTokenException")
        second = container()
        assert second["AccessKeyId"] != first["AccessKeyId"] and caller(second) == (200, "") and caller(first) == (400, "ExpiredTokenException")
        assert xml_code(fake.call_s3("GET", "/records-eu?list-type=2", access=first["AccessKeyId"], secret=first["SecretAccessKey"],
                                     token=first["Token"])) == (400, "ExpiredToken")
        fake.set(expire="static")
        assert logs_code(fake.call_logs("DescribeLogGroups", {})) == (400, "ExpiredTokenException")
        fake.set(restore=True)
        assert logs_code(fake.call_logs("DescribeLogGroups", {})) == (200, "")
        assert call(fake.url, "/container/credentials", b"", {"Authorization": "fake-container-token\n".strip() + "x"}, method="GET").status == 403


def test_imds_wants_a_token():
    with fake_aws() as fake:
        path = "/latest/meta-data/iam/security-credentials/"

        def get(target, token=""):
            return call(fake.url, target, b"", {"X-aws-ec2-metadata-token": token}, method="GET")
        assert get(path).status == 401 and get(path, "made-up").status == 401
        assert call(fake.url, "/latest/api/token", b"", method="PUT").status == 400
        ttl = {"X-aws-ec2-metadata-token-ttl-seconds": "21600"}
        assert call(fake.url, "/latest/api/token", b"", {**ttl, "X-Forwarded-For": "10.0.0.1"}, method="PUT").status == 403
        token = call(fake.url, "/latest/api/token", b"", ttl, method="PUT").body.decode()
        role = get(path, token).body.decode()
        key = get(path + role, token).json()
        assert key["Code"] == "Success" and key["AccessKeyId"].startswith("ASIA") and key["Expiration"].endswith("Z")
        assert get("/latest/dynamic/instance-identity/document", token).json()["region"] == "eu-central-1"


def test_sts_says_who_and_hands_out_roles():
    role = "arn:aws:iam::123456789012:role/shipper"
    with fake_aws() as fake:
        assert b"<Account>123456789012</Account>" in fake.call_sts("GetCallerIdentity").body
        assert xml_code(fake.call_sts("GetCallerIdentity", signed=False)) == (403, "MissingAuthenticationToken")
        answer = fake.call_sts("AssumeRole", RoleArn=role, RoleSessionName="host")
        access, secret, token = (re.search(rf"<{name}>([^<]*)<".encode(), answer.body)[1].decode()
                                 for name in ("AccessKeyId", "SecretAccessKey", "SessionToken"))
        assert fake.call_s3("HEAD", "/records-eu", access=access, secret=secret, token=token).status == 200
        for bad in ({"RoleArn": "shipper"}, {"RoleSessionName": "white space"}, {"DurationSeconds": "60"}):
            assert xml_code(fake.call_sts("AssumeRole", **{"RoleArn": role, "RoleSessionName": "host", **bad})) == (400, "ValidationError"), bad
        fake.set(external_ids={role: "secret-handshake"})
        assert xml_code(fake.call_sts("AssumeRole", RoleArn=role, RoleSessionName="host")) == (403, "AccessDenied")
        assert fake.call_sts("AssumeRole", RoleArn=role, RoleSessionName="host", ExternalId="secret-handshake").status == 200
        web = {"RoleArn": role, "RoleSessionName": "pod", "signed": False}
        assert fake.call_sts("AssumeRoleWithWebIdentity", WebIdentityToken="fake.web.identity", **web).status == 200
        assert xml_code(fake.call_sts("AssumeRoleWithWebIdentity", WebIdentityToken="fake.web.identity\n", **web)) == (400, "ValidationError")
        assert xml_code(fake.call_sts("AssumeRoleWithWebIdentity", WebIdentityToken="stolen", **web)) == (400, "InvalidIdentityToken")
        assert xml_code(fake.call_sts("AssumeRoleWithWebIdentity", WebIdentityToken="expired", **web)) == (400, "ExpiredTokenException")


def test_s3_checks_checksums():
    body = b"123456789"
    right = {"sha256": base64.b64encode(hashlib.sha256(body).digest()).decode(), "sha1": base64.b64encode(hashlib.sha1(body).digest()).decode(),
             "crc32": base64.b64encode(binascii.crc32(body).to_bytes(4, "big")).decode(),
             "crc32c": base64.b64encode(bytes.fromhex("e3069283")).decode(),  # the published check values
             "crc64nvme": base64.b64encode(bytes.fromhex("ae8b14860a799888")).decode()}
    with fake_aws() as fake:
        def put(**headers):
            return xml_code(fake.call_s3("PUT", "/records-eu/k", body, {name.replace("_", "-"): value for name, value in headers.items()}))
        for name, value in right.items():
            assert put(**{f"x_amz_checksum_{name}": value, "x_amz_sdk_checksum_algorithm": name.upper()}) == (200, ""), name
            wrong = base64.b64encode(bytes(len(base64.b64decode(value)))).decode()
            assert put(**{f"x_amz_checksum_{name}": wrong}) == (400, "BadDigest"), name
            assert put(**{f"x_amz_checksum_{name}": "AAA"}) == (400, "InvalidRequest"), name
        assert put(x_amz_sdk_checksum_algorithm="SHA256") == (400, "InvalidRequest")
        assert put(x_amz_checksum_sha256=right["sha256"], x_amz_checksum_crc32=right["crc32"]) == (400, "InvalidRequest")
        assert put(content_md5=base64.b64encode(hashlib.md5(body).digest()).decode()) == (200, "")
        assert put(content_md5=right["crc32"]) == (400, "BadDigest")
        got = fake.call_s3("GET", "/records-eu/k", headers={"x-amz-checksum-mode": "ENABLED"})
        assert got.body == body


def test_s3_checks_owner_condition_encryption_tags_and_length():
    with fake_aws() as fake:
        def put(key="/records-eu/k", body=b"x", **headers):
            return xml_code(fake.call_s3("PUT", key, body, {name.replace("_", "-"): value for name, value in headers.items()}))
        assert put(x_amz_expected_bucket_owner="123456789012") == (200, "")
        assert put(x_amz_expected_bucket_owner="999999999999") == (403, "AccessDenied")
        assert put(if_none_match="*") == (412, "PreconditionFailed")
        assert put("/records-eu/new", if_none_match="*") == (200, "")
        assert put(if_none_match='"etag"') == (501, "NotImplemented")
        assert put("/records-eu/" + "k" * 1025) == (400, "KeyTooLongError")
        assert put("/nowhere/k") == (404, "NoSuchBucket")
        kind, key, bucket_key = ("x_amz_server_side_encryption", "x_amz_server_side_encryption_aws_kms_key_id",
                                 "x_amz_server_side_encryption_bucket_key_enabled")
        assert put(**{kind: "aws:kms", key: "alias/mine", bucket_key: "true"}) == (200, "")
        assert put(**{kind: "AES256"}) == (200, "")
        for bad in ({kind: "rot13"}, {key: "alias/mine"}, {kind: "AES256", key: "alias/mine"}, {kind: "AES256", bucket_key: "true"}):
            assert put(**bad) == (400, "InvalidArgument"), bad
        assert put(x_amz_tagging="team=search&stage=prod%20uction") == (200, "")
        assert put(x_amz_tagging="&".join(f"k{n}=v" for n in range(11))) == (400, "BadRequest")
        assert put(x_amz_tagging="a=1&a=2") == (400, "InvalidTag")
        assert put(x_amz_storage_class="STANDARD_IA") == (200, "") and put(x_amz_storage_class="COLD") == (400, "InvalidStorageClass")
        versions = fake.objects()["k"]
        assert len(versions) == 5 and len({version["sha256"] for version in versions}) == 1
        assert versions[3]["tags"] == {"team": "search", "stage": "prod uction"}
        connection = http.client.HTTPConnection("127.0.0.1", fake.port, timeout=10)
        headers = sign("s3", "PUT", fake.host, "/records-eu/chunked", b"xy", {})
        connection.request("PUT", "/records-eu/chunked", body=iter([b"x", b"y"]), headers={**headers, "Transfer-Encoding": "chunked"}, encode_chunked=True)
        assert connection.getresponse().status == 411
        connection.close()


def test_s3_names_the_buckets_region():
    with fake_aws("--bucket", "records-us=us-east-1") as fake:
        here = fake.call_s3("HEAD", "/records-eu")
        assert (here.status, here.header("x-amz-bucket-region")) == (200, "eu-central-1")
        there = fake.call_s3("HEAD", "/records-us")
        assert (there.status, there.header("x-amz-bucket-region"), there.body) == (301, "us-east-1", b"")
        denied = fake.call_s3("HEAD", "/records-eu", secret="another")
        assert (denied.status, denied.header("x-amz-bucket-region")) == (403, "eu-central-1"), "whatever the permissions"
        assert xml_code(fake.call_s3("PUT", "/records-us/k", b"x")) == (301, "PermanentRedirect")
        assert fake.call_s3("HEAD", "/nowhere").status == 404


def test_s3_lists_in_pages_and_takes_virtual_hosts():
    with fake_aws() as fake:
        for number in range(5):
            assert fake.call_s3("PUT", f"/records-eu/a/{number}", b"x").status == 200
        fake.call_s3("PUT", "/records-eu/b%3D1", b"x")
        page = fake.call_s3("GET", "/records-eu?list-type=2&max-keys=4")
        assert page.body.count(b"<Key>") == 4 and b"<IsTruncated>true<" in page.body
        token = re.search(rb"<NextContinuationToken>([^<]*)<", page.body)[1].decode()
        rest = fake.call_s3("GET", f"/records-eu?continuation-token={token}&list-type=2")
        assert re.findall(rb"<Key>([^<]*)<", rest.body) == [b"a/4", b"b=1"]
        grouped = fake.call_s3("GET", "/records-eu?delimiter=%2F&list-type=2")
        assert b"<CommonPrefixes><Prefix>a/</Prefix></CommonPrefixes>" in grouped.body and grouped.body.count(b"<Key>") == 1
        host = f"records-eu.localhost:{fake.port}"
        answer = call(fake.url, "/a/0", b"", sign("s3", "GET", host, "/a/0", b"", {}), method="GET", content_type=None)
        assert answer.status == 200 and answer.body == b"x"
        assert fake.call_s3("PUT", "/made-here").status == 400, "no LocationConstraint: us-east-1"


def test_bedrock_lists_profiles_in_pages_and_checks_ids_and_signatures():
    with fake_aws() as fake:
        def ask(target: str, service: str = "bedrock", **how):
            return call(fake.url, target, b"", sign(service, "GET", fake.host, target, b"", {}, **how), method="GET", content_type=None)

        def code(answer) -> tuple[int, str]:
            return answer.status, answer.header("x-amzn-errortype") or ""

        for number in range(3):
            fake.set(profile={"identifier": f"eu.a.b{number}", "model": "a.b", "regions": ["eu-central-1"]})
        fake.set(profile={"identifier": "1arbu5hu2sjr", "model": "a.b", "regions": ["", "eu-central-1"], "application": True}, profile_page=2)
        listing = "/inference-profiles?maxResults=1000&type=SYSTEM_DEFINED"
        first = ask(listing).json()
        assert [each["inferenceProfileId"] for each in first["inferenceProfileSummaries"]] == ["eu.a.b0", "eu.a.b1"]
        more = "/inference-profiles?maxResults=1000&nextToken=" + first["nextToken"].replace("=", "%3D") + "&type="
        rest = ask(more + "SYSTEM_DEFINED").json()
        assert [each["inferenceProfileId"] for each in rest["inferenceProfileSummaries"]] == ["eu.a.b2"] and "nextToken" not in rest
        assert code(ask(more + "APPLICATION")) == (400, "ValidationException")
        assert code(ask("/inference-profiles?maxResults=1001")) == (400, "ValidationException")
        arn = "arn%3Aaws%3Abedrock%3Aeu-central-1%3A123456789012%3Aapplication-inference-profile%2F1arbu5hu2sjr"
        found = ask(f"/inference-profiles/{arn}").json()
        assert found["type"] == "APPLICATION" and found["models"][0] == {"modelArn": "arn:aws:bedrock:::foundation-model/a.b"}
        assert code(ask("/inference-profiles/a%20b")) == (400, "ValidationException")
        assert code(ask("/inference-profiles/nobody")) == (404, "ResourceNotFoundException")
        assert code(ask(listing, service="sts"))[0] == 403
        assert code(ask(listing, secret="wrong")) == (403, "InvalidSignatureException")
        assert code(call(fake.url, listing, b"", method="GET", content_type=None)) == (403, "MissingAuthenticationTokenException")


def test_faults_happen_as_asked():
    with fake_aws() as fake:
        with_stream(fake)

        def put(key="k"):
            try:
                answer = fake.call_s3("PUT", f"/records-eu/{key}", key.encode())
                return answer.status, xml_code(answer)[1], answer.broken
            except (OSError, http.client.HTTPException) as error:
                return type(error).__name__

        def kept(key):
            return len(fake.objects().get(key, []))
        fake.fail("throttle", service="s3", operation="PutObject", skip=1, times=2, retry_after="2")
        assert [put("t") for _ in range(4)] == [(200, "", ""), (503, "SlowDown", ""), (503, "SlowDown", ""), (200, "", "")]
        fake.fail("throttle", service="logs")
        assert logs_code(fake.call_logs("DescribeLogGroups", {})) == (400, "ThrottlingException")
        for commit in (False, True):
            for kind, outcome in (("reset", {"ConnectionResetError"}), ("close", {"RemoteDisconnected"}), ("half_close", {"RemoteDisconnected"}),
                                  ("garbage", {"BadStatusLine"}), ("error", {(500, "InternalError", "")}), ("html", {(502, "", "")})):
                fake.fail(kind, service="s3", commit=commit)
                key = f"{kind}-{commit}"
                assert put(key) in outcome, kind
                assert kept(key) == int(commit), kind
        assert put("long-" + "x" * 900) == (200, "", "")
        fake.fail("cut", service="s3")
        cut = fake.call_s3("GET", "/records-eu/long-" + "x" * 900)
        assert cut.status == 200 and cut.broken
        fake.fail("redirect", service="s3", status=307, location="http://elsewhere.example/", region="us-east-1")
        answer = fake.call_s3("PUT", "/records-eu/r", b"x")
        assert (answer.status, answer.header("location"), answer.header("x-amz-bucket-region")) == (307, "http://elsewhere.example/", "us-east-1")
        fake.fail("slow", service="s3", seconds=0.3)
        started = time.monotonic()
        assert put("slow") == (200, "", "") and time.monotonic() - started > 0.29
        fake.fail("hang", service="s3", commit=True)
        connection = http.client.HTTPConnection("127.0.0.1", fake.port, timeout=0.3)
        connection.request("PUT", "/records-eu/hang", body=b"x", headers=sign("s3", "PUT", fake.host, "/records-eu/hang", b"x", {}))
        try:
            connection.getresponse()
            raise AssertionError("it answered")
        except (TimeoutError, socket.timeout):
            pass
        finally:
            connection.close()
        assert kept("hang") == 1
        fake.fail("reject", service="logs", operation="PutLogEvents", too_old=1, too_new=1)
        answer = fake.call_logs("PutLogEvents", {**PUT, "logEvents": events((now(), "a"), (now(), "b"), (now(), "c"))})
        assert answer.json()["rejectedLogEventsInfo"] == {"tooOldLogEventEndIndex": 1, "tooNewLogEventStartIndex": 2}
        assert [event["message"] for event in fake.events()] == ["b"]
        fake.fail("error", service="s3", status=400, code="InvalidRequest", body="poi.on", times=-1)
        for body, status in ((b"good", 200), (b"poison", 400), (gzip.compress(b"more poison"), 400)):
            assert fake.call_s3("PUT", "/records-eu/body", body).status == status
        assert call(fake.url, "/-/faults", {"add": [{"fault": "tornado"}]}).status == 400


def test_a_seed_draws_the_same_faults_again():
    def outcomes(fake, seed):
        fake.seed(seed, 0.5)
        found = []
        for number in range(30):
            try:
                found.append(xml_code(fake.call_s3("PUT", f"/records-eu/{seed}", b"x")))
            except (OSError, http.client.HTTPException) as error:
                found.append(type(error).__name__)
        return found
    with fake_aws() as fake:
        first = outcomes(fake, 7)
        assert first == outcomes(fake, 7) != outcomes(fake, 8)
        assert len(set(map(str, first))) > 3
        fake.work()
        assert all(fake.call_s3("PUT", "/records-eu/k", b"x").status == 200 for _ in range(10))


def test_the_journal_holds_no_secret():
    with fake_aws() as fake:
        fake.call_s3("PUT", "/records-eu/k", b"x")
        fake.call_sts("GetCallerIdentity")
        text = fake.journal_path.read_text()
        assert len(text.splitlines()) == 2 == len(fake.calls())
        assert SECRET_KEY not in text and "Signature=" not in text and fake.calls()[0]["key"] == ACCESS_KEY
        assert fake.calls("s3", "PutObject")[0]["committed"] is True
