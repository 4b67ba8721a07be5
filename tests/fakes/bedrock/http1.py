"""HTTP/1.1 on one connection: keep-alive, pipelining, Content-Length and chunked bodies, Expect: 100-continue."""

import asyncio
import email.utils
import http
import socket
import struct

from .delivery import deliver
from .errors import ServiceError
from .exchange import ClientGone, Headers, Request, Sent
from .journal import Journal
from .service import Service

MAXIMUM_REQUEST = 40_000_000


class _Writer:
    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, keep_alive: bool, sent: Sent):
        self.reader, self.writer, self.keep_alive, self.sent = reader, writer, keep_alive, sent
        self.chunked = False
        self.aborted = False

    async def start(self, status: int, headers: Headers, length: int | None) -> None:
        self.chunked = length is None
        lines = [f"HTTP/1.1 {status} {http.HTTPStatus(status).phrase}", f"Date: {email.utils.formatdate(usegmt=True)}"]
        lines += [f"{name}: {value}" for name, value in headers]
        lines.append("Transfer-Encoding: chunked" if self.chunked else f"Content-Length: {length}")
        lines.append("Connection: " + ("keep-alive" if self.keep_alive else "close"))
        self.sent.raw_head = "\r\n".join(lines) + "\r\n\r\n"
        self.writer.write(self.sent.raw_head.encode("latin-1"))
        if self.chunked:
            await self._drain()

    async def write(self, data: bytes) -> None:
        if data:
            self.sent.body(data)
            self.writer.write(b"%x\r\n%b\r\n" % (len(data), data) if self.chunked else data)
            await self._drain()

    async def finish(self, trailers: Headers) -> None:
        if self.chunked:
            self.writer.write(b"0\r\n" + "".join(f"{name}: {value}\r\n" for name, value in trailers).encode() + b"\r\n")
        await self._drain()

    def abort(self, reset: bool) -> None:
        self.aborted = True
        if reset:
            self.writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.writer.close()

    def client_gone(self) -> bool:
        return self.reader.at_eof() or self.writer.is_closing()

    async def _drain(self) -> None:
        try:
            await self.writer.drain()
        except ConnectionError:
            raise ClientGone from None


async def serve(first: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, service: Service, journal: Journal) -> None:
    """Answers until the connection ends. `first`: bytes already read from it."""
    buffer = Buffer(first, reader)
    while True:
        try:
            request = await read_request(buffer, writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            return
        except ValueError as error:
            response = ServiceError(400, "BadRequestException", f"fake: {error}").response()
            answer = _Writer(reader, writer, keep_alive=False, sent=Sent(False))
            await answer.start(400, response.headers, len(response.pieces[0]))
            await answer.write(response.pieces[0])
            return
        keep_alive = (request.header("connection") or "").lower() != "close"
        response, directives = service.handle(request)
        keep_alive = keep_alive and not directives.flag("connection_close")
        answer = _Writer(reader, writer, keep_alive, journal.sent())
        ending = "client-gone"
        try:
            ending = await deliver(answer, response, directives)
        except ClientGone:
            return
        finally:
            journal.write(request, response.status, ending, writer, answer.sent)
        if answer.aborted or not keep_alive:
            return


class Buffer:
    """A StreamReader with a few bytes put back before it."""

    def __init__(self, first: bytes, reader: asyncio.StreamReader):
        self.first, self.reader = first, reader

    async def exactly(self, size: int) -> bytes:
        taken, self.first = self.first[:size], self.first[size:]
        return taken + (await self.reader.readexactly(size - len(taken)) if size > len(taken) else b"")

    async def until(self, mark: bytes) -> bytes:
        """To the mark and with it."""
        taken = b""
        while self.first:
            byte = await self.exactly(1)
            taken += byte
            if taken.endswith(mark):
                return taken
        if not taken:
            return await self.reader.readuntil(mark)
        while not taken.endswith(mark):
            taken += await self.reader.readexactly(1)
        return taken


async def read_request(buffer: Buffer, writer: asyncio.StreamWriter) -> Request:
    try:
        head = (await buffer.until(b"\r\n\r\n")).decode("latin-1").lstrip("\r\n")
    except asyncio.LimitOverrunError:
        raise ValueError("the request's head is too long") from None
    request_line, *lines = head[:-4].split("\r\n")
    parts = request_line.split(" ")
    if len(parts) != 3 or parts[2] != "HTTP/1.1" or not parts[1].startswith("/"):
        raise ValueError(f"not a request line: {request_line!r}")
    headers: Headers = []
    for line in lines:
        name, colon, value = line.partition(":")
        if not colon or not name or name != name.strip():
            raise ValueError(f"not a header line: {line!r}")
        headers.append((name, value.strip(" \t")))
    request = Request(parts[0], parts[1], headers, b"", "1.1", head)
    if len([name for name, _ in headers if name.lower() == "host"]) != 1:
        raise ValueError("exactly one Host header is required")
    if (request.header("expect") or "").lower() == "100-continue":
        writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
    lengths = {value for name, value in headers if name.lower() == "content-length"}
    coding = request.header("transfer-encoding")
    if coding and lengths or len(lengths) > 1:
        raise ValueError("the body's length is ambiguous")
    if coding:
        if coding.lower() != "chunked":
            raise ValueError(f"unknown transfer coding {coding}")
        request.body = await _read_chunks(buffer)
    elif lengths:
        request.body = await buffer.exactly(_size(lengths.pop(), 10))
    return request


def _size(text: str, base: int) -> int:
    size = int(text, base)
    if size < 0 or size > MAXIMUM_REQUEST:
        raise ValueError(f"a body of {size} bytes")
    return size


async def _read_chunks(buffer: Buffer) -> bytes:
    body = b""
    while size := _size((await buffer.until(b"\r\n")).split(b";")[0].decode("latin-1").strip(), 16):
        body += await buffer.exactly(size)
        if await buffer.exactly(2) != b"\r\n":
            raise ValueError("a chunk does not end where it should")
    while await buffer.until(b"\r\n") != b"\r\n":
        pass
    return body
