"""Applications that behave: they wait for their answers, over HTTP/1.1 and HTTP/2."""

import hashlib
import http.client
import json
import select
import socket
from urllib.parse import urlsplit

import h2.config
import h2.connection
import h2.errors
import h2.events
import h2.exceptions

from harness.client import CLAUDE, MODEL, call, claude_body, connect, converse_body, target
from harness.processes import BEARER_KEY
from harness.signing import sign

from ledger import Application

GLOBAL = "global.amazon.nova-2-lite-v1:0"
OPENAI = "openai.gpt-oss-20b-1:0"
LARGE = 150_000  # bytes of noise, twice as much as hex
PATIENCE = 25.0  # seconds that an application waits for a byte
FAULTS = ["cut=2:7", "cut=0:20", "reset=2:11", "reset=0:5", "error=throttling", "error=internal", "error=unavailable", "status=502", "close=1",
          "exception=2:throttlingException", "crc=2", "hang_up=1", "stall=2:9000", "delay_ms=9000", "gzip=1", "connection_close=1"]
STALLS = {"stall=2:9000", "delay_ms=9000"}
ALTERED = {"crc=2", "exception=2:throttlingException"}  # in a stream, whose HTTP response is whole all the same


class Request:
    """One call to make: path, headers, body."""

    def __init__(self, application: Application, conversation: list[dict], marker_of):
        draw = application.random
        operation = draw.choices(("converse", "converse-stream", "invoke", "invoke-with-response-stream", "openai"), (5, 5, 3, 2, 2))[0]
        model = draw.choices((MODEL, GLOBAL), (9, 1))[0]
        text = f"{draw.getrandbits(96):x} asks " + "and goes on " * draw.choice((1, 5, 60)) + "to someone@example.com"
        if draw.random() < 0.2:
            text += f" [[fake words={draw.choice((50, 400))} gap_ms={draw.choice((0, 1))}]]"
        noise = draw.randbytes(LARGE).hex() if application.pacer.is_large() else ""
        if operation == "openai":
            self.path, body = "/openai/v1/chat/completions", {"model": OPENAI, "stream": draw.random() < 0.5,
                                                             "messages": [{"role": "user", "content": text + noise}]}
        elif operation.startswith("invoke"):
            self.path, body = target(operation, CLAUDE), claude_body(text + noise)
        else:
            conversation.append({"role": "user", "content": [{"text": text}]})
            body = {"messages": list(conversation), "system": [{"text": "system " * 40 + noise}]}
            conversation.append({"role": "assistant", "content": [{"text": "noted"}]})
            if len(conversation) > 40:
                conversation.clear()
            self.path = target(operation, model)
        self.body = json.dumps(body).encode()
        # A stall takes the application's time, so it is rare.
        self.fault = draw.choice(FAULTS) if draw.random() < 0.07 else ""
        if self.fault in STALLS and draw.random() < 0.6:
            self.fault = ""
        self.marker = marker_of(hashlib.sha256(self.body).hexdigest())
        self.headers = {"Content-Type": "application/json", "amz-sdk-invocation-id": self.marker, **({"x-fake": self.fault} if self.fault else {})}
        how = draw.random()
        if how < 0.3:
            self.headers["Authorization"] = f"Bearer {BEARER_KEY}"
        elif how < 0.5:
            host = urlsplit(application.url).netloc
            signed = sign("bedrock", "POST", host, self.path, self.body, self.headers)
            self.headers = {name: value for name, value in signed.items() if name != "Host"}


def by_agent(body: bytes) -> bool:
    return b'"invlog: ' in body[:200]


def has_ended(kept: socket.socket | None) -> bool:
    """SDKs ask this too before they use a connection again: nothing can come on it but its end."""
    return kept is None or bool(select.select([kept], [], [], 0)[0])


class Http1Application(Application):
    """Keeps its connection for a while, as SDKs do."""

    def __init__(self, *arguments):
        super().__init__(*arguments)
        self.connection: http.client.HTTPConnection | None = None
        self.conversation: list[dict] = []

    def leave(self) -> None:
        if self.connection:
            self.connection.close()
        self.connection = None

    def step(self) -> None:
        if self.random.random() < 0.05 or self.connection and has_ended(self.connection.sock):
            self.leave()
        fresh = self.connection is None
        known = []

        def begin(digest: str) -> str:
            known.append(self.ledger.begin(digest, fresh))
            return known[0].marker
        request = Request(self, self.conversation, begin)
        known[0].altered = request.fault in ALTERED
        self.connection = self.connection or connect(self.url, PATIENCE)
        try:
            answer = call(self.url, request.path, request.body, request.headers, connection=self.connection)
        except TimeoutError:
            self.ledger.problem(f"no byte within {PATIENCE} s: {request.path} {request.fault}")
            self.ledger.end(known[0], "unanswered")
            self.leave()
            return
        except (OSError, http.client.HTTPException) as error:
            if isinstance(error, ConnectionRefusedError):
                self.ledger.problem("a connection was refused")
            self.ledger.end(known[0], "unanswered")
            self.leave()
            return
        self.ledger.end(known[0], "broken" if answer.broken else "complete", answer.status, answer.header("x-amzn-RequestId") or "",
                        by_agent(answer.body))
        if answer.broken or (answer.header("connection") or "").lower() == "close":
            self.leave()


