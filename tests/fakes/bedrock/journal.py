"""A line of JSON for each exchange, for tests that ask what arrived. Holds credentials: fake ones."""

import hashlib
import json
import time

from .exchange import Request, Response


class Journal:
    def __init__(self, file_name: str | None):
        self.file = open(file_name, "a", encoding="utf-8", buffering=1) if file_name else None

    def write(self, request: Request, response: Response, ending: str, peer: object) -> None:
        """`ending`: complete, broken (on request) or client-gone."""
        if self.file:
            self.file.write(json.dumps({
                "time": time.time(), "version": request.version, "method": request.method, "target": request.target,
                "headers": request.headers, "body_bytes": len(request.body), "body_sha256": hashlib.sha256(request.body).hexdigest(),
                "status": response.status, "ending": ending, "peer": str(peer)}) + "\n")
