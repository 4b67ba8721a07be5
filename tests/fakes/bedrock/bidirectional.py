"""InvokeModelWithBidirectionalStream: answers each input event while the client still sends. HTTP/2 only.

Inputs are events in events: the outer frame has `:date` and `:chunk-signature` (sigv4.EventChain), its payload is the
event itself. What a speech model would say is invented; that each input has its answer before the next is not.
"""

import asyncio
import base64
import datetime
import hashlib
import json
import uuid

from . import eventstream, models
from .directives import Directives
from .errors import ServiceError, validation
from .exchange import ClientGone, Request, ResponseWriter
from .service import Service
from .sigv4 import MAXIMUM_SKEW, STREAMING_EVENTS


class Stream:
    """One call. `inputs`: the body's bytes as they come, b"" at its end, None if the client goes."""

    def __init__(self, request: Request, service: Service, inputs: asyncio.Queue, writer: ResponseWriter):
        self.request, self.service, self.inputs, self.writer = request, service, inputs, writer
        self.status, self.ending = 0, "client-gone"
        self.frames_in: list[str] = []  # SHA-256 of each
        self.frames_out: list[str] = []
        self.chain = None
        self.ended = False  # by the client's signed empty event

    async def run(self) -> None:
        try:
            directives = Directives.parse(self.request.header("x-fake") or "")
            self.chain = self.service.authenticator.check(self.request)
            if self.chain and self.request.header("x-amz-content-sha256") != STREAMING_EVENTS:
                raise validation(f"fake: a signed bidirectional stream has x-amz-content-sha256: {STREAMING_EVENTS}")
            model = models.base_model(self.request.segments()[1])
            if "sonic" not in model:
                raise validation("The model is unsupported for bidirectional streaming.")
        except ServiceError as error:
            await self._refuse(error)
            return
        self.status = 200
        await self.writer.start(200, [("x-amzn-RequestId", directives.text("request_id") or str(uuid.uuid4())),
                                      ("Content-Type", "application/vnd.amazon.eventstream")], None)
        try:
            await self._answer_each(directives)
        except (ValueError, KeyError, TypeError) as error:
            await self._send(eventstream.exception("validationException", f"fake: {error}"))
            self.ending = f"refused: {error}"
        await self.writer.finish([])

    async def _refuse(self, error: ServiceError) -> None:
        response = error.response()
        self.status, self.ending = response.status, "complete"
        await self.writer.start(response.status, [("x-amzn-RequestId", str(uuid.uuid4())), *response.headers], len(response.pieces[0]))
        await self.writer.write(response.pieces[0])
        await self.writer.finish([])

    async def _answer_each(self, directives: Directives) -> None:
        reader, number = eventstream.FrameReader(), 0
        after, _, exception = directives.text("exception").partition(":")
        while data := await self.inputs.get():
            for message in reader.feed(data):
                self.frames_in.append(hashlib.sha256(message).hexdigest())
                event = self._unpack(message)
                if event is None:
                    continue
                await asyncio.sleep(directives.seconds("gap_ms"))
                if exception and number == int(after):
                    await self._send(eventstream.exception(exception, f"The stream ended with {exception}."))
                    self.ending = "complete"
                    return
                await self._send(eventstream.chunk(answer(event), number))
                number += 1
        if data is None:
            raise ClientGone
        if reader.waiting:
            raise ValueError(f"the client ended in the middle of an event, {len(reader.waiting)} bytes behind the last whole one")
        self.ending = "complete"

    async def _send(self, message: bytes) -> None:
        self.frames_out.append(hashlib.sha256(message).hexdigest())
        await self.writer.write(message)

    def _unpack(self, message: bytes) -> dict | None:
        """The model's own event; None for the empty one that ends a signed stream (not every SDK sends it)."""
        if self.ended:
            raise ValueError("an event behind the one that ends the stream")
        frame = eventstream.parse(message)
        if self.chain:
            frame = self._verify(frame)
            if frame is None:
                return None
        if (frame.headers.get(":message-type"), frame.headers.get(":event-type")) != ("event", "chunk"):
            raise ValueError(f"not a chunk: {frame.headers}")
        event = json.loads(base64.b64decode(json.loads(frame.payload)["bytes"], validate=True))
        if not isinstance(event, dict):
            raise ValueError("a model's event is an object")
        return event

    def _verify(self, outer: eventstream.Frame) -> eventstream.Frame | None:
        date, signature = outer.headers.get(":date"), outer.headers.get(":chunk-signature")
        if not isinstance(date, datetime.datetime) or not isinstance(signature, bytes):
            raise ValueError("an event without :date (timestamp) and :chunk-signature (bytes)")
        if abs(datetime.datetime.now(datetime.timezone.utc) - date) > MAXIMUM_SKEW:
            raise ValueError(f"an event signed at {date}")
        self.chain.verify(date, outer.encoded_headers[":date"], outer.payload, signature)
        if not outer.payload:
            self.ended = True
            return None
        return eventstream.parse(outer.payload)


def answer(event: dict) -> dict:
    """What the model says to an input event: its text, or its name."""
    inner = event.get("event") if isinstance(event.get("event"), dict) else event
    name = next(iter(inner), "nothing")
    content = inner[name].get("content") if isinstance(inner.get(name), dict) else None
    return {"event": {"textOutput": {"content": f"You said: {content if isinstance(content, str) else name}"}}}
