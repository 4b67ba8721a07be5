"""What monitoring sees: /metrics, /healthz, /readyz, and the log as JSON lines and in the journal."""

import json
import os
import re
import socket
import struct
import subprocess
import time

from harness import store
from harness.aws import eventually
from harness.client import MODEL, Answer, call, converse, converse_body, converse_stream, target
from harness.delivery import Delivery
from harness.processes import BEARER_KEY, BUILD, REPOSITORY, SIGNING, Process, Stack
from harness.skip import Skipped
from test_storage_failure import locked

SIDE_BY_SIDE = True
ADMIN = {"listen": "127.0.0.1:0"}
SECRET = "Nobody-but-the-store-may-know-this"


def url_of(stack: Stack) -> str:
    found = re.findall(r"metrics and health on (http://\S+:\d+)", stack.agent.errors())
    assert found, stack.agent.errors()
    return found[-1]


def get(stack: Stack, path: str) -> Answer:
    return call(url_of(stack), path, b"", method="GET", content_type=None)


def metrics(stack: Stack) -> tuple[str, dict[str, float]]:
    """The text, and each series' value."""
    answer = get(stack, "/metrics")
    assert answer.status == 200 and answer.header("Content-Type").startswith("text/plain; version=0.0.4"), answer
    text = answer.body.decode()
    return text, {name: float(value) for name, _, value in (line.rpartition(" ") for line in text.splitlines() if not line.startswith("#"))}


def test_metrics_say_what_has_happened():
    with Delivery(s3={}, logs=None, more={"admin": ADMIN, "policy": {"deny": ["global"]}}) as stack:
        _, before = metrics(stack)
        assert before['invlog_calls_total{operation="Converse",outcome="complete",status="2xx"}'] == 0
        stack.call("one", "two")
        converse_stream(stack.agent.url, "three")
        assert call(stack.agent.url, target("converse"), converse_body("x"), {"x-fake": "error=throttling"}).status == 429
        assert call(stack.agent.url, target("converse", "global.amazon.nova-2-lite-v1:0"), converse_body("x")).status == 403
        assert call(stack.agent.url, "/no/such/path", b"", method="GET").status == 404
        stack.arrived(5)

        def all_there():  # what is read of the store may be five seconds old
            text, seen = metrics(stack)
            assert seen.get('invlog_delivery_records_total{destination="s3"}') == 5, text
            return text, seen

        text, seen = eventually(all_there)
        in_readme = re.findall(r"`(…?)([a-z_0-9]+)(?:\{[a-z,]*\})?`", (REPOSITORY / "README.md").read_text())
        for name in re.findall(r"^# TYPE invlog_(\S+)", text, re.M):
            assert name == "build_info" or any(name.endswith(told) if begun else name == told for begun, told in in_readme), f"the README lacks {name}"
        calls = {name: value for name, value in seen.items() if name.startswith("invlog_calls_total") and value}
        assert calls == {'invlog_calls_total{operation="Converse",outcome="complete",status="2xx"}': 2,
                         'invlog_calls_total{operation="Converse",outcome="complete",status="4xx"}': 1,
                         'invlog_calls_total{operation="Converse",outcome="denied",status="4xx"}': 1,
                         'invlog_calls_total{operation="ConverseStream",outcome="complete",status="2xx"}': 1}, calls
        expected = {"invlog_requests_total": 6, "invlog_requests_passed_through_total": 1, 'invlog_requests_denied_total{reason="policy"}': 1,
                    "invlog_records_committed_total": 5, "invlog_records_dropped_total": 0, "invlog_requests_in_flight": 0,
                    "invlog_call_duration_seconds_count": 5, "invlog_store_last_record": 5, "invlog_store_readable": 1,
                    'invlog_delivery_backlog_records{destination="s3"}': 0, 'invlog_delivery_dead_letters{destination="s3"}': 0}
        assert {name: seen.get(name) for name in expected} == expected
        assert time.time() - 60 < seen['invlog_delivery_last_success_timestamp_seconds{destination="s3"}'] <= time.time()
        assert seen['invlog_store_bytes{file="database"}'] + seen['invlog_store_bytes{file="wal"}'] > 8192
        assert seen["process_resident_memory_bytes"] > 1 << 20
        assert abs(seen["process_start_time_seconds"] - time.time()) < 120 and seen["process_open_fds"] > 5
        assert MODEL not in text and "global.amazon" not in text, "a label has values from requests"


def test_ready_while_the_store_takes_records():
    with Stack(tables={"admin": ADMIN}) as stack:
        def ready():
            answer = get(stack, "/readyz")
            assert (answer.status, answer.body) == (200, b"ready\n"), answer
            return True
        eventually(ready)
        with locked(stack.agent.store):
            converse(stack.agent.url, "while locked")

            def not_ready():
                answer = get(stack, "/readyz")
                assert answer.status == 503 and answer.body.startswith(b"the store takes no records: "), answer
                return True
            eventually(not_ready)
            assert get(stack, "/healthz").status == 200
            assert metrics(stack)[1]["invlog_store_failing"] == 1
        eventually(ready)


