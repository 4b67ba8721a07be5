"""Clients that know every byte they send and get: CONNECT and TLS over a socket, HTTP/1.1 by hand, HTTP/2 with python3-h2."""

import hashlib
import json
import pathlib
import socket
import ssl
from dataclasses import dataclass

import h2.config
import h2.connection
import h2.events

from . import event_stream
from .signing import EventSigner, sign


@dataclass
class RawAnswer:
    head: bytes  # to the empty line and with it
    body: bytes  # without its transfer coding

    @property
    def status(self) -> int:
        return int(self.head.split(b" ", 2)[1])

    def header(self, name: str) -> str | None:
        for line in self.head.decode("latin-1").split("\r\n")[1:]:
            if line.lower().startswith(name.lower() + ":"):
                return line.partition(":")[2].strip()
        return None

    def json(self):
        return json.loads(self.body)


class Refused(Exception):
    """What CONNECT was answered with instead of 2xx."""

    def __init__(self, answer: RawAnswer):
        super().__init__(f"{answer.head!r} {answer.body!r}")
        self.answer = answer


class Reader:
    """Reads answers off a socket."""

    def __init__(self, connection: socket.socket):
        self.connection, self.waiting = connection, b""

    def _more(self) -> None:
        data = self.connection.recv(65536)
        if not data:
            raise EOFError(f"the connection ended behind {self.waiting[-200:]!r}")
        self.waiting += data

    def until(self, mark: bytes) -> bytes:
        while mark not in self.waiting:
            self._more()
        taken, _, self.waiting = self.waiting.partition(mark)
        return taken + mark

    def exactly(self, size: int) -> bytes:
        while len(self.waiting) < size:
            self._more()
        taken, self.waiting = self.waiting[:size], self.waiting[size:]
        return taken

    def answer(self, has_body: bool = True) -> RawAnswer:
        found = RawAnswer(self.until(b"\r\n\r\n"), b"")
        if not has_body:
            return found
        if (found.header("transfer-encoding") or "").lower() == "chunked":
            while size := int(self.until(b"\r\n").split(b";")[0], 16):
                found.body += self.exactly(size)
                assert self.exactly(2) == b"\r\n"
            while self.until(b"\r\n") != b"\r\n":
                pass
        else:
            found.body = self.exactly(int(found.header("content-length") or 0))
        return found


def trust(authority: pathlib.Path | None, alpn: tuple = ("http/1.1",)) -> ssl.SSLContext:
    """A client's settings; None: the system's authorities."""
    context = ssl.create_default_context(cafile=str(authority) if authority else None)
    context.set_alpn_protocols(list(alpn))
    return context


def connect(port: int, authority: str, seconds: float = 20, more: str = "") -> socket.socket:
    """A socket behind a CONNECT that was answered with 200. `more`: further header lines. Raises Refused."""
    connection = socket.create_connection(("127.0.0.1", port), timeout=seconds)
    try:
        connection.sendall(f"CONNECT {authority} HTTP/1.1\r\nHost: {authority}\r\n{more}\r\n".encode())
        reader = Reader(connection)
        answer = reader.answer(has_body=False)
        if answer.status != 200:
            answer.body = reader.exactly(int(answer.header("content-length") or 0))
            raise Refused(answer)
        assert not reader.waiting, f"bytes behind the answer to CONNECT: {reader.waiting!r}"
        return connection
    except BaseException:
        connection.close()
        raise


def intercepted(port: int, host: str, context: ssl.SSLContext, server_name: str = "") -> ssl.SSLSocket:
    """TLS through CONNECT host:443."""
    connection = connect(port, f"{host}:443")
    try:
        return context.wrap_socket(connection, server_hostname=server_name or host)
    except BaseException:
        connection.close()
        raise


def transparent(port: int, server_name: str, context: ssl.SSLContext) -> ssl.SSLSocket:
    """TLS to the port itself, as if the name had led there."""
    connection = socket.create_connection(("127.0.0.1", port), timeout=20)
    try:
        return context.wrap_socket(connection, server_hostname=server_name)
    except BaseException:
        connection.close()
        raise


def head(method: str, target: str, headers: list[tuple[str, str]]) -> bytes:
    return (f"{method} {target} HTTP/1.1\r\n" + "".join(f"{name}: {value}\r\n" for name, value in headers) + "\r\n").encode("latin-1")


def exchange(connection: socket.socket, request_head: bytes, body: bytes) -> RawAnswer:
    connection.sendall(request_head + body)
    return Reader(connection).answer()


def signed_head(host: str, target: str, body: bytes, headers: dict | None = None, method: str = "POST", **how) -> bytes:
    """The head of a request that this client signs."""
    fields = sign("bedrock", method, host, target, body, {"Content-Type": "application/json", **(headers or {})}, **how)
    return head(method, target, [*fields.items(), ("Content-Length", str(len(body)))])


