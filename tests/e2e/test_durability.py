"""When a record is safe, and what a restart finds."""

import json
import signal
import socket
import subprocess
import time

from harness import event_stream, store
from harness.client import connect, converse, converse_body, converse_stream, target
from harness.processes import BUILD, Stack


def test_group_commit_is_durable_within_milliseconds():
    with Stack() as stack:
        converse(stack.agent.url, "warm up")
        store.wait_for(stack.agent.store, 1)
        for number in range(5):
            converse(stack.agent.url, f"x {number}")
            ended = time.monotonic()
            store.wait_for(stack.agent.store, number + 2)
            assert time.monotonic() - ended < 3  # 20 ms by design; a busy machine gets the rest


def test_strict_answers_only_after_the_commit():
    with Stack(durability="strict") as stack:
        directives = ["", "error=throttling", "chunk_bytes=40", "words=3000"]
        for number in range(12):
            ask = converse_stream if number % 3 else converse
            ask(stack.agent.url, f"x {number}", {"x-fake": directives[number % 4]})
            assert len(store.rows(stack.agent.store)) == number + 1, "the answer came before its record"


def test_strict_keeps_the_request_of_a_call_that_the_agent_did_not_survive():
    with Stack(durability="strict") as stack:
        body = json.dumps(converse_body("[[fake delay_ms=20000]] asked before the crash")).encode()
        client = socket.create_connection(("127.0.0.1", stack.agent.port))
        client.sendall(f"POST {target('converse')} HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body)
        deadline = time.monotonic() + 5
        while not store.rows(stack.agent.store, "SELECT 1 FROM intent") and time.monotonic() < deadline:
            time.sleep(0.01)
        stack.agent.kill()
        client.close()
        stack.agent = type(stack.agent)(stack.folder, stack.bedrock.url, durability="strict")
        row, = store.wait_for(stack.agent.store, 1)
        assert row["outcome"] == "interrupted" and row["operation"] == "Converse", row
        assert store.request(stack.agent.store, 1) == body
        assert store.rows(stack.agent.store, "SELECT 1 FROM intent") == []


def test_restart_goes_on_with_the_same_store():
    with Stack() as stack:
        for number in range(3):
            converse(stack.agent.url, f"before {number}")
        store.wait_for(stack.agent.store, 3)
        stack.restart_agent()
        converse(stack.agent.url, "after")
        rows = store.wait_for(stack.agent.store, 4)
        assert [row["id"] for row in rows] == [1, 2, 3, 4]
        assert b"before 0" in store.request(stack.agent.store, 1) and b"after" in store.request(stack.agent.store, 4)
        store.prove(stack.agent.store)


def test_kill_and_restart_loses_nothing_that_was_committed():
    with Stack() as stack:
        for number in range(4):
            converse(stack.agent.url, f"round {number}")
            store.wait_for(stack.agent.store, number + 1)
            stack.agent.kill()
            stack.agent = type(stack.agent)(stack.folder, stack.bedrock.url)
        for number in range(4):
            assert f"round {number}".encode() in store.request(stack.agent.store, number + 1)
        store.prove(stack.agent.store)


def test_stop_finishes_what_is_under_way():
    with Stack() as stack:
        connection = connect(stack.agent.url)
        connection.request("POST", target("converse-stream"), json.dumps(converse_body("x")),
                           {"Content-Type": "application/json", "x-fake": "words=20 gap_ms=50"})
        response = connection.getresponse()
        begun = response.read1(1 << 16)
        stack.agent.child.send_signal(signal.SIGTERM)
        asked = time.monotonic()
        body = begun + response.read()  # raises if it is cut
        assert time.monotonic() - asked > 0.5, "the answer was not under way any more"
        assert event_stream.frames(body)[-1][0][":event-type"] == "metadata" and len(event_stream.text(body).split()) == 20
        assert stack.agent.stop() == 0
        row, = store.rows(stack.agent.store)
        assert row["outcome"] == "complete", row["outcome"]
        kept = json.loads(store.response(stack.agent.store, 1))
        assert kept["output"]["message"]["content"] == [{"text": event_stream.text(body)}]


def test_the_store_is_pinned_to_its_region():
    with Stack() as stack:
        converse(stack.agent.url, "x")
        store.wait_for(stack.agent.store, 1)
        stack.agent.stop()
        other = stack.agent.state / "eu-west-1.db"
        other.write_bytes(stack.agent.store.read_bytes())
        done = subprocess.run([BUILD / "invlog", "agent", "--region", "eu-west-1", "--state-dir", stack.agent.state, "--listen", "127.0.0.1:0",
                               "--upstream", stack.bedrock.url], capture_output=True, text=True, timeout=20)
        assert done.returncode in (1, 2) and "eu-central-1" in done.stderr and "eu-west-1" in done.stderr, done
        assert len(done.stderr.strip().splitlines()) == 1, done.stderr
        assert (stack.agent.store.stat().st_mode & 0o777) == 0o600
        stack.agent = type(stack.agent)(stack.folder, stack.bedrock.url)


def test_a_second_agent_on_the_same_store_is_refused():
    with Stack() as stack:
        done = subprocess.run([BUILD / "invlog", "agent", "--config", stack.agent.configuration], capture_output=True, text=True, timeout=20,
                              env={"HOME": str(stack.folder)})
        assert done.returncode in (1, 2) and len(done.stderr.strip().splitlines()) >= 1, done
        assert converse(stack.agent.url, "the first goes on").status == 200
