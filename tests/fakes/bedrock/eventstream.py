"""Writes application/vnd.amazon.eventstream frames: facts/bedrock.md §3, in the order Bedrock writes their headers."""

import base64
import json
import struct
import zlib

# The padding member `p` is a prefix of this (facts/bedrock.md §2.6).
PADDING = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"


def frame(headers: list[tuple[str, str]], payload: bytes) -> bytes:
    encoded = b""
    for name, value in headers:
        encoded += struct.pack(">B", len(name)) + name.encode() + struct.pack(">BH", 7, len(value.encode())) + value.encode()
    prelude = struct.pack(">II", len(encoded) + len(payload) + 16, len(encoded))
    message = prelude + struct.pack(">I", zlib.crc32(prelude)) + encoded + payload
    return message + struct.pack(">I", zlib.crc32(message))


def event(name: str, members: dict, padding_seed: int) -> bytes:
    """One event with a deterministic padding of 4 to 62 characters; keys alphabetical, as the service writes them."""
    members = {**members, "p": PADDING[: 4 + padding_seed * 17 % 59]}
    payload = json.dumps(members, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
    return frame([(":event-type", name), (":content-type", "application/json"), (":message-type", "event")], payload)


def chunk(model_event: dict, padding_seed: int) -> bytes:
    """A `chunk` of InvokeModelWithResponseStream: the model's own JSON in base64."""
    inner = json.dumps(model_event, separators=(",", ":"), ensure_ascii=False).encode()
    return event("chunk", {"bytes": base64.b64encode(inner).decode()}, padding_seed)


def exception(name: str, message: str) -> bytes:
    """A modelled error in the stream."""
    payload = json.dumps({"message": message}, separators=(",", ":")).encode()
    return frame([(":exception-type", name), (":content-type", "application/json"), (":message-type", "exception")], payload)


def error(code: str, message: str) -> bytes:
    """An unmodelled error in the stream: no payload."""
    return frame([(":error-code", code), (":error-message", message), (":message-type", "error")], b"")
