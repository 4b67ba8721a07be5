"""From a request to its response and the directives for its delivery: routes, checks, answers."""

import gzip
import json
import re
import uuid

from . import eventstream, models, prompts, shapes_converse, shapes_invoke, shapes_openai
from .answering import answer, tokens
from .authentication import Authenticator
from .directives import Directives
from .errors import CORAL, STREAM_EXCEPTIONS, OpenAiError, ServiceError, validation
from .exchange import Request, Response
from .replay import Replay

MAXIMUM_BODY = 25_000_000
JSON = "application/json"
METADATA_PAIR = re.compile(r"[a-zA-Z0-9\s:_@$#=/+,\-.]*")


class Service:
    def __init__(self, authenticator: Authenticator, replay: Replay | None = None):
        self.authenticator, self.replay = authenticator, replay

    def handle(self, request: Request) -> tuple[Response, Directives]:
        directives = Directives({})
        try:
            directives = Directives.parse(request.header("x-fake") or "")
            self.authenticator.check(request)
            if self.replay:
                return self.replay.response(request, directives), directives
            response, directives = self._answer(request, directives)
        except ServiceError as error:
            if request.raw_path.startswith("/openai/") and error.namespace != CORAL:
                error = OpenAiError(error.status, error.kind, error.message)
            response = error.response()
        except (KeyError, TypeError, AttributeError) as error:
            # A body of the right JSON and the wrong types: the service says so, and does not fall over.
            response = ServiceError(400, "SerializationException", f"Unexpected field type: {error}").response()
        response.headers.insert(0, ("x-amzn-RequestId", directives.text("request_id") or str(uuid.uuid4())))
        return self._altered(response, directives), directives

    def _answer(self, request: Request, directives: Directives) -> tuple[Response, Directives]:
        if len(request.body) > MAXIMUM_BODY:
            raise ServiceError(413, "RequestEntityTooLargeException", "Request size is too large.")
        segments = request.segments()
        if segments == ["ping"] and request.method == "GET":
            return Response(200, [("Content-Type", JSON)], [b'{"status":"healthy"}']), directives
        if request.method == "POST" and segments[:1] == ["openai"]:
            return self._openai("/".join(segments[1:]), request, directives)
        if request.method == "POST" and len(segments) == 3 and segments[0] == "model":
            handler = {"converse": self._converse, "converse-stream": self._converse, "invoke": self._invoke,
                       "invoke-with-response-stream": self._invoke, "count-tokens": self._count_tokens}.get(segments[2])
            if request.is_bidirectional():
                raise validation("fake: InvokeModelWithBidirectionalStream is HTTP/2's only.")
            if handler:
                if segments[1].startswith("fake."):
                    raise ServiceError.named(Directives({"error": segments[1].removeprefix("fake.")}).text("error"))
                return handler(segments[1], segments[2].endswith("-stream"), request, directives)
        raise ServiceError(404, "UnknownOperationException", "No operation at this path with this method.", namespace=CORAL)

    def _ask(self, prompt: prompts.Prompt, request: Request, directives: Directives):
        """The model's answer, and the directives with those of the prompt."""
        directives = directives.in_text(prompt.last_text)
        if directives.text("error"):
            raise _Directed(ServiceError.named(directives.text("error")), directives)
        return answer(prompt, request.body, directives.number("words")), directives

    def _converse(self, model_id: str, stream: bool, request: Request, directives: Directives):
        family = models.family(models.base_model(model_id))
        body = prompts.json_body(request)
        if family == "embedding":
            raise validation("The action doesn't support the model that you provided. Try again with a supported text or chat model.")
        try:
            result, directives = self._ask(prompts.from_converse(body), request, directives)
        except _Directed as directed:
            return directed.error.response(), directed.directives
        if stream:
            return _event_stream(shapes_converse.frames(result), []), directives
        return Response(200, [("Content-Type", JSON)], [shapes_converse.body(result)]), directives

    def _invoke(self, model_id: str, stream: bool, request: Request, directives: Directives):
        model = models.base_model(model_id)
        family = models.family(model)
        _check_metadata_header(request)
        body = prompts.json_body(request)
        reader = {"anthropic": prompts.from_anthropic, "nova": lambda given: prompts.from_converse(given, nova=True),
                  "titan": prompts.from_titan, "embedding": prompts.from_titan, "openai": prompts.from_chat,
                  "text": prompts.from_text}[family]
        try:
            result, directives = self._ask(reader(body), request, directives)
        except _Directed as directed:
            return directed.error.response(), directed.directives
        if not stream:
            payload = {"anthropic": lambda: shapes_invoke.anthropic_body(result, model),
                       "nova": lambda: shapes_invoke.nova_body(result), "titan": lambda: shapes_invoke.titan_body(result),
                       "embedding": lambda: shapes_invoke.embedding_body(result, body.get("dimensions", 1024)),
                       "openai": lambda: shapes_openai.chat_body(result, model),
                       "text": lambda: shapes_invoke.text_body(result, model)}[family]()
            return Response(200, [("Content-Type", JSON), *shapes_invoke.token_headers(result, family)], [payload]), directives
        if family in ("embedding", "openai"):
            raise validation("The model is unsupported for streaming.")
        events = {"anthropic": lambda: shapes_invoke.anthropic_events(result, model),
                  "nova": lambda: shapes_invoke.nova_events(result), "titan": lambda: shapes_invoke.titan_events(result),
                  "text": lambda: shapes_invoke.text_events(result, model)}[family]()
        return _event_stream(shapes_invoke.frames(events), [("X-Amzn-Bedrock-Content-Type", JSON)]), directives

    def _count_tokens(self, model_id: str, _stream: bool, request: Request, directives: Directives):
        models.base_model(model_id)
        given = prompts.json_body(request).get("input") or {}
        if "converse" in given:
            text = prompts.from_converse(given["converse"]).everything
        elif "invokeModel" in given:
            text = given["invokeModel"]["body"]
        else:
            raise validation("input: one of converse and invokeModel is required")
        return Response(200, [("Content-Type", JSON)], [b'{"inputTokens":%d}' % tokens(text)]), directives

    def _openai(self, path: str, request: Request, directives: Directives):
        shapes = {"v1/chat/completions": (prompts.from_chat, shapes_openai.chat_body, shapes_openai.chat_events),
                  "v1/responses": (prompts.from_responses, shapes_openai.responses_body, shapes_openai.responses_events)}.get(path)
        if not shapes:
            raise ServiceError(404, "UnknownOperationException", "No operation at this path with this method.")
        body = prompts.json_body(request)
        models.openai_model(body.get("model"))
        read, whole, events = shapes
        try:
            result, directives = self._ask(read(body), request, directives)
        except _Directed as directed:
            error = directed.error
            return OpenAiError(error.status, error.kind, error.message).response(), directed.directives
        if not body.get("stream"):
            return Response(200, [("Content-Type", JSON)], [whole(result, body["model"])]), directives
        if events is shapes_openai.chat_events:
            pieces = events(result, body["model"], bool((body.get("stream_options") or {}).get("include_usage")))
        else:
            pieces = events(result, body["model"])
        return Response(200, [("Content-Type", "text/event-stream; charset=utf-8")], pieces, streamed=True), directives

    @staticmethod
    def _altered(response: Response, directives: Directives) -> Response:
        """What the directives change in the bytes; delivery.py does what they change in the sending."""
        status = directives.number("status")
        if status is not None:
            page = b"<html><head><title>%d</title></head><body>a gateway between</body></html>" % status
            return Response(status, [("Content-Type", "text/html")], [page])
        if directives.text("exception") and response.streamed:
            first, colon, name = directives.text("exception").partition(":")
            after = int(first) if colon else 2
            name = name if colon else first
            if name != "error" and name not in STREAM_EXCEPTIONS:
                raise ValueError(f"fake: no in-stream exception {name}")
            last = eventstream.error("internalServerError", "The stream broke.") if name == "error" else \
                eventstream.exception(name, f"The stream ended with {name}.")
            response.pieces = response.pieces[:after] + [last]
        for name, offset in (("crc", -1), ("prelude_crc", 11), ("flip", -6)):
            number = directives.number(name)
            if number is not None and number < len(response.pieces):
                damaged = bytearray(response.pieces[number])
                damaged[offset] ^= 0x20
                response.pieces[number] = bytes(damaged)
        if directives.flag("gzip"):
            response.pieces = [gzip.compress(b"".join(response.pieces), mtime=0)]
            response.headers.append(("Content-Encoding", "gzip"))
        if directives.flag("trailer"):
            response.streamed = True
            response.trailers = [("x-fake-trailer", "at the end")]
        return response


class _Directed(Exception):
    """An error that the prompt asked for, with the prompt's other directives."""

    def __init__(self, error: ServiceError, directives: Directives):
        super().__init__()
        self.error, self.directives = error, directives


def _event_stream(frames: list[bytes], headers: list[tuple[str, str]]) -> Response:
    return Response(200, [("Content-Type", "application/vnd.amazon.eventstream"), *headers], frames, streamed=True)


def _check_metadata_header(request: Request) -> None:
    text = request.header("x-amzn-bedrock-request-metadata")
    if text is None:
        return
    try:
        pairs = json.loads(text)
        valid = isinstance(pairs, dict) and len(pairs) <= 16 and all(
            isinstance(value, str) and METADATA_PAIR.fullmatch(key + value) for key, value in pairs.items())
    except ValueError:
        valid = False
    if not valid:
        raise validation("The request metadata is not valid.")
