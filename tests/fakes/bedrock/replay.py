"""Answers with recorded exchanges instead of invented ones: the file is ../shared/recordings/*.ndjson's format."""

import base64
import hashlib
import json
from urllib.parse import urlsplit

from .directives import Directives
from .errors import ServiceError
from .exchange import Request, Response

# The transport's own, and what this server writes itself.
NOT_REPLAYED = {"connection", "content-length", "transfer-encoding", "date"}


class Replay:
    """Finds a recording by `x-fake: recording=N`, else by path and body; the same request again gets the next of its
    recordings in turn."""

    def __init__(self, file_name: str):
        self.by_request: dict[tuple[str, str], list[int]] = {}
        self.recordings: list[dict] = []
        with open(file_name, encoding="utf-8") as file:
            for line in file:
                recording = json.loads(line)
                key = (urlsplit(recording["url"]).path, _digest(base64.b64decode(recording["request_body"])))
                self.by_request.setdefault(key, []).append(len(self.recordings))
                self.recordings.append(recording)

    def response(self, request: Request, directives: Directives) -> Response:
        number = directives.number("recording")
        if number is None:
            waiting = self.by_request.get((request.raw_path, _digest(request.body)))
            if not waiting:
                raise ServiceError(404, "ResourceNotFoundException", f"fake: no recording of {request.raw_path} with this body")
            number = waiting.pop(0)
            waiting.append(number)
        elif not 0 <= number < len(self.recordings):
            raise ServiceError(404, "ResourceNotFoundException", f"fake: no recording {number}")
        recording = self.recordings[number]
        path = urlsplit(recording["url"]).path
        if (request.method, request.raw_path) != (recording["method"], path) or request.body != base64.b64decode(recording["request_body"]):
            raise ServiceError(400, "ValidationException",
                               f"fake: the request is not recording {number}'s: {request.method} {request.raw_path}, {len(request.body)} bytes")
        body = base64.b64decode(recording["response_body"])
        headers = [(name, value) for name, value in recording["response_headers"].items() if name.lower() not in NOT_REPLAYED]
        streamed = any(name.lower() == "transfer-encoding" for name in recording["response_headers"])
        return Response(recording["status"], headers, _frames(body) if streamed else [body], streamed)


def _frames(body: bytes) -> list[bytes]:
    """An event stream in its frames, so that pacing and faults work on replays too."""
    frames = []
    while body:
        length = int.from_bytes(body[:4], "big")
        frames.append(body[:length])
        body = body[length:]
    return frames


def _digest(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest()
