"""Reads application/vnd.amazon.eventstream as the tests' own, with both CRCs, and writes it."""

import base64
import json
import struct
import zlib


def frames(data: bytes) -> list[tuple[dict, bytes]]:
    """(headers, payload) of each frame; raises ValueError at the first damage or at a part of a frame."""
    found = []
    while data:
        if len(data) < 16:
            raise ValueError("part of a frame")
        total, header_length, prelude_crc = struct.unpack(">III", data[:12])
        if zlib.crc32(data[:8]) != prelude_crc:
            raise ValueError("prelude CRC")
        if len(data) < total:
            raise ValueError("part of a frame")
        if zlib.crc32(data[:total - 4]) != struct.unpack(">I", data[total - 4:total])[0]:
            raise ValueError("message CRC")
        headers, rest = {}, data[12:12 + header_length]
        while rest:
            name_length = rest[0]
            name, kind = rest[1:1 + name_length].decode(), rest[1 + name_length]
            length = struct.unpack(">H", rest[2 + name_length:4 + name_length])[0]
            if kind != 7:
                raise ValueError(f"header type {kind}")
            headers[name] = rest[4 + name_length:4 + name_length + length].decode()
            rest = rest[4 + name_length + length:]
        found.append((headers, data[12 + header_length:total - 4]))
        data = data[total:]
    return found


def text(data: bytes) -> str:
    """The text that a ConverseStream says."""
    return "".join(json.loads(payload)["delta"].get("text", "") for headers, payload in frames(data)
                   if headers.get(":event-type") == "contentBlockDelta")


def frame(encoded_headers: bytes, payload: bytes) -> bytes:
    prelude = struct.pack(">II", len(encoded_headers) + len(payload) + 16, len(encoded_headers))
    message = prelude + struct.pack(">I", zlib.crc32(prelude)) + encoded_headers + payload
    return message + struct.pack(">I", zlib.crc32(message))


def chunk(event: dict) -> bytes:
    """An input event of a bidirectional stream, unsigned."""
    headers = b"".join(struct.pack(">B", len(name)) + name.encode() + struct.pack(">BH", 7, len(value)) + value.encode()
                       for name, value in ((":event-type", "chunk"), (":content-type", "application/json"), (":message-type", "event")))
    return frame(headers, json.dumps({"bytes": base64.b64encode(json.dumps(event).encode()).decode()}).encode())


def chunks(data: bytes) -> list:
    """The model's own events in the chunks of a stream."""
    return [json.loads(base64.b64decode(json.loads(payload)["bytes"])) for headers, payload in frames(data) if headers.get(":event-type") == "chunk"]
