"""What goes wrong passes to the client as it came, and is in the record."""

import fcntl
import json
import os
import socket
import sys
import tempfile
import termios
import time

from harness import store
from harness.client import call, converse, converse_body, converse_stream, target
from harness.processes import BEARER_KEY, Stack

BEARER = {"Authorization": f"Bearer {BEARER_KEY}"}


def same_view(stack: Stack, operation: str, directive: str):
    """The call through the agent, after a check that the client sees what it sees without the agent."""
    direct, through = (call(url, target(operation), converse_body("one two three"), {**headers, "x-fake": f"request_id=fixed {directive}"})
                       for url, headers in ((stack.bedrock.url, BEARER), (stack.agent.url, {})))
    # A TCP reset may overtake the last bytes before it.
    same = through.body == direct.body or directive.startswith("reset") and (through.body + direct.body)[:1] and (
        through.body.startswith(direct.body) or direct.body.startswith(through.body))
    assert through.status == direct.status and same, f"{directive}: {through} is not {direct}"
    assert bool(through.broken) == bool(direct.broken), f"{directive}: {through.broken!r} is not {direct.broken!r}"
    for name in ("x-amzn-ErrorType", "x-amzn-RequestId", "Content-Type"):
        assert through.header(name) == direct.header(name), name
    return through


def test_service_errors_pass_and_are_recorded():
    names = ["validation", "quota", "access-denied", "expired-token", "not-found", "model-timeout", "model-error", "throttling", "not-ready",
             "internal", "unavailable"]
    with Stack() as stack:
        answers = [same_view(stack, operation, f"error={name}") for name in names for operation in ("converse", "converse-stream")]
        assert sorted({answer.status for answer in answers}) == [400, 403, 404, 408, 424, 429, 500, 503]
        for row, answer in zip(store.wait_for(stack.agent.store, len(answers)), answers):
            assert (row["status"], row["outcome"]) == (answer.status, "complete")
            assert row["error"] == answer.header("x-amzn-ErrorType").partition(":")[0]
            assert store.response(stack.agent.store, row["id"]) == answer.body
        line = store.record(stack.agent.store, 1)
        assert line["errorCode"] == "ValidationException", line


def test_a_wrong_model_is_an_error_of_the_service():
    with Stack() as stack:
        answer = call(stack.agent.url, target("converse", "does-not-exist"), converse_body("x"))
        assert (answer.status, answer.json()) == (400, {"message": "The provided model identifier is invalid."})
        row, = store.wait_for(stack.agent.store, 1)
        assert (row["model"], row["error"], row["input_tokens"]) == ("does-not-exist", "ValidationException", None)


def test_exception_frames_pass_and_name_the_error():
    with Stack() as stack:
        for name in ("throttlingException", "modelStreamErrorException", "internalServerException", "error"):
            same_view(stack, "converse-stream", f"exception=3:{name}")
        rows = store.wait_for(stack.agent.store, 4)
        assert [row["error"] for row in rows] == ["throttlingException", "modelStreamErrorException", "internalServerException",
                                                  "internalServerError"]
        assert all(row["status"] == 200 and row["outcome"] == "complete" for row in rows)
        assert b"You said:" in store.response(stack.agent.store, 1), "what had arrived before the exception is not in the record"


def test_cut_streams_and_bodies_are_recorded_with_what_arrived():
    with Stack() as stack:
        for directive in ("cut=3:0", "cut=3:25", "reset=3:25"):
            same_view(stack, "converse-stream", directive)
        same_view(stack, "converse", "cut=0:20")
        rows = store.wait_for(stack.agent.store, 4)
        assert [row["outcome"] for row in rows] == ["upstream-closed"] * 4
        for identifier in (1, 2):
            assert b"You said:" in store.response(stack.agent.store, identifier)
        assert store.response(stack.agent.store, 4) == b'{"metrics":{"latencyM'[:20]


def test_damaged_streams_pass_unchanged_and_the_damage_is_recorded():
    with Stack() as stack:
        for directive in ("crc=3", "prelude_crc=3", "flip=3"):
            same_view(stack, "converse-stream", directive)
        for row in store.wait_for(stack.agent.store, 3):
            assert row["status"] == 200 and "checksum" in json.loads(row["details"])["damage"]["cause"], row
            assert row["outcome"] == "upstream-closed" and "damaged" in json.loads(row["details"])["error"], row
        usage, = map(json.loads, store.invlog("usage", "--json", "--store", stack.agent.store).splitlines())
        assert (usage["calls"], usage["errors"]) == (3, 3), usage


def test_a_gateways_html_and_odd_answers_pass():
    with Stack() as stack:
        for directive in ("status=502", "status=504", "status=429"):
            same_view(stack, "converse", directive)
        rows = store.wait_for(stack.agent.store, 3)
        assert [row["status"] for row in rows] == [502, 504, 429]
        record = store.record(stack.agent.store, 1)
        assert record["output"]["outputContentType"].startswith("text/html"), record


