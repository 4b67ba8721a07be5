"""OpenAI's Chat Completions and Responses objects and their SSE events (OpenAI's public API reference)."""

import json

from .answering import Answer

FINISH = {"end_turn": "stop", "max_tokens": "length", "tool_use": "tool_calls"}
CREATED = 1767225600  # fixed: an answer depends on its request alone


def _json(value: object) -> str:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def _chat_usage(answer: Answer) -> dict:
    return {"completion_tokens": answer.output_tokens, "prompt_tokens": answer.input_tokens,
            "total_tokens": answer.input_tokens + answer.output_tokens}


def chat_body(answer: Answer, model: str) -> bytes:
    message: dict = {"content": answer.text, "refusal": None, "role": "assistant"}
    if answer.tools:
        message["tool_calls"] = [{"function": {"arguments": json.dumps(use.input), "name": use.name},
                                  "id": "chatcmpl-tool-" + use.identifier, "type": "function"} for use in answer.tools]
    return _json({"choices": [{"finish_reason": FINISH[answer.stop], "index": 0, "logprobs": None, "message": message}],
                  "created": CREATED, "id": answer.identifier("chatcmpl-"), "model": model, "object": "chat.completion",
                  "service_tier": "default", "system_fingerprint": None, "usage": _chat_usage(answer)}).encode()


def chat_events(answer: Answer, model: str, include_usage: bool) -> list[bytes]:
    head = {"id": answer.identifier("chatcmpl-"), "object": "chat.completion.chunk", "created": CREATED, "model": model}

    def chunk(delta: dict, finish: str | None = None) -> dict:
        return head | {"choices": [{"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}]}

    chunks = [chunk({"role": "assistant", "content": ""})] + [chunk({"content": piece}) for piece in answer.pieces()]
    for index, use in enumerate(answer.tools):
        chunks.append(chunk({"tool_calls": [{"index": index, "id": "chatcmpl-tool-" + use.identifier, "type": "function",
                                             "function": {"name": use.name, "arguments": json.dumps(use.input)}}]}))
    chunks.append(chunk({}, FINISH[answer.stop]))
    if include_usage:
        chunks.append(head | {"choices": [], "usage": _chat_usage(answer)})
    return [f"data: {_json(one)}\n\n".encode() for one in chunks] + [b"data: [DONE]\n\n"]


def _response(answer: Answer, model: str, output: list[dict], finished: bool) -> dict:
    status = "in_progress" if not finished else "incomplete" if answer.stop == "max_tokens" else "completed"
    usage = {"input_tokens": answer.input_tokens, "input_tokens_details": {"cached_tokens": 0}, "output_tokens": answer.output_tokens,
             "output_tokens_details": {"reasoning_tokens": 0}, "total_tokens": answer.input_tokens + answer.output_tokens}
    return {"id": answer.identifier("resp_"), "object": "response", "created_at": CREATED, "status": status, "error": None,
            "incomplete_details": {"reason": "max_output_tokens"} if status == "incomplete" else None, "model": model,
            "output": output, "parallel_tool_calls": True, "store": True, "usage": usage if finished else None}


def _output(answer: Answer) -> list[dict]:
    items: list[dict] = [{"id": answer.identifier("msg_"), "type": "message", "status": "completed", "role": "assistant",
                          "content": [{"type": "output_text", "annotations": [], "text": answer.text}]}]
    items += [{"id": "fc_" + use.identifier, "type": "function_call", "status": "completed", "call_id": "call_" + use.identifier,
               "name": use.name, "arguments": json.dumps(use.input)} for use in answer.tools]
    return items


def responses_body(answer: Answer, model: str) -> bytes:
    return _json(_response(answer, model, _output(answer), True)).encode()


def responses_events(answer: Answer, model: str) -> list[bytes]:
    message, *calls = _output(answer)
    place = {"item_id": message["id"], "output_index": 0, "content_index": 0}
    events: list[dict] = [
        {"type": "response.created", "response": _response(answer, model, [], False)},
        {"type": "response.in_progress", "response": _response(answer, model, [], False)},
        {"type": "response.output_item.added", "output_index": 0, "item": message | {"status": "in_progress", "content": []}},
        {"type": "response.content_part.added", **place, "part": {"type": "output_text", "annotations": [], "text": ""}},
        *({"type": "response.output_text.delta", **place, "delta": piece} for piece in answer.pieces()),
        {"type": "response.output_text.done", **place, "text": answer.text},
        {"type": "response.content_part.done", **place, "part": message["content"][0]},
        {"type": "response.output_item.done", "output_index": 0, "item": message},
    ]
    for index, call in enumerate(calls, start=1):
        events.append({"type": "response.output_item.added", "output_index": index, "item": call | {"status": "in_progress", "arguments": ""}})
        events.append({"type": "response.function_call_arguments.done", "output_index": index, "item_id": call["id"], "arguments": call["arguments"]})
        events.append({"type": "response.output_item.done", "output_index": index, "item": call})
    last = "response.incomplete" if answer.stop == "max_tokens" else "response.completed"
    events.append({"type": last, "response": _response(answer, model, [message, *calls], True)})
    return [f"event: {event['type']}\ndata: {_json(event | {'sequence_number': number})}\n\n".encode()
            for number, event in enumerate(events)]
