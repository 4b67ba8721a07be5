"""The models' own bodies and stream events under InvokeModel: as in the public recordings of real calls."""

import hashlib
import json
import struct

from . import eventstream
from .answering import Answer
from .shapes_converse import partial_json

TITAN_REASONS = {"end_turn": "FINISH", "max_tokens": "LENGTH", "tool_use": "FINISH"}
TEXT_REASONS = {"end_turn": "stop", "max_tokens": "length", "tool_use": "stop"}


def _json(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()


def token_headers(answer: Answer, model_family: str) -> list[tuple[str, str]]:
    headers = [("X-Amzn-Bedrock-Invocation-Latency", str(answer.latency_ms)),
               ("X-Amzn-Bedrock-Input-Token-Count", str(answer.input_tokens))]
    if model_family != "embedding":
        headers.append(("X-Amzn-Bedrock-Output-Token-Count", str(answer.output_tokens)))
    if model_family == "nova" or answer.cache_read or answer.cache_write:
        headers += [("X-Amzn-Bedrock-Cache-Read-Input-Token-Count", str(answer.cache_read)),
                    ("X-Amzn-Bedrock-Cache-Write-Input-Token-Count", str(answer.cache_write))]
    return headers


def _metrics(answer: Answer, cache: bool) -> dict:
    metrics = {"inputTokenCount": answer.input_tokens, "outputTokenCount": answer.output_tokens,
               "invocationLatency": answer.latency_ms, "firstByteLatency": answer.latency_ms // 3}
    if cache or answer.cache_read or answer.cache_write:
        metrics |= {"cacheReadInputTokenCount": answer.cache_read, "cacheWriteInputTokenCount": answer.cache_write}
    return {"amazon-bedrock-invocationMetrics": metrics}


# --- Anthropic Messages ---------------------------------------------------------------------------------------------
def _anthropic_usage(answer: Answer, output_tokens: int) -> dict:
    usage = {"input_tokens": answer.input_tokens, "output_tokens": output_tokens}
    if answer.cache_read or answer.cache_write:
        usage |= {"cache_creation_input_tokens": answer.cache_write, "cache_read_input_tokens": answer.cache_read}
    return usage


def _anthropic_message(answer: Answer, model: str) -> dict:
    return {"id": answer.identifier("msg_bdrk_01", 22), "type": "message", "role": "assistant",
            "model": model.removeprefix("anthropic.").partition("-v1:")[0]}


def anthropic_body(answer: Answer, model: str) -> bytes:
    content: list[dict] = [{"type": "text", "text": answer.text}]
    content += [{"type": "tool_use", "id": "toolu_bdrk_01" + use.identifier, "name": use.name, "input": use.input} for use in answer.tools]
    return _json(_anthropic_message(answer, model) | {"content": content, "stop_reason": answer.stop, "stop_sequence": None,
                                                      "usage": _anthropic_usage(answer, answer.output_tokens)})


def anthropic_events(answer: Answer, model: str) -> list[dict]:
    message = _anthropic_message(answer, model) | {"content": [], "stop_reason": None, "stop_sequence": None,
                                                   "usage": _anthropic_usage(answer, 1)}
    events: list[dict] = [{"type": "message_start", "message": message},
                          {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}}]
    events += [{"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": piece}} for piece in answer.pieces()]
    events.append({"type": "content_block_stop", "index": 0})
    for index, use in enumerate(answer.tools, start=1):
        events.append({"type": "content_block_start", "index": index, "content_block": {
            "type": "tool_use", "id": "toolu_bdrk_01" + use.identifier, "name": use.name, "input": {}}})
        events += [{"type": "content_block_delta", "index": index, "delta": {"type": "input_json_delta", "partial_json": part}}
                   for part in partial_json(use.input)]
        events.append({"type": "content_block_stop", "index": index})
    events.append({"type": "message_delta", "delta": {"stop_reason": answer.stop, "stop_sequence": None},
                   "usage": {"output_tokens": answer.output_tokens}})
    events.append({"type": "message_stop"} | _metrics(answer, False))
    return events


