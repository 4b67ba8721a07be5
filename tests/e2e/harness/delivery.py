"""An agent that delivers: a fake Bedrock before it, fake CloudWatch Logs and S3 behind it."""

import collections
import json
import pathlib
import shutil
import subprocess
import tempfile

from . import store
from .aws import BUCKET, GROUP, FakeAws, eventually
from .client import call, converse_body, target
from .processes import BEARER_KEY, BUILD, SIGNING, Stack, configuration

BEARER = {"Authorization": f"Bearer {BEARER_KEY}"}  # capture needs none of the agent's credentials


def to_s3(url: str, **changes) -> dict:
    """The least configuration for a compatible store, as issue and README write it."""
    return {"bucket": BUCKET, "endpoint": url, "path_style": True, "region_attested": True, "batch_age": "2s", **changes}


def to_logs(url: str, **changes) -> dict:
    return {"log_group": GROUP, "endpoint": url, "region_attested": True, "batch_age": "2s", **changes}


class Delivery(Stack):
    """`s3`, `logs`: changes of the least configuration, None: not that destination. `more`: further tables. A batch waits 0.2 s
    for company unless told otherwise: tests are in a hurry. `{aws}` in `credentials` is the fake's URL. The account is asked
    of STS with `account_id=None`."""

    def __init__(self, s3: dict | None = {}, logs: dict | None = {}, aws_options: tuple = (), bucket: str = BUCKET, more: dict | None = None,
                 credentials: dict | None = None, **agent_options):
        self.aws_folder = pathlib.Path(tempfile.mkdtemp(prefix="invlog-e2e-aws-"))
        self.aws = FakeAws(self.aws_folder, *aws_options, bucket=bucket)
        credentials = {**SIGNING, "AWS_ENDPOINT_URL_STS": "{aws}"} if credentials is None else credentials
        environment = {name: value.replace("{aws}", self.aws.url) for name, value in credentials.items()}
        agent_options = {name: value for name, value in {"account_id": "123456789012", **agent_options}.items() if value is not None}
        try:
            super().__init__(tables=self.tables(s3, logs, more), credentials=environment, **agent_options)
        except BaseException:
            self.aws.kill()
            shutil.rmtree(self.aws_folder, ignore_errors=True)
            raise

    def tables(self, s3: dict | None, logs: dict | None, more: dict | None = None) -> dict:
        tables = {}
        if s3 is not None:
            tables["exporters.s3"] = to_s3(self.aws.url, **{"batch_age": "200ms", **s3})
        if logs is not None:
            tables["exporters.cloudwatch_logs"] = to_logs(self.aws.url, **{"batch_age": "200ms", **logs})
        for name, keys in (more or {}).items():
            tables[name] = {**tables.get(name, {}), **keys}
        return tables

    def __exit__(self, kind, error, trace) -> None:
        try:
            super().__exit__(kind, error, trace)
        finally:
            self.aws.kill()
            shutil.rmtree(self.aws_folder, ignore_errors=True)

    def call(self, *texts: str) -> None:
        """One Converse call for each."""
        for text in texts:
            answer = call(self.agent.url, target("converse"), converse_body(text), BEARER)
            assert answer.status == 200, answer.body

    def write_configuration(self) -> None:
        """As the next agent would have it, for commands."""
        self.agent.configuration.write_text(configuration({"agent": self.agent.settings, **self.agent_options["tables"]}))

    def arrived(self, count: int, seconds: float = 20) -> tuple[list[dict], list[dict]]:
        """What is in S3 and in CloudWatch Logs, once there are at least `count` in each destination that is configured. What came
        twice does not stand for what has not come yet."""
        tables = self.agent_options["tables"]

        def different(records: list[dict]) -> int:
            return len({json.dumps(record, sort_keys=True) for record in records})

        def enough():
            found = (self.aws.records() if "exporters.s3" in tables else [], self.aws.lines() if "exporters.cloudwatch_logs" in tables else [])
            short = [len(records) for records, name in zip(found, ("exporters.s3", "exporters.cloudwatch_logs")) if name in tables and different(records) < count]
            assert not short, f"{[len(records) for records in found]} of {count} records arrived"
            return found
        return eventually(enough, seconds)

    def exported(self) -> list[dict]:
        """What the store holds."""
        return [json.loads(line) for line in store.invlog("export", "--store", self.agent.store).splitlines()]

    def check_arrived(self, count: int, seconds: float = 20) -> None:
        """Exactly the store's records in each destination; in CloudWatch Logs a record may have come more than once."""
        records, lines = self.arrived(count, seconds)
        expected = self.exported()
        assert len(expected) == count, f"{len(expected)} records in the store"
        tables = self.agent_options["tables"]
        if "exporters.s3" in tables:
            same(records, expected)
        if "exporters.cloudwatch_logs" in tables:
            unique = {record_id(line): line for line in lines}
            assert all(unique[record_id(line)] == line for line in lines)
            same([self.aws.whole(line) for line in unique.values()], expected)

    def invlog(self, *arguments: object, code: int = 0, seconds: float = 50, environment: dict | None = None) -> str:
        """A command with the agent's configuration; standard output. Its standard error is kept in self.said."""
        done = subprocess.run([str(BUILD / "invlog"), *map(str, arguments), "--config", str(self.agent.configuration)], capture_output=True,
                              text=True, timeout=seconds, env=environment or self.agent.environment)
        self.said = done.stderr
        assert done.returncode == code, f"invlog {arguments[0]} ended with {done.returncode}:\n{done.stdout}{done.stderr}"
        return done.stdout

    def ship(self, *arguments: object, **how) -> str:
        return self.invlog("ship", "--once", *arguments, **how)

    def destinations(self) -> dict[str, dict]:
        """`invlog status --json`, by destination."""
        return {one["destination"]: one for one in json.loads(self.invlog("status", "--json"))["destinations"]}

    def event_rows(self, kind: str) -> list[dict]:
        return store.rows(self.agent.store, f"SELECT * FROM event WHERE kind = '{kind}'")


def record_id(record: dict) -> str:
    return record["requestId"]


def same(found: list[dict], expected: list[dict]) -> None:
    counts = collections.Counter(map(record_id, found))
    assert counts == collections.Counter(map(record_id, expected)), \
        f"{sum(counts.values())} records, {len(counts)} different ones, of {len(expected)}"
    by_id = {record_id(record): record for record in expected}
    for record in found:
        assert record == by_id[record_id(record)], f"\n{json.dumps(record)[:3000]}\nis not\n{json.dumps(by_id[record_id(record)])[:3000]}"
