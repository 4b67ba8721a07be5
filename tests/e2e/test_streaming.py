"""Time: no chunk waits for the next, and slow clients slow the service instead of filling memory."""

import json
import socket
import time

from harness import store
from harness.client import call, converse_body, converse_stream, target
from harness.processes import Stack


def test_no_chunk_waits_for_the_next():
    with Stack() as stack:
        for operation, path, body in (
                ("ConverseStream", target("converse-stream"), converse_body("one two three four five six")),
                ("Responses", "/openai/v1/responses", {"model": "openai.gpt-oss-20b-1:0", "input": "one two three", "stream": True})):
            answer = call(stack.agent.url, path, body, {"x-fake": "gap_ms=60"})
            times = [moment for moment, _ in answer.chunks]
            assert len(times) >= 10, f"{operation}: {len(times)} chunks"
            # The service sends a frame each 60 ms and a bit; a proxy that waits for more doubles some gap.
            late = [round(second - first, 3) for first, second in zip(times, times[1:]) if second - first > 0.110]
            assert len(late) <= 1, f"{operation}: frames came late: {late}"
            assert times[0] < 0.05 and times[-1] > 0.060 * (len(times) - 1) * 0.9


def test_parts_of_frames_pass_as_they_come():
    with Stack() as stack:
        answer = converse_stream(stack.agent.url, "x", {"x-fake": "chunk_bytes=100 gap_ms=5"})
        assert len(answer.chunks) > 5
        store.wait_for(stack.agent.store, 1)
        assert json.loads(store.response(stack.agent.store, 1))["output"]["message"]["content"] == [{"text": "You said: x"}]


def test_a_slow_reader_does_not_fill_the_agents_memory():
    with Stack() as stack:
        before = stack.agent.resident_kilobytes()
        body = json.dumps({"messages": [{"role": "user", "content": [{"text": "[[fake words=150000]]"}]}]}).encode()
        client = socket.socket()
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
        client.connect(("127.0.0.1", stack.agent.port))
        client.sendall(f"POST {target('converse-stream')} HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n"
                       f"Connection: close\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body)
        client.recv(1000)
        time.sleep(1.5)
        grown = stack.agent.resident_kilobytes() - before
        # 30 MB are on offer; a proxy without backpressure would have taken them.
        assert grown < 20_000, f"{grown} KB more while the client does not read"
        client.close()
        store.wait_for(stack.agent.store, 1)
