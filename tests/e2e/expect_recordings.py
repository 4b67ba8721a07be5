"""What each recorded exchange must become in the store, derived independently of the agent's code.

Written from facts/bedrock.md alone, with an event stream decoder and assembler of its own, so that a misreading has to be
made twice to pass. As a program it prints one JSON object a line for each recording:

    python3 tests/e2e/expect_recordings.py RECORDINGS.ndjson

Members: the columns of the view `invocations`, and `request_body`, `input_content_type`, `output_content_type`,
`response_body` (base64 of exact bytes) or `response_json` (an assembled stream, compared as a JSON value).
"""

import base64
import json
import struct
import sys
import zlib
from urllib.parse import unquote, urlsplit

OPERATIONS = {"converse": "Converse", "converse-stream": "ConverseStream", "invoke": "InvokeModel",
              "invoke-with-response-stream": "InvokeModelWithResponseStream"}


def frames(stream: bytes):
    """(event type, payload) of each message; both checksums must hold (§3)."""
    while stream:
        total, header_length, prelude_crc = struct.unpack(">III", stream[:12])
        message, stream = stream[:total], stream[total:]
        assert len(message) == total and zlib.crc32(message[:8]) == prelude_crc
        assert zlib.crc32(message[:-4]) == struct.unpack(">I", message[-4:])[0]
        encoded, payload = message[12:12 + header_length], message[12 + header_length:-4]
        headers = {}
        while encoded:
            name_length = encoded[0]
            name, kind = encoded[1:1 + name_length].decode(), encoded[1 + name_length]
            assert kind == 7, "every Bedrock header in the recordings is a string"
            length, = struct.unpack(">H", encoded[2 + name_length:4 + name_length])
            headers[name] = encoded[4 + name_length:4 + name_length + length].decode()
            encoded = encoded[4 + name_length + length:]
        assert headers[":message-type"] == "event"
        yield headers[":event-type"], json.loads(payload)


def tool_input(text: str):
    if not text:
        return {}
    try:
        return json.loads(text)
    except ValueError:
        return text


def converse_body(events) -> dict:
    """§2.5 put together as §1.4 and §2.4 show it."""
    role, blocks, rest = None, {}, {}
    for kind, event in events:
        event.pop("p", None)
        if kind == "messageStart":
            role = event["role"]
        elif kind == "contentBlockStart":
            blocks[event["contentBlockIndex"]] = {"toolUse": dict(event["start"]["toolUse"], input="")}
        elif kind == "contentBlockDelta":
            block, delta = blocks.setdefault(event["contentBlockIndex"], {}), event["delta"]
            if "text" in delta:
                block["text"] = block.get("text", "") + delta["text"]
            else:
                block["toolUse"]["input"] += delta["toolUse"]["input"]
        elif kind in ("messageStop", "metadata"):
            rest.update(event)
        else:
            assert kind == "contentBlockStop", kind
    for block in blocks.values():
        if "toolUse" in block:
            block["toolUse"]["input"] = tool_input(block["toolUse"]["input"])
    return {"output": {"message": {"role": role, "content": [blocks[index] for index in sorted(blocks)]}}, **rest}


def chunk_list(events) -> list:
    return [json.loads(base64.b64decode(event["bytes"])) for kind, event in events if kind == "chunk"]


def invoke_stop_reason(model: str, body: dict):
    """Each vendor's own name for it, in a body or in one chunk."""
    if "anthropic." in model:
        return body.get("delta", {}).get("stop_reason") or body.get("stop_reason")
    if "amazon.nova" in model:
        return body.get("messageStop", body).get("stopReason")
    if "amazon.titan" in model:
        return body.get("results", [body])[0].get("completionReason")
    if "cohere.command-r" in model:
        return body.get("finish_reason")
    if "cohere." in model:
        return body["generations"][0].get("finish_reason")
    if "meta." in model:
        return body.get("stop_reason")
    if "mistral." in model:
        return body["outputs"][0].get("stop_reason")
    raise AssertionError(f"no rule for {model}")


