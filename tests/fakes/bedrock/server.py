"""The listener: tells HTTP/2 from HTTP/1.1 by the first bytes of a connection."""

import asyncio
import contextlib
import ssl

from . import http1, http2
from .journal import Journal
from .service import Service


class Server:
    def __init__(self, service: Service, journal: Journal):
        self.service, self.journal = service, journal
        self.server: asyncio.Server | None = None

    async def listen(self, host: str, port: int, tls: ssl.SSLContext | None) -> int:
        """Returns the port, for port 0 the one that the kernel chose."""
        if tls:
            tls.set_alpn_protocols(["h2", "http/1.1"])
            tls.sni_callback = _remember_name
        self.server = await asyncio.start_server(self._serve, host, port, ssl=tls, limit=1 << 20, backlog=1024)
        return self.server.sockets[0].getsockname()[1]

    async def run(self) -> None:
        await self.server.serve_forever()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            first = b""
            while len(first) < len(http2.PREFACE) and http2.PREFACE.startswith(first):
                data = await reader.read(len(http2.PREFACE) - len(first))
                if not data:
                    break
                first += data
            if first == http2.PREFACE:
                await http2.Connection(reader, writer, self.service, self.journal).serve(first)
            elif first:
                await http1.serve(first, reader, writer, self.service, self.journal)
        except (ConnectionError, asyncio.IncompleteReadError, ssl.SSLError):
            pass  # the client went; there is nobody to tell
        finally:
            writer.close()
            with contextlib.suppress(Exception):
                await writer.wait_closed()


def _remember_name(connection: ssl.SSLObject, name: str | None, _: ssl.SSLContext) -> None:
    """For the journal: which host the client thinks it is talking to."""
    connection.server_name = name or ""
