"""Writes application/vnd.amazon.eventstream frames: facts/bedrock.md §3, in the order Bedrock writes their headers. Reads
those that a client sends."""

import base64
import datetime
import json
import struct
import zlib
from dataclasses import dataclass

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


MAXIMUM_FRAME = 16 << 20
STRING, BINARY, TIMESTAMP = 7, 6, 8


@dataclass
class Frame:
    headers: dict[str, str | bytes | datetime.datetime]
    encoded_headers: dict[str, bytes]  # each as on the wire, its name with it
    payload: bytes


class FrameReader:
    """Takes bytes as they come and gives the frames that are whole. Raises ValueError at the first damage."""

    def __init__(self):
        self.waiting = b""

    def feed(self, data: bytes) -> list[bytes]:
        self.waiting += data
        found = []
        while len(self.waiting) >= 12:
            total, _, prelude_crc = struct.unpack(">III", self.waiting[:12])
            if zlib.crc32(self.waiting[:8]) != prelude_crc:
                raise ValueError("the CRC of an event's prelude does not match")
            if not 16 <= total <= MAXIMUM_FRAME:
                raise ValueError(f"an event of {total} bytes")
            if len(self.waiting) < total:
                break
            found.append(self.waiting[:total])
            self.waiting = self.waiting[total:]
        return found


def parse(message: bytes) -> Frame:
    """One whole frame, and nothing behind it."""
    if len(message) < 16 or struct.unpack(">I", message[:4])[0] != len(message) or zlib.crc32(message[:8]) != struct.unpack(">I", message[8:12])[0]:
        raise ValueError("not one event")
    if zlib.crc32(message[:-4]) != struct.unpack(">I", message[-4:])[0]:
        raise ValueError("the CRC of an event does not match")
    length = struct.unpack(">I", message[4:8])[0]
    if length > len(message) - 16:
        raise ValueError("an event's headers are longer than the event")
    frame, rest = Frame({}, {}, message[12 + length:-4]), message[12:12 + length]
    while rest:
        name, value, size = _header(rest)
        frame.headers[name], frame.encoded_headers[name] = value, rest[:size]
        rest = rest[size:]
    return frame


def _header(data: bytes) -> tuple[str, str | bytes | datetime.datetime, int]:
    """Name, value, and how many bytes they take."""
    try:
        start = 2 + data[0]
        name, kind = data[1:start - 1].decode(), data[start - 1]
        if kind == TIMESTAMP:
            milliseconds, = struct.unpack(">q", data[start:start + 8])
            return name, datetime.datetime.fromtimestamp(milliseconds / 1000, datetime.timezone.utc), start + 8
        length, = struct.unpack(">H", data[start:start + 2])
        value = data[start + 2:start + 2 + length]
        if kind not in (STRING, BINARY) or len(value) != length:
            raise ValueError(f"an event's header {name} of type {kind}, {len(value)} bytes")
        return name, value.decode() if kind == STRING else value, start + 2 + length
    except (IndexError, struct.error, OverflowError):
        raise ValueError("an event's header ends too early") from None
