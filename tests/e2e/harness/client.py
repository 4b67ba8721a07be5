"""A small HTTP client: one call a connection unless given one, bytes as they arrive."""

import http.client
import json
import time
from dataclasses import dataclass, field
from urllib.parse import quote, urlsplit

MODEL = "eu.amazon.nova-2-lite-v1:0"
CLAUDE = "eu.anthropic.claude-haiku-4-5-20251001-v1:0"


@dataclass
class Answer:
    status: int
    headers: list[tuple[str, str]]
    body: bytes
    chunks: list[tuple[float, bytes]] = field(default_factory=list)  # seconds since the call, bytes
    broken: str = ""  # why the body ended early, "" if it did not

    def header(self, name: str) -> str | None:
        return next((value for key, value in self.headers if key.lower() == name.lower()), None)

    def json(self):
        return json.loads(self.body)


def connect(url: str, seconds: float = 30) -> http.client.HTTPConnection:
    parts = urlsplit(url)
    return http.client.HTTPConnection(parts.hostname, parts.port, timeout=seconds)


def call(url: str, target: str, body: object, headers: dict | None = None, method: str = "POST",
         connection: http.client.HTTPConnection | None = None, content_type: str | None = "application/json") -> Answer:
    """`body`: bytes as they are, or anything else as JSON. `content_type`: unless `headers` have one; None sends none."""
    own = connection is None
    connection = connection or connect(url)
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    started = time.monotonic()
    try:
        connection.request(method, target, body=data, headers={**({"Content-Type": content_type} if content_type else {}), **(headers or {})})
        response = connection.getresponse()
        answer = Answer(response.status, response.getheaders(), b"")
        try:
            while data := response.read1(1 << 16):
                answer.chunks.append((time.monotonic() - started, data))
        except (http.client.HTTPException, ConnectionError) as error:
            answer.broken = repr(error)
        response.close()  # the connection is free for the next call
        answer.body = b"".join(data for _, data in answer.chunks)
        length = answer.header("content-length")
        if length is not None and int(length) != len(answer.body) and not answer.broken:
            answer.broken = f"{len(answer.body)} of {length} bytes"
        return answer
    finally:
        if own:
            connection.close()


def target(operation: str, model: str = MODEL) -> str:
    """The path as boto3 writes it: `:` and `/` percent-encoded."""
    return f"/model/{quote(model, safe='')}/{operation}"


def converse_body(text: str, **members) -> dict:
    return {"messages": [{"role": "user", "content": [{"text": text}]}], **members}


def claude_body(text: str, **members) -> dict:
    return {"anthropic_version": "bedrock-2023-05-31", "max_tokens": 500, "messages": [{"role": "user", "content": text}], **members}


def converse(url: str, text: str, headers: dict | None = None, **members) -> Answer:
    return call(url, target("converse"), converse_body(text, **members), headers)


def converse_stream(url: str, text: str, headers: dict | None = None, **members) -> Answer:
    return call(url, target("converse-stream"), converse_body(text, **members), headers)