def call(connection: socket.socket, host: str, target: str, body: object, headers: dict | None = None, **how) -> RawAnswer:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    return exchange(connection, signed_head(host, target, data, headers, **how), data)


class Http2:
    """A client of one connection, a stream at a time or several."""

    def __init__(self, connection: socket.socket):
        self.socket = connection
        self.h2 = h2.connection.H2Connection(h2.config.H2Configuration(client_side=True, header_encoding="latin-1"))
        self.h2.initiate_connection()
        self.heads: dict[int, list[tuple[str, str]]] = {}
        self.bodies: dict[int, bytearray] = {}
        self.ended: dict[int, str] = {}  # "complete" or "reset"
        self._flush()

    def _flush(self) -> None:
        self.socket.sendall(self.h2.data_to_send())

    def start(self, host: str, target: str, headers: dict, end: bool = False) -> int:
        stream = self.h2.get_next_available_stream_id()
        fields = [(":method", "POST"), (":scheme", "https"), (":authority", host), (":path", target)]
        fields += [(name.lower(), value) for name, value in headers.items() if name.lower() != "host"]
        self.h2.send_headers(stream, fields, end_stream=end)
        self.bodies[stream] = bytearray()
        self._flush()
        return stream

    def send(self, stream: int, data: bytes, end: bool = False) -> None:
        while data:
            size = min(len(data), self.h2.local_flow_control_window(stream), self.h2.max_outbound_frame_size)
            if size <= 0:  # a window may shrink below what was sent already
                self.receive()
                continue
            self.h2.send_data(stream, data[:size])
            data = data[size:]
            self._flush()
        if end:
            self.h2.end_stream(stream)
            self._flush()

    def receive(self) -> None:
        data = self.socket.recv(65536)
        if not data:
            raise EOFError("the connection ended")
        for event in self.h2.receive_data(data):
            match event:
                case h2.events.ResponseReceived():
                    self.heads[event.stream_id] = event.headers
                case h2.events.DataReceived():
                    self.bodies[event.stream_id].extend(event.data)
                    self.h2.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
                case h2.events.StreamEnded():
                    self.ended[event.stream_id] = "complete"
                case h2.events.StreamReset():
                    self.ended[event.stream_id] = "reset"
        self._flush()

    def finish(self, stream: int) -> tuple[int, bytes]:
        """Status and body of the whole answer."""
        while stream not in self.ended:
            self.receive()
        return self.status(stream), bytes(self.bodies[stream])

    def status(self, stream: int) -> int:
        while stream not in self.heads:
            assert stream not in self.ended, f"stream {stream} ended without an answer: {self.ended[stream]}"
            self.receive()
        return int(dict(self.heads[stream])[":status"])


class Conversation:
    """InvokeModelWithBidirectionalStream by hand. `tell` gives back the model's answer, which has come before the next is said."""

    def __init__(self, client: Http2, host: str, model: str = "amazon.nova-sonic-v1%3A0", headers: dict | None = None, **how):
        target = f"/model/{model}/invoke-with-bidirectional-stream"
        fields = sign("bedrock", "POST", host, target, b"", {"Content-Type": "application/vnd.amazon.eventstream", **(headers or {})},
                      payload="STREAMING-AWS4-HMAC-SHA256-EVENTS", **how)
        self.client, self.sent, self.inputs, self.found, self.read = client, [], [], [], 0
        self.signer = EventSigner(fields["Authorization"])
        self.stream = client.start(host, target, fields)

    def send(self, frame: bytes) -> None:
        self.sent.append(hashlib.sha256(frame).hexdigest())
        self.client.send(self.stream, frame)

    def tell(self, text: str) -> dict:
        event = {"event": {"textInput": {"content": text}}}
        before = len(self.answers())
        self.inputs.append(event)
        self.send(self.signer.sign(event_stream.chunk(event)))
        while len(self.answers()) == before:
            assert self.stream not in self.client.ended, (self.client.ended[self.stream], self.client.bodies[self.stream])
            self.client.receive()
        return self.answers()[-1]

    def answers(self) -> list:
        """The model's events in the frames that are whole."""
        data = self.client.bodies[self.stream]
        while len(data) >= self.read + 4 and len(data) >= self.read + (size := int.from_bytes(data[self.read:self.read + 4], "big")):
            self.found += event_stream.chunks(bytes(data[self.read:self.read + size]))
            self.read += size
        return self.found

    def end(self, signed: bool = True) -> tuple[int, bytes]:
        """`signed`: with the empty event that some SDKs send."""
        if signed:
            self.send(self.signer.sign(b""))
        self.client.send(self.stream, b"", end=True)
        return self.client.finish(self.stream)
