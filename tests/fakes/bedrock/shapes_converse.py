"""Converse's response body and ConverseStream's events: facts/bedrock.md §2.4, §2.5."""

import json

from . import eventstream
from .answering import Answer


def _usage(answer: Answer) -> dict:
    usage = {"inputTokens": answer.input_tokens, "outputTokens": answer.output_tokens,
             "totalTokens": answer.input_tokens + answer.output_tokens + answer.cache_read + answer.cache_write}
    if answer.cache_read or answer.cache_write:
        usage |= {"cacheReadInputTokens": answer.cache_read, "cacheReadInputTokenCount": answer.cache_read,
                  "cacheWriteInputTokens": answer.cache_write, "cacheWriteInputTokenCount": answer.cache_write}
    return usage


def body(answer: Answer) -> bytes:
    content: list[dict] = [{"text": answer.text}]
    content += [{"toolUse": {"input": use.input, "name": use.name, "toolUseId": "tooluse_" + use.identifier}} for use in answer.tools]
    return json.dumps({"metrics": {"latencyMs": answer.latency_ms}, "output": {"message": {"content": content, "role": "assistant"}},
                       "stopReason": answer.stop, "usage": _usage(answer)},
                      sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def frames(answer: Answer) -> list[bytes]:
    """A text block starts with its first delta; only tool use has a contentBlockStart."""
    events: list[tuple[str, dict]] = [("messageStart", {"role": "assistant"})]
    events += [("contentBlockDelta", {"contentBlockIndex": 0, "delta": {"text": piece}}) for piece in answer.pieces()]
    events.append(("contentBlockStop", {"contentBlockIndex": 0}))
    for index, use in enumerate(answer.tools, start=1):
        events.append(("contentBlockStart", {"contentBlockIndex": index, "start": {"toolUse": {
            "name": use.name, "toolUseId": "tooluse_" + use.identifier}}}))
        events += [("contentBlockDelta", {"contentBlockIndex": index, "delta": {"toolUse": {"input": part}}})
                   for part in partial_json(use.input)]
        events.append(("contentBlockStop", {"contentBlockIndex": index}))
    events.append(("messageStop", {"stopReason": answer.stop}))
    events.append(("metadata", {"metrics": {"latencyMs": answer.latency_ms}, "usage": _usage(answer)}))
    return [eventstream.event(name, members, seed) for seed, (name, members) in enumerate(events)]


def partial_json(value: dict) -> list[str]:
    """A tool's input in the pieces in which models stream it: the first is empty, none is JSON by itself."""
    text = json.dumps(value, ensure_ascii=False)
    return [""] + [text[start:start + 9] for start in range(0, len(text), 9)]
