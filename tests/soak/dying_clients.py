"""Clients that die, at each point of a call, and clients that never get to it."""

import json
import socket
import struct
import time
from urllib.parse import urlsplit

from harness.client import converse_body, target

from ledger import Application

WAYS = ("connect", "idle", "slow-head", "head", "body", "waiting", "reading", "garbage")


class DyingClient(Application):
    MOST_OPEN = 40

    def __init__(self, *arguments):
        super().__init__(*arguments)
        self.open: list[tuple[float, socket.socket]] = []  # left open until then

    def cost(self) -> float:
        return 2.0

    def leave(self) -> None:
        for _, one in self.open:
            one.close()
        self.open.clear()

    def step(self) -> None:
        now = time.monotonic()
        for until, one in self.open:
            if until <= now:
                one.close()
        self.open = [(until, one) for until, one in self.open if until > now]
        parts = urlsplit(self.url)
        client = socket.create_connection((parts.hostname, parts.port), 20)
        way, reset = self.random.choice(WAYS), self.random.random() < 0.4
        try:
            self._live(client, way, reset, parts.netloc)
        finally:
            if way in ("idle", "slow-head") and len(self.open) < self.MOST_OPEN:
                self.open.append((now + self.random.uniform(1, 30), client))
            else:
                client.close()

    def _live(self, client: socket.socket, way: str, reset: bool, host: str) -> None:
        if reset:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        if way in ("connect", "idle"):
            return
        if way == "garbage":
            client.sendall(b"\x16\x03\x01 GARBAGE\r\n\r\n")
            return
        gap = 20 if way in ("waiting", "reading") else 0
        text = f"{self.random.getrandbits(96):x} [[fake words=200 gap_ms={gap}" + (" delay_ms=1500]]" if way == "waiting" else "]]")
        body = json.dumps(converse_body(text, system=[{"text": "x" * self.random.choice((10, 70_000))}])).encode()
        call = self.ledger.begin()
        head = (f"POST {target('converse-stream')} HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\n"
                f"amz-sdk-invocation-id: {call.marker}\r\nContent-Length: {len(body)}\r\n\r\n").encode()
        seen, status = {"slow-head": "in-head", "head": "in-head", "body": "in-body"}.get(way, way), 0
        try:
            if seen == "in-head":
                client.sendall(head[:self.random.randrange(1, len(head) - 4)])
            elif seen == "in-body":
                client.sendall(head + body[:self.random.randrange(len(body))])
            else:
                client.sendall(head + body)
                if seen == "waiting":
                    time.sleep(self.random.random() * 0.2)
                elif b'"invlog: ' in (answer := client.recv(4096)):
                    # Such an answer is sent whole. One cause is the service's unannounced close of a kept connection
                    # (hang_up), which meets this request on its way.
                    seen, status = "complete", int(answer.split(b" ", 2)[1])
                elif not answer.startswith(b"HTTP/1.1 200"):
                    seen = "waiting"  # the agent's end came
        except OSError:
            seen = "unanswered"  # the agent's end came first
        if way not in ("slow-head", "idle"):
            client.close()
        self.ledger.end(call, seen, status, by_agent=status != 0, reset=reset)
