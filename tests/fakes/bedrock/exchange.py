"""One request and one response, whatever HTTP version carried them."""

import hashlib
from dataclasses import dataclass, field
from typing import Protocol
from urllib.parse import unquote

Headers = list[tuple[str, str]]


@dataclass
class Request:
    method: str
    target: str  # as on the wire: still percent-encoded, with its query
    headers: Headers  # HTTP/2's :authority appears as "host"
    body: bytes
    version: str  # "1.1" or "2"
    raw_head: str = ""  # HTTP/1.1: every byte to the empty line and with it, one character each (latin-1)

    @property
    def raw_path(self) -> str:
        return self.target.partition("?")[0]

    @property
    def query(self) -> str:
        return self.target.partition("?")[2]

    def segments(self) -> list[str]:
        """The path's segments, percent-decoded one by one: an encoded slash stays inside its segment."""
        return [unquote(segment) for segment in self.raw_path.split("/")[1:]]

    def is_bidirectional(self) -> bool:
        """Whether it is answered while its body, signed event by event, is still coming."""
        segments = self.segments()
        return self.method == "POST" and len(segments) == 3 and segments[0] == "model" and segments[2] == "invoke-with-bidirectional-stream"

    def header(self, name: str) -> str | None:
        name = name.lower()
        values = [value for key, value in self.headers if key.lower() == name]
        return ",".join(values) if values else None


@dataclass
class Response:
    status: int
    headers: Headers
    # What is sent, in order: frames of an event stream, events of SSE, or the one piece of a plain body.
    pieces: list[bytes] = field(default_factory=list)
    streamed: bool = False  # no Content-Length
    trailers: Headers = field(default_factory=list)


class Sent:
    """What went out, for the journal: HTTP/1.1's head as it was written, and the body without its transfer coding."""

    def __init__(self, wanted: bool):
        self.wanted, self.raw_head, self.size, self.digest = wanted, "", 0, hashlib.sha256()

    def body(self, data: bytes) -> None:
        if self.wanted:
            self.size += len(data)
            self.digest.update(data)


class ClientGone(Exception):
    """The client closed or reset while it was being answered."""


class ResponseWriter(Protocol):
    """What both codecs offer to delivery.py."""

    sent: Sent

    async def start(self, status: int, headers: Headers, length: int | None) -> None: ...
    async def write(self, data: bytes) -> None: ...
    async def finish(self, trailers: Headers) -> None: ...
    def abort(self, reset: bool) -> None:
        """Ends the response unfinished: closes the connection, with a TCP reset if `reset`."""

    def client_gone(self) -> bool: ...