class Stream:
    def __init__(self, known, request: Request):
        self.known, self.body = known, memoryview(request.body)
        self.status, self.request_id, self.start, self.received = 0, "", b"", 0


class Http2Application(Application):
    """Several streams at once on one connection; some of them it cancels."""

    def __init__(self, *arguments):
        super().__init__(*arguments)
        self.socket: socket.socket | None = None
        self.h2: h2.connection.H2Connection | None = None
        self.conversation: list[dict] = []

    def cost(self) -> float:
        return 3.0

    def leave(self) -> None:
        if self.socket:
            self.socket.close()
        self.socket = None

    def _has_ended(self) -> bool:
        while select.select([self.socket], [], [], 0)[0]:
            try:
                data = self.socket.recv(1 << 16)
                if not data or any(isinstance(event, h2.events.ConnectionTerminated) for event in self.h2.receive_data(data)):
                    return True
            except (OSError, h2.exceptions.ProtocolError):
                return True
        return False

    def step(self) -> None:
        if self.socket and self._has_ended():
            self.leave()
        if self.socket is None:
            parts = urlsplit(self.url)
            self.socket = socket.create_connection((parts.hostname, parts.port), PATIENCE)
            self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.h2 = h2.connection.H2Connection(h2.config.H2Configuration(client_side=True, header_encoding="utf-8"))
            self.h2.initiate_connection()
        streams: dict[int, Stream] = {}
        self.closing = False
        try:
            for _ in range(self.random.choice((1, 3, 5))):
                self._open(streams)
            cancelled = self.random.choice(list(streams)) if self.random.random() < 0.1 else 0
            while streams:
                self._send(streams)
                if cancelled in streams and not streams[cancelled].body:
                    self.h2.reset_stream(cancelled, h2.errors.ErrorCodes.CANCEL)
                    self._flush()
                    self._end(streams, cancelled, "cancelled")
                    continue
                data = self.socket.recv(1 << 16)
                if not data:
                    raise ConnectionError("the agent closed")
                for event in self.h2.receive_data(data):
                    self._take(streams, event)
        except TimeoutError:
            self.ledger.problem(f"no byte within {PATIENCE} s over HTTP/2")
            self.closing = True
        except h2.exceptions.ProtocolError:  # the library takes no frame after a GOAWAY, so this client leaves its open streams
            self.closing = True
            for number in list(streams):
                self._end(streams, number, "cancelled")
        except OSError:
            self.closing = True
        for number in list(streams):
            self._end(streams, number, "broken" if streams[number].status else "unanswered")
        if self.closing or self.random.random() < 0.2:
            self.leave()

    def _open(self, streams: dict[int, Stream]) -> None:
        known = []

        def begin(digest: str) -> str:
            known.append(self.ledger.begin(digest))
            return known[0].marker
        request = Request(self, self.conversation, begin)
        known[0].altered = request.fault in ALTERED
        number = self.h2.get_next_available_stream_id()
        streams[number] = Stream(known[0], request)
        self.h2.send_headers(number, [(":method", "POST"), (":scheme", "http"), (":authority", urlsplit(self.url).netloc), (":path", request.path),
                                      *((name.lower(), value) for name, value in request.headers.items())])

    def _send(self, streams: dict[int, Stream]) -> None:
        for number, stream in streams.items():
            while stream.body and (room := min(self.h2.local_flow_control_window(number), self.h2.max_outbound_frame_size)) > 0:
                part, stream.body = stream.body[:room], stream.body[room:]
                self.h2.send_data(number, part.tobytes(), end_stream=not stream.body)
        self._flush()

    def _flush(self) -> None:
        if data := self.h2.data_to_send():
            # The agent may be writing too, and nobody would read.
            view = memoryview(data)
            while view:
                select.select([], [self.socket], [], PATIENCE)
                view = view[self.socket.send(view):]

    def _take(self, streams: dict[int, Stream], event: h2.events.Event) -> None:
        if isinstance(event, h2.events.ConnectionTerminated):
            self.closing = True
            for number in [number for number in streams if number > event.last_stream_id]:
                self._end(streams, number, "unanswered")
        stream = streams.get(getattr(event, "stream_id", 0) or 0)
        if isinstance(event, h2.events.DataReceived):
            self.h2.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
            if stream and len(stream.start) < 200:
                stream.start += event.data
        if not stream:
            return
        if isinstance(event, h2.events.ResponseReceived):
            headers = dict(event.headers)
            stream.status, stream.request_id = int(headers[":status"]), headers.get("x-amzn-requestid", "")
        elif isinstance(event, h2.events.StreamEnded):
            self._end(streams, event.stream_id, "complete")
        elif isinstance(event, h2.events.StreamReset):
            self._end(streams, event.stream_id, "broken" if stream.status else "unanswered")

    def _end(self, streams: dict[int, Stream], number: int, seen: str) -> None:
        stream = streams.pop(number)
        self.ledger.end(stream.known, seen, stream.status, stream.request_id, by_agent(stream.start))