def expected(recording: dict) -> dict:
    _, _, model, operation = urlsplit(recording["url"]).path.split("/")
    headers = {name.lower(): value for name, value in recording["response_headers"].items()}
    sent = {name.lower(): value for name, value in recording["request_headers"].items()}
    raw = base64.b64decode(recording["response_body"])
    request = base64.b64decode(recording["request_body"])
    model = unquote(model)
    out = {
        "operation": OPERATIONS[operation], "model": model, "status": recording["status"], "outcome": "complete",
        "request_id": headers.get("x-amzn-requestid"), "sdk_invocation_id": sent.get("amz-sdk-invocation-id"),
        "error": None, "stop_reason": None, "input_tokens": None, "output_tokens": None, "cache_read_tokens": None,
        "cache_write_tokens": None, "stream": 0, "truncated": 0, "request_metadata": None, "details": None,
        # boto3 sends no Content-Type with InvokeModel; the body itself shows what it is.
        "input_content_type": sent.get("content-type") or ("application/json" if request else None),
        "output_content_type": headers.get("content-type"),
        "request_body": recording["request_body"],
    }
    if recording["status"] >= 400:
        out["error"] = headers["x-amzn-errortype"].split(":")[0]
        out["response_body"] = recording["response_body"]
    elif operation == "converse":
        take_converse(out, json.loads(raw))
        out["response_body"] = recording["response_body"]
    elif operation == "converse-stream":
        body = converse_body(frames(raw))
        take_converse(out, body)
        out.update(stream=1, response_json=body, output_content_type="application/json")
    elif operation == "invoke":
        out["stop_reason"] = invoke_stop_reason(model, json.loads(raw))
        names = {"input_tokens": "input", "output_tokens": "output", "cache_read_tokens": "cache-read-input",
                 "cache_write_tokens": "cache-write-input"}
        for column, name in names.items():
            count = headers.get(f"x-amzn-bedrock-{name}-token-count")
            out[column] = None if count is None else int(count)
        out["response_body"] = recording["response_body"]
    else:
        chunks = chunk_list(frames(raw))
        metrics = chunks[-1]["amazon-bedrock-invocationMetrics"]
        out.update(stream=1, response_json=chunks, output_content_type=headers["x-amzn-bedrock-content-type"],
                   stop_reason=next(filter(None, (invoke_stop_reason(model, chunk) for chunk in reversed(chunks))), None),
                   input_tokens=metrics["inputTokenCount"], output_tokens=metrics["outputTokenCount"],
                   cache_read_tokens=metrics.get("cacheReadInputTokenCount"),
                   cache_write_tokens=metrics.get("cacheWriteInputTokenCount"))
    return out


def take_converse(out: dict, body: dict) -> None:
    usage = body["usage"]
    out.update(stop_reason=body["stopReason"], input_tokens=usage["inputTokens"], output_tokens=usage["outputTokens"],
               cache_read_tokens=usage.get("cacheReadInputTokens", usage.get("cacheReadInputTokenCount")),
               cache_write_tokens=usage.get("cacheWriteInputTokens", usage.get("cacheWriteInputTokenCount")))


def check(row: dict, line: dict, request: bytes, response: bytes, recording: dict, problems: list) -> None:
    """Compares what the store holds of `recording` (the view's row, the AWS-schema line, the two bodies) with what it must
    be, and appends each difference to `problems`."""
    want = expected(recording)

    def same(what: str, found, wanted) -> None:
        if found != wanted:
            problems.append(f"{recording['name']}: {what} is {str(found)[:300]!r}, not {str(wanted)[:300]!r}")

    for column in ("operation", "model", "status", "outcome", "request_id", "sdk_invocation_id", "error", "stop_reason",
                   "input_tokens", "output_tokens", "cache_read_tokens", "cache_write_tokens", "stream", "truncated",
                   "request_metadata", "details"):
        same(column, row[column], want[column])
    same("request body", request, base64.b64decode(want["request_body"]))
    if "response_body" in want:
        same("response body", response, base64.b64decode(want["response_body"]))
    else:
        same("assembled body", json.loads(response), want["response_json"])
    for member, column in (("requestId", "request_id"), ("operation", "operation"), ("modelId", "model"), ("errorCode", "error")):
        same(member, line.get(member), want[column])
    for side, body, columns in (
            ("input", request, {"inputTokenCount": "input_tokens", "cacheReadInputTokenCount": "cache_read_tokens",
                                "cacheWriteInputTokenCount": "cache_write_tokens", "inputContentType": "input_content_type"}),
            ("output", response, {"outputTokenCount": "output_tokens", "outputContentType": "output_content_type"})):
        for member, column in columns.items():
            same(f"{side}.{member}", line[side].get(member), want[column])
        same(f"{side}.{side}BodyJson", line[side].get(f"{side}BodyJson"), json.loads(body) if body else None)
    same("schemaType", line["schemaType"], "ModelInvocationLog")


if __name__ == "__main__":
    with open(sys.argv[1], encoding="utf-8") as file:
        for text in file:
            print(json.dumps(expected(json.loads(text))))
