"""HTTP/2 with prior knowledge on the same port."""

import json
import subprocess

from harness import event_stream, store
from harness.client import converse, converse_body, target
from harness.processes import Stack


def curl(url: str, body: dict, *options: str) -> tuple[str, bytes]:
    """(HTTP version and status, body)"""
    done = subprocess.run(["curl", "-sS", "--http2-prior-knowledge", "-w", "\n%{http_version} %{http_code}", "-H", "Content-Type: application/json",
                           "-d", json.dumps(body), *options, url], capture_output=True, timeout=30, check=True)
    content, _, line = done.stdout.rpartition(b"\n")
    return line.decode(), content


def test_http2_calls_become_records():
    with Stack() as stack:
        version, body = curl(stack.agent.url + target("converse"), converse_body("over HTTP/2"))
        assert version == "2 200" and b"You said: over HTTP/2" in body
        version, stream = curl(stack.agent.url + target("converse-stream"), converse_body("streamed"))
        assert version == "2 200" and event_stream.text(stream) == "You said: streamed"
        version, error = curl(stack.agent.url + target("converse", "nope"), converse_body("x"))
        assert version == "2 400" and json.loads(error) == {"message": "The provided model identifier is invalid."}
        assert converse(stack.agent.url, "over HTTP/1.1").status == 200
        rows = store.wait_for(stack.agent.store, 4)
        assert [row["operation"] for row in rows] == ["Converse", "ConverseStream", "Converse", "Converse"]
        assert [row["outcome"] for row in rows] == ["complete"] * 4
        assert store.response(stack.agent.store, 1) == body


def test_http2_large_bodies_pass_both_ways():
    with Stack() as stack:
        file = stack.folder / "body.json"
        file.write_text(json.dumps(converse_body("large " * 300_000 + "[[fake words=100000]]")))
        done = subprocess.run(["curl", "-sS", "--http2-prior-knowledge", "-H", "Content-Type: application/json", "--data-binary", f"@{file}",
                               stack.agent.url + target("converse")], capture_output=True, timeout=30, check=True)
        assert len(done.stdout) > 400_000
        store.wait_for(stack.agent.store, 1)
        assert store.request(stack.agent.store, 1) == file.read_bytes() and store.response(stack.agent.store, 1) == done.stdout


def test_http2_broken_streams_are_reset_not_ended():
    with Stack() as stack:
        done = subprocess.run(["curl", "-sS", "--http2-prior-knowledge", "-H", "Content-Type: application/json", "-H", "x-fake: cut=3:10",
                               "-d", json.dumps(converse_body("x")), "-o", "/dev/null", stack.agent.url + target("converse-stream")],
                              capture_output=True, timeout=30)
        assert done.returncode in (18, 56, 92), done
        assert store.wait_for(stack.agent.store, 1)[0]["outcome"] == "upstream-closed"


def test_http2_client_that_goes_away_is_recorded():
    with Stack() as stack:
        done = subprocess.run(["curl", "-sS", "--http2-prior-knowledge", "--max-time", "0.6", "-H", "Content-Type: application/json", "-d",
                               json.dumps(converse_body("[[fake words=400 gap_ms=20]]")), "-o", "/dev/null",
                               stack.agent.url + target("converse-stream")], capture_output=True, timeout=30)
        assert done.returncode == 28, done
        assert store.wait_for(stack.agent.store, 1)[0]["outcome"] == "client-closed"
        assert converse(stack.agent.url, "the next").status == 200