# --- Nova -----------------------------------------------------------------------------------------------------------
def _nova_usage(answer: Answer) -> dict:
    return {"inputTokens": answer.input_tokens, "outputTokens": answer.output_tokens,
            "totalTokens": answer.input_tokens + answer.output_tokens,
            "cacheReadInputTokenCount": answer.cache_read, "cacheWriteInputTokenCount": answer.cache_write}


def nova_body(answer: Answer) -> bytes:
    content: list[dict] = [{"text": answer.text}]
    content += [{"toolUse": {"name": use.name, "toolUseId": use.identifier, "input": use.input}} for use in answer.tools]
    return _json({"output": {"message": {"content": content, "role": "assistant"}}, "stopReason": answer.stop, "usage": _nova_usage(answer)})


def nova_events(answer: Answer) -> list[dict]:
    """Nova closes a block after each delta and opens the next index."""
    events: list[dict] = [{"messageStart": {"role": "assistant"}}]
    index = 0
    for piece in answer.pieces():
        events.append({"contentBlockDelta": {"delta": {"text": piece}, "contentBlockIndex": index}})
        events.append({"contentBlockStop": {"contentBlockIndex": index}})
        index += 1
    for use in answer.tools:
        events.append({"contentBlockStart": {"start": {"toolUse": {"toolUseId": use.identifier, "name": use.name}}, "contentBlockIndex": index}})
        events.append({"contentBlockDelta": {"delta": {"toolUse": {"input": json.dumps(use.input)}}, "contentBlockIndex": index}})
        events.append({"contentBlockStop": {"contentBlockIndex": index}})
        index += 1
    events.append({"messageStop": {"stopReason": answer.stop}})
    usage = _nova_usage(answer)
    del usage["totalTokens"]
    events.append({"metadata": {"usage": usage, "metrics": {}, "trace": {}}} | _metrics(answer, True))
    return events


# --- Titan, and models with a plain prompt --------------------------------------------------------------------------
def titan_body(answer: Answer) -> bytes:
    return _json({"inputTextTokenCount": answer.input_tokens, "results": [
        {"tokenCount": answer.output_tokens, "outputText": answer.text, "completionReason": TITAN_REASONS[answer.stop]}]})


def titan_events(answer: Answer) -> list[dict]:
    return [{"outputText": answer.text, "index": 0, "totalOutputTextTokenCount": answer.output_tokens,
             "completionReason": TITAN_REASONS[answer.stop], "inputTextTokenCount": answer.input_tokens} | _metrics(answer, False)]


def embedding_body(answer: Answer, dimensions: int) -> bytes:
    stream = hashlib.shake_256(answer.seed.encode()).digest(2 * dimensions)
    vector = [round(value / 65536, 6) for (value,) in struct.iter_unpack(">h", stream)]
    return _json({"embedding": vector, "embeddingsByType": {"float": vector}, "inputTextTokenCount": answer.input_tokens})


def text_body(answer: Answer, model: str) -> bytes:
    if model.startswith("mistral."):
        return _json({"outputs": [{"text": answer.text, "stop_reason": TEXT_REASONS[answer.stop]}]})
    return _json({"generation": answer.text, "prompt_token_count": answer.input_tokens,
                  "generation_token_count": answer.output_tokens, "stop_reason": TEXT_REASONS[answer.stop]})


def text_events(answer: Answer, model: str) -> list[dict]:
    if model.startswith("mistral."):
        events: list[dict] = [{"outputs": [{"text": piece, "stop_reason": None}]} for piece in answer.pieces()]
        events[-1]["outputs"][0]["stop_reason"] = TEXT_REASONS[answer.stop]
    else:
        events = [{"generation": piece, "prompt_token_count": None, "generation_token_count": count, "stop_reason": None}
                  for count, piece in enumerate(answer.pieces(), start=1)]
        events[0]["prompt_token_count"] = answer.input_tokens
        events[-1]["stop_reason"] = TEXT_REASONS[answer.stop]
    events[-1] |= _metrics(answer, False)
    return events


def frames(events: list[dict]) -> list[bytes]:
    return [eventstream.chunk(event, seed) for seed, event in enumerate(events)]
