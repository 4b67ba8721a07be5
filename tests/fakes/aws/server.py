"""The listener: HTTP/1.1 with keep-alive, and the faults that are a connection's rather than a service's."""

import asyncio
import contextlib
import email.utils
import http
import socket
import struct

from bedrock.exchange import Response
from bedrock.http1 import Buffer, read_request

from . import control
from .faults import Fault
from .journal import Journal
from .service import Call, Service

ANSWERS = ("error", "throttle", "html", "redirect")


class Server:
    def __init__(self, service: Service, journal: Journal):
        self.service, self.journal = service, journal
        self.server: asyncio.Server | None = None

    async def listen(self, host: str, port: int) -> int:
        """Returns the port, for port 0 the one that the kernel chose."""
        self.server = await asyncio.start_server(self._serve, host, port, limit=1 << 20, backlog=1024)
        return self.server.sockets[0].getsockname()[1]

    async def run(self) -> None:
        await self.server.serve_forever()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        buffer = Buffer(b"", reader)
        try:
            while await self._exchange(buffer, reader, writer):
                pass
        except (ConnectionError, asyncio.IncompleteReadError):
            pass  # the client went; there is nobody to tell
        except ValueError as error:
            writer.write(_head(Response(400, [], [f"fake: {error}".encode()]), self.service.now(), False) + f"fake: {error}".encode())
        finally:
            writer.close()
            with contextlib.suppress(Exception):
                await writer.wait_closed()

    async def _exchange(self, buffer: Buffer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """One request and what comes of it; whether the connection goes on."""
        request = await read_request(buffer, writer)
        keep_alive = (request.header("connection") or "").lower() != "close"
        if request.raw_path.startswith(control.PREFIX):
            await self._send(writer, control.answer(self.service, self.journal, request), keep_alive)
            return keep_alive
        call = self.service.identify(request)
        fault = self.service.faults.choose(call.service, call.operation, request)
        if fault is None:
            response = self.service.answer(call)
            self.journal.write(call, response.status, "")
            await self._send(writer, response, keep_alive, request.method == "HEAD")
            return keep_alive
        return await self._fail(call, fault, reader, writer, keep_alive)

    async def _fail(self, call: Call, fault: Fault, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, keep_alive: bool) -> bool:
        response = Response(0, [], [b""])
        if fault.kind == "reject":
            response = self.service.answer_rejecting(call, fault)
        elif fault.commit:
            response = self.service.answer(call)
        if fault.kind in ANSWERS:
            response = self.service.faulty(call, fault)
        answered = fault.kind in (*ANSWERS, "slow", "reject")
        self.journal.write(call, response.status if answered else 0, fault.kind)
        if fault.kind == "slow":
            await asyncio.sleep(fault.get("seconds", 1))
        if answered:
            await self._send(writer, response, keep_alive, call.request.method == "HEAD")
            return keep_alive
        if fault.kind == "reset":
            writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        elif fault.kind == "half_close":
            writer.write_eof()
            await self._until_gone(reader)
        elif fault.kind == "hang":
            await self._until_gone(reader)
        elif fault.kind == "cut":
            whole = _head(response, self.service.now(), keep_alive) + b"".join(response.pieces)
            writer.write(whole[:len(whole) // 2])
            await writer.drain()
        elif fault.kind == "garbage":
            writer.write(b"\x15\x03\x01\x00\x02\x02\x28 this is not HTTP\r\n\r\n")
            await writer.drain()
        return False

    @staticmethod
    async def _until_gone(reader: asyncio.StreamReader) -> None:
        while await reader.read(65536):
            pass

    async def _send(self, writer: asyncio.StreamWriter, response: Response, keep_alive: bool, head_only: bool = False) -> None:
        writer.write(_head(response, self.service.now(), keep_alive) + (b"" if head_only else b"".join(response.pieces)))
        await writer.drain()


def _head(response: Response, now: float, keep_alive: bool) -> bytes:
    lines = [f"HTTP/1.1 {response.status} {http.HTTPStatus(response.status or 200).phrase}", f"Date: {email.utils.formatdate(now, usegmt=True)}",
             "Server: fake-aws"]
    lines += [f"{name}: {value}" for name, value in response.headers]
    lines.append(f"Content-Length: {sum(map(len, response.pieces))}")
    lines.append("Connection: " + ("keep-alive" if keep_alive else "close"))
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")
