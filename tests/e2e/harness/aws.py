"""The fake of CloudWatch Logs, S3, STS and the credential endpoints, and what a test asks it."""

import gzip
import json
import os
import pathlib
import re
import time
from urllib.parse import quote

from .client import Answer, call
from .processes import PYTHON, REPOSITORY, Process
from .signing import sign

BUCKET, GROUP, STREAM = "records-eu", "/invlog/records", "aws/bedrock/modelinvocations"
ACCOUNT = "123456789012"
MARKER = "invlog-permission-check"
RECORD_KEY = re.compile(r"(?:.+/)?AWSLogs/(\d{12})/BedrockModelInvocationLogs/([a-z0-9-]+)/(\d{4})/(\d\d)/(\d\d)/(\d\d)/"
                        r"(\d{8}T\d{6,10}Z_[0-9a-f]+)\.json(\.gz|\.zst)?")


class FakeAws(Process):
    def __init__(self, folder: pathlib.Path, *options: object, bucket: str = BUCKET, name: str = "aws"):
        self.journal_path = folder / f"{name}.journal"
        self.bucket = bucket.partition("=")[0]
        buckets = ["--bucket", bucket] if bucket else []
        super().__init__(name, [PYTHON, REPOSITORY / "tests/fakes/aws", "--journal", self.journal_path, *buckets, *options], folder,
                         {"PATH": os.environ["PATH"]}, r"listening on \S+:(\d+)")
        self.host, self.url = f"127.0.0.1:{self.port}", f"http://127.0.0.1:{self.port}"

    def _ask(self, what: str) -> object:
        answer = call(self.url, f"/-/{what}", b"", method="GET")
        assert answer.status == 200, answer.body
        return answer.json()

    def _tell(self, what: str, values: dict) -> None:
        answer = call(self.url, f"/-/{what}", values)
        assert answer.status == 200, answer.body

    def fail(self, fault: str, **rule) -> None:
        """Adds one rule; tests/fakes/aws/faults.py has them."""
        self._tell("faults", {"add": [{"fault": fault, **rule}]})

    def seed(self, seed: int, rate: float, **more) -> None:
        self._tell("faults", {"seed": seed, "rate": rate, **more})

    def work(self) -> None:
        """No more faults."""
        self._tell("faults", {"clear": True})

    def set(self, **settings) -> None:
        self._tell("settings", settings)

    def calls(self, service: str = "", operation: str = "") -> list[dict]:
        return [line for line in self._ask("calls") if service in ("", line["service"]) and operation in ("", line["operation"])]

    def groups(self) -> dict:
        return self._ask("groups")

    def events(self, group: str = GROUP, stream: str = STREAM) -> list[dict]:
        return self._ask("events").get(group, {}).get(stream, [])

    def lines(self, group: str = GROUP, stream: str = STREAM) -> list[dict]:
        """The records that came to CloudWatch Logs, as often as they came."""
        return [json.loads(event["message"]) for event in self.events(group, stream) if event["message"].startswith("{")]

    def objects(self) -> dict[str, list[dict]]:
        """{key: versions} of the bucket, without the permission check's markers."""
        return {key: versions for key, versions in self._ask("objects").get(self.bucket, {}).items() if not key.endswith(MARKER)}

    def body(self, key: str) -> bytes:
        answer = call(self.url, f"/-/object?bucket={self.bucket}&key={quote(key, safe='')}", b"", method="GET")
        assert answer.status == 200, answer.body
        return answer.body

    def records(self) -> list[dict]:
        """The records in the bucket, in the order of keys, bodies of data/ put back. Checks names and versions: each
        object that was written more than once was written with the same bytes."""
        found = []
        for key, versions in sorted(self.objects().items()):
            assert len({version["sha256"] for version in versions}) == 1, f"{key} was overwritten with other bytes"
            if "/data/" in key:
                continue
            assert RECORD_KEY.fullmatch(key), f"{key} is no name that AWS gives"
            found += [self.whole(json.loads(line)) for line in unpack(key, self.body(key)).decode().splitlines()]
        return found

    def whole(self, record: dict) -> dict:
        """The record with its bodies from data/ in place."""
        for part, body, path in (("input", "inputBodyJson", "inputBodyS3Path"), ("output", "outputBodyJson", "outputBodyS3Path")):
            if path in record.get(part, {}):
                place = record[part].pop(path)
                assert place.startswith(f"s3://{self.bucket}/"), place
                key = place[len(f"s3://{self.bucket}/"):]
                record[part][body] = json.loads(unpack(key, self.body(key)))
        return record

    def call_logs(self, operation: str, body: dict | bytes, headers: dict | None = None, **how) -> Answer:
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        wanted = {"Content-Type": "application/x-amz-json-1.1", "X-Amz-Target": f"Logs_20140328.{operation}", **(headers or {})}
        return call(self.url, "/", data, sign("logs", "POST", self.host, "/", data, wanted, **how))

    def call_s3(self, method: str, target: str, body: bytes = b"", headers: dict | None = None, **how) -> Answer:
        return call(self.url, target, body, sign("s3", method, self.host, target, body, headers or {}, **how), method=method, content_type=None)

    def call_sts(self, action: str, signed: bool = True, headers: dict | None = None, **parameters) -> Answer:
        form = "&".join(f"{name}={quote(value, safe='')}" for name, value in {"Action": action, "Version": "2011-06-15", **parameters}.items()).encode()
        wanted = {"Content-Type": "application/x-www-form-urlencoded", **(headers or {})}
        return call(self.url, "/", form, sign("sts", "POST", self.host, "/", form, wanted) if signed else wanted)


def unpack(key: str, data: bytes) -> bytes:
    assert not key.endswith(".zst"), "Python's standard library has no zstd"
    return gzip.decompress(data) if key.endswith(".gz") else data


def eventually(what, seconds: float = 20, gap: float = 0.05):
    """What `what()` gives, as soon as that is true. Its exceptions are waited out too: what it looks at may not be there yet."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            found = what()
            if found:
                return found
            problem: object = found
        except Exception as error:
            problem = error
        assert time.monotonic() < deadline, f"not within {seconds} s: {problem!r}"
        time.sleep(gap)