def test_ready_with_credentials_or_without_the_need_of_any():
    with Stack(credentials={}, tables={"admin": ADMIN}) as stack:
        def not_ready():
            assert (get(stack, "/readyz").status, get(stack, "/readyz").body) == (503, b"AWS credentials: there are none\n")
            return True
        eventually(not_ready)
        stack.restart_agent(tables={"admin": {**ADMIN, "ready_needs_credentials": False}})
        assert get(stack, "/readyz").status == 200
        assert call(stack.agent.url, target("converse"), converse_body("x"), {"Authorization": f"Bearer {BEARER_KEY}"}).status == 200


def test_credentials_of_another_account_than_the_stores_are_told():
    with Delivery(s3=None, logs=None, more={"admin": ADMIN}, account_id="999999999999") as stack:  # STS says 123456789012
        problem = f"the agent's credentials are of account 123456789012, but {stack.agent.store} belongs to another"

        def told():
            answer = get(stack, "/readyz")
            assert answer.status == 503 and f"AWS credentials: {problem}".encode() in answer.body, answer
            (error,) = json.loads(stack.invlog("status", "--json"))["agent"]["last_errors"]
            assert problem in error, error
            return True
        eventually(told)
        assert converse(stack.agent.url, "signed by the agent").status == 200
        store.wait_for(stack.agent.store, 1)
        (record,) = stack.exported()
        assert record["identity"]["arn"] == "arn:aws:iam::123456789012:user/invlog" and record["accountId"] == "123456789012", record


def test_a_unix_socket_serves_too_and_no_admin_means_none():
    with Stack() as stack:
        assert "metrics and health" not in stack.agent.errors()
        path = stack.folder / "admin.sock"
        stack.restart_agent(tables={"admin": {"listen": f"unix:{path}"}})
        for options in ([], ["--http2-prior-knowledge"]):
            done = subprocess.run(["curl", "-sS", "--unix-socket", path, *options, "http://localhost/healthz"], capture_output=True, timeout=20)
            assert done.stdout == b"ok\n", done
        stack.agent.stop()
        assert not path.exists()
        stack.start_agent()


def test_json_lines_name_the_request_and_nothing_of_its_content():
    with Stack(log_format="json", log_level="trace") as stack:
        answer = converse(stack.agent.url, SECRET)
        assert answer.status == 200 and SECRET.encode() in answer.body
        converse_stream(stack.agent.url, SECRET)
        call(stack.agent.url, target("converse"), b'{"messages":' + SECRET.encode())
        store.wait_for(stack.agent.store, 3)
        lines = [json.loads(line) for line in stack.agent.errors().splitlines()]
        about = [line for line in lines if line.get("request_id") == answer.header("x-amzn-RequestId")]
        assert len(about) == 1 and about[0]["message"].startswith("Converse: complete, status 200, "), lines
        assert about[0]["level"] == "debug" and len(about[0]["message_id"]) == 32
        assert any(line["message"].startswith("invlog ") for line in lines), lines
        assert SECRET not in stack.agent.errors()


def journal_entry(datagram: bytes) -> dict[str, str]:
    """systemd.io/JOURNAL_NATIVE_PROTOCOL"""
    fields = {}
    while datagram:
        line, _, rest = datagram.partition(b"\n")
        name, separator, value = line.partition(b"=")
        if not separator:
            length, = struct.unpack_from("<Q", rest)
            value, rest = rest[8:8 + length], rest[9 + length:]
        fields[name.decode()] = value.decode()
        datagram = rest
    return fields


def test_the_journal_gets_fields_where_standard_error_is_the_journal():
    with Stack() as stack:
        stack.agent.stop()
        folder = stack.folder / "journal"
        folder.mkdir()
        journal = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        journal.bind(str(folder / "socket"))
        own = ["--user", "--map-root-user"] if os.geteuid() else []
        namespace = ["unshare", "--mount", *own, "sh", "-c", 'mount -t tmpfs none /run && mkdir /run/systemd && ln -s "$0" /run/systemd/journal && exec "$@"',
                     str(folder)]
        if subprocess.run([*namespace, "true"], capture_output=True).returncode:
            raise Skipped("no mount namespace can be made here")
        errors = stack.folder / "journaled.stderr"
        errors.touch()
        where = errors.stat()
        agent = Process("journaled", [*namespace, BUILD / "invlog", "agent", "--config", stack.agent.configuration, "--log-level", "debug"], stack.folder,
                        {"PATH": os.environ["PATH"], "HOME": str(stack.folder), "AWS_EC2_METADATA_DISABLED": "true", **SIGNING,
                         "JOURNAL_STREAM": f"{where.st_dev}:{where.st_ino}"}, r"127\.0\.0\.1:(\d+)")
        answer = converse(f"http://127.0.0.1:{agent.port}", SECRET)
        assert agent.stop() == 0 and not agent.errors(), agent.errors()
        journal.settimeout(1)
        entries = []
        while not entries or entries[-1]["MESSAGE"] != "stopping":
            entries.append(journal_entry(journal.recv(1 << 16)))
        journal.close()
        assert all(entry["SYSLOG_IDENTIFIER"] == "invlog" and SECRET not in str(entry) for entry in entries), entries
        about, = [entry for entry in entries if entry.get("INVLOG_REQUEST_ID") == answer.header("x-amzn-RequestId")]
        assert about["PRIORITY"] == "7" and about["MESSAGE"].startswith("Converse: complete"), about
        assert (entries[-1]["PRIORITY"], entries[-1]["MESSAGE_ID"]) == ("6", "19b8d3dd23504fc988b2fcb55dc8535d")
        stack.start_agent()
