"""A line of JSON for each exchange, for tests that ask what arrived. Holds credentials: fake ones."""

import asyncio
import hashlib
import json
import time

from .exchange import Request, Sent


class Journal:
    def __init__(self, file_name: str | None):
        self.file = open(file_name, "a", encoding="utf-8", buffering=1) if file_name else None

    def sent(self) -> Sent:
        """For one response; it digests bytes only if there is a journal."""
        return Sent(self.file is not None)

    def write(self, request: Request, status: int, ending: str, connection: asyncio.StreamWriter, sent: Sent, **more: object) -> None:
        """`ending`: complete, broken (on request), client-gone, or why a bidirectional stream was refused. Bodies are counted and
        digested without their transfer coding; raw heads are HTTP/1.1's."""
        if not self.file:
            return
        tls = connection.get_extra_info("ssl_object")
        self.file.write(json.dumps({
            "time": time.time(), "version": request.version, "method": request.method, "target": request.target,
            "headers": request.headers, "body_bytes": len(request.body), "body_sha256": hashlib.sha256(request.body).hexdigest(),
            "status": status, "ending": ending, "peer": str(connection.get_extra_info("peername")),
            "request_head": request.raw_head, "authorization_sha256": hashlib.sha256((request.header("authorization") or "").encode()).hexdigest(),
            "response_head": sent.raw_head, "response_bytes": sent.size, "response_sha256": sent.digest.hexdigest(),
            "server_name": getattr(tls, "server_name", ""), "alpn": tls.selected_alpn_protocol() if tls else None, **more}) + "\n")
