"""Reads application/vnd.amazon.eventstream as the tests' own, with both CRCs."""

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