def test_service_that_closes_without_an_answer():
    with Stack() as stack:
        answer = converse(stack.agent.url, "x", {"x-fake": "close=1"})
        assert answer.status in (502, 503) and answer.json()["message"], answer
        row, = store.wait_for(stack.agent.store, 1)
        assert row["outcome"] == "upstream-closed", row


def test_a_pooled_connection_that_was_closed_is_replaced_silently():
    with Stack() as stack:
        for number in range(6):
            assert converse(stack.agent.url, f"x {number}", {"x-fake": "hang_up=1"}).status == 200
            time.sleep(0.05)  # the end of the connection is there before the next call
        store.wait_for(stack.agent.store, 6)
        assert len(stack.bedrock.journal_path.read_text().splitlines()) == 6, "a call was sent twice"


def test_service_that_is_not_there():
    with Stack() as stack:
        stack.bedrock.kill()
        answer = converse(stack.agent.url, "x")
        assert answer.status in (502, 503) and answer.header("x-amzn-ErrorType"), answer
        row, = store.wait_for(stack.agent.store, 1)
        assert row["outcome"] == "upstream-closed" and row["details"], row
        assert json.loads(store.request(stack.agent.store, 1)) == converse_body("x")


def test_service_that_stalls_is_given_up_after_the_idle_timeout():
    with Stack(idle_timeout="1s") as stack:
        started = time.monotonic()
        stream = converse_stream(stack.agent.url, "x", {"x-fake": "stall=2:20000"})
        silent = converse(stack.agent.url, "x", {"x-fake": "delay_ms=20000"})
        assert time.monotonic() - started < 6
        assert stream.broken and stream.body, "a stalled stream must end broken, after what had arrived"
        assert silent.status == 504, silent
        assert [row["outcome"] for row in store.wait_for(stack.agent.store, 2)] == ["timeout", "timeout"]


def test_client_that_goes_away_is_recorded_and_cancels_the_call():
    with Stack() as stack:
        body = json.dumps(converse_body("[[fake words=400 gap_ms=20]]")).encode()
        client = socket.create_connection(("127.0.0.1", stack.agent.port))
        client.sendall(f"POST {target('converse-stream')} HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n"
                       f"Content-Length: {len(body)}\r\n\r\n".encode() + body)
        seen = b""
        while seen.count(b"contentBlockDelta") < 3:
            seen += client.recv(65536)
        client.close()
        row, = store.wait_for(stack.agent.store, 1, seconds=5)
        assert (row["outcome"], row["status"]) == ("client-closed", 200), row
        assert b'"text"' in store.response(stack.agent.store, 1)
        deadline = time.monotonic() + 3
        while not stack.bedrock.journal_path.read_text() and time.monotonic() < deadline:
            time.sleep(0.02)
        assert json.loads(stack.bedrock.journal_path.read_text())["ending"] == "client-gone", "the upstream call went on"


def test_malformed_requests_get_an_answer_and_end_nothing():
    attacks = [b"GARBAGE\r\n\r\n", b"POST /model/x/converse HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
               b"POST /model/x/converse HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n", b"POST /model/x/converse HTTP/1.1\r\nHost: a\r\n"
               + b"X: " + b"y" * 200_000 + b"\r\n\r\n", b"POST /model/x/converse HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd",
               b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\xff" * 100, b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"]
    with Stack() as stack:
        for attack in attacks:
            client = socket.create_connection(("127.0.0.1", stack.agent.port))
            client.settimeout(5)
            client.sendall(attack)
            try:
                said = client.recv(65536)
            except ConnectionResetError:
                said = b""
            client.close()
            assert not said.startswith(b"HTTP/1.1 2"), (attack[:60], said)
        assert converse(stack.agent.url, "still there").status == 200


def test_a_log_that_nobody_reads_holds_up_no_call_and_no_stop():
    with tempfile.TemporaryDirectory() as folder:
        pipe = os.path.join(folder, "log")
        os.mkfifo(pipe)
        unread = os.open(pipe, os.O_RDWR)
        fcntl.fcntl(unread, fcntl.F_SETPIPE_SZ, 4096)
        with Stack(log_level="debug", wrapper=["sh", "-c", 'exec "$@" 2>"$0"', pipe]) as stack:
            for _ in range(150):
                assert call(stack.agent.url, target("converse"), converse_body("x")).status == 200
            waiting = int.from_bytes(fcntl.ioctl(unread, termios.FIONREAD, bytes(4)), sys.byteorder)
            assert waiting > 3000, f"{waiting} bytes: the pipe is not full"
            assert stack.agent.stop() == 0
            assert len(store.wait_for(stack.agent.store, 150)) == 150
        os.close(unread)
