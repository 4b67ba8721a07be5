"""HTTP/2 on one connection (prior knowledge, or by ALPN): multiplexed streams, flow control both ways."""

import asyncio
import email.utils

import h2.config
import h2.connection
import h2.errors
import h2.events
import h2.exceptions

from . import bidirectional
from .delivery import deliver
from .exchange import ClientGone, Headers, Request
from .journal import Journal
from .service import Service

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
GOAWAY = 7


class _FramesWithoutGoAway:
    """Holds GOAWAY back from h2, which sends nothing more once it has seen one. The JavaScript SDK says GOAWAY while it
    waits for its answers, and HTTP/2 lets it (RFC 9113, 6.8)."""

    def __init__(self):
        self.waiting, self.skip_preface = b"", len(PREFACE)

    def feed(self, data: bytes) -> bytes:
        passed, self.waiting = b"", self.waiting + data
        if self.skip_preface:
            passed, self.waiting = self.waiting[: self.skip_preface], self.waiting[self.skip_preface:]
            self.skip_preface = 0  # the whole preface comes in the first call
        while len(self.waiting) >= 9:
            size = 9 + int.from_bytes(self.waiting[:3], "big")
            if size > 9 + (1 << 20):
                return passed + self.waiting  # h2 says what is wrong with it
            if len(self.waiting) < size:
                break
            if self.waiting[3] != GOAWAY:
                passed += self.waiting[:size]
            self.waiting = self.waiting[size:]
        return passed


class Connection:
    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, service: Service, journal: Journal):
        self.reader, self.writer, self.service, self.journal = reader, writer, service, journal
        self.h2 = h2.connection.H2Connection(h2.config.H2Configuration(client_side=False, header_encoding="latin-1"))
        self.requests: dict[int, Request] = {}
        self.inputs: dict[int, asyncio.Queue] = {}  # of bidirectional streams: what comes, b"" at the end, None if the client goes
        self.answers: dict[int, asyncio.Task] = {}
        self.gone: set[int] = set()  # streams that the client reset
        self.window_changed = asyncio.Event()
        self.closed = False
        self.frames = _FramesWithoutGoAway()

    async def serve(self, first: bytes) -> None:
        self.h2.initiate_connection()
        data = first
        try:
            while data:
                for event in self.h2.receive_data(self.frames.feed(data)):
                    self._on(event)
                await self.flush()
                if self.closed:
                    break
                data = await self.reader.read(65536)
        except (ConnectionError, h2.exceptions.ProtocolError):
            await self.flush()  # what h2 queued to say why
        finally:
            self.closed = True
            self.window_changed.set()
            for queue in self.inputs.values():
                queue.put_nowait(None)
            await asyncio.gather(*self.answers.values(), return_exceptions=True)

    async def flush(self) -> None:
        data = self.h2.data_to_send()
        if data and not self.writer.is_closing():
            self.writer.write(data)
            try:
                await self.writer.drain()
            except ConnectionError:
                self.closed = True

    def _on(self, event: h2.events.Event) -> None:
        match event:
            case h2.events.RequestReceived():
                pseudo = {name: value for name, value in event.headers if name.startswith(":")}
                headers = [(name, value) for name, value in event.headers if not name.startswith(":")]
                if ":authority" in pseudo:
                    headers = [("host", pseudo[":authority"])] + [pair for pair in headers if pair[0] != "host"]
                request = Request(pseudo[":method"], pseudo[":path"], headers, b"", "2")
                if request.is_bidirectional():
                    self.inputs[event.stream_id] = asyncio.Queue()
                    self.answers[event.stream_id] = asyncio.create_task(self._converse(event.stream_id, request))
                else:
                    self.requests[event.stream_id] = request
            case h2.events.DataReceived():
                if event.stream_id in self.requests:
                    self.requests[event.stream_id].body += event.data
                elif event.stream_id in self.inputs and event.data:
                    self.inputs[event.stream_id].put_nowait(event.data)
                self.h2.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
            case h2.events.StreamEnded():
                if event.stream_id in self.inputs:
                    self.inputs[event.stream_id].put_nowait(b"")
                elif event.stream_id in self.requests:
                    request = self.requests.pop(event.stream_id)
                    self.answers[event.stream_id] = asyncio.create_task(self._answer(event.stream_id, request))
            case h2.events.StreamReset():
                self.requests.pop(event.stream_id, None)
                if event.stream_id in self.inputs:
                    self.inputs[event.stream_id].put_nowait(None)
                self.gone.add(event.stream_id)
                self.window_changed.set()
            case h2.events.WindowUpdated() | h2.events.RemoteSettingsChanged():
                self.window_changed.set()

    async def _answer(self, stream_id: int, request: Request) -> None:
        response, directives = self.service.handle(request)
        ending, answer = "client-gone", _Writer(self, stream_id)
        try:
            ending = await deliver(answer, response, directives)
        except (ClientGone, h2.exceptions.ProtocolError):
            pass
        finally:
            self.journal.write(request, response.status, ending, self.writer, answer.sent)
            self.answers.pop(stream_id, None)
            self.gone.discard(stream_id)

    async def _converse(self, stream_id: int, request: Request) -> None:
        """Answers while the request is still coming."""
        answer = _Writer(self, stream_id)
        stream = bidirectional.Stream(request, self.service, self.inputs[stream_id], answer)
        try:
            await stream.run()
        except (ClientGone, h2.exceptions.ProtocolError):
            pass
        finally:
            self.journal.write(request, stream.status, stream.ending, self.writer, answer.sent,
                               frames_in=stream.frames_in, frames_out=stream.frames_out)
            self.inputs.pop(stream_id, None)
            self.answers.pop(stream_id, None)
            self.gone.discard(stream_id)


class _Writer:
    def __init__(self, connection: Connection, stream_id: int):
        self.connection, self.stream_id, self.sent = connection, stream_id, connection.journal.sent()

    async def start(self, status: int, headers: Headers, length: int | None) -> None:
        self._check()
        fields = [(":status", str(status)), ("date", email.utils.formatdate(usegmt=True))]
        fields += [(name.lower(), value) for name, value in headers]
        if length is not None:
            fields.append(("content-length", str(length)))
        self.connection.h2.send_headers(self.stream_id, fields)
        await self.connection.flush()

    async def write(self, data: bytes) -> None:
        h2_connection = self.connection.h2
        self.sent.body(data)
        while data:
            self._check()
            size = min(len(data), h2_connection.local_flow_control_window(self.stream_id), h2_connection.max_outbound_frame_size)
            if size <= 0:
                self.connection.window_changed.clear()
                await self.connection.window_changed.wait()
                continue
            h2_connection.send_data(self.stream_id, data[:size])
            data = data[size:]
            await self.connection.flush()

    async def finish(self, trailers: Headers) -> None:
        self._check()
        if trailers:
            self.connection.h2.send_headers(self.stream_id, trailers, end_stream=True)
        else:
            self.connection.h2.end_stream(self.stream_id)
        await self.connection.flush()

    def abort(self, reset: bool) -> None:
        """HTTP/2 can end one stream: with `reset` RST_STREAM, else the whole connection goes."""
        if reset:
            self.connection.h2.reset_stream(self.stream_id, h2.errors.ErrorCodes.INTERNAL_ERROR)
            self.connection.writer.write(self.connection.h2.data_to_send())
        else:
            self.connection.closed = True
            self.connection.writer.close()

    def client_gone(self) -> bool:
        return self.connection.closed or self.stream_id in self.connection.gone

    def _check(self) -> None:
        if self.client_gone():
            raise ClientGone
