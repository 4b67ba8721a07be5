"""What a test asks of this endpoint beside the answer: failures, pacing, sizes.

`NAME=VALUE NAME=VALUE ...` in the header `x-fake`, or in the newest user text as `[[fake NAME=VALUE ...]]`, or a model id
`fake.ERROR` (as `error=ERROR`). A name that does not exist is answered with 400, so a misspelt test fails.
"""

import re

from .errors import NAMED, STREAM_EXCEPTIONS, validation

HELP = {
    "error": "answer with this error: " + ", ".join(NAMED),
    "status": "answer with this status and an HTML body, as a gateway between would",
    "exception": "[AFTER:]NAME  end the stream after AFTER frames (default 2) with this exception frame: " + ", ".join(STREAM_EXCEPTIONS)
                 + "; NAME error is an unmodelled error frame",
    "cut": "PIECES[:BYTES]  close after so many pieces (frames, SSE events) and bytes of the next",
    "reset": "PIECES[:BYTES]  the same with a TCP reset",
    "crc": "N  damage the message CRC of piece N (from 0)",
    "prelude_crc": "N  damage the prelude CRC of piece N",
    "flip": "N  flip a bit in the payload of piece N",
    "chunk_bytes": "write the body in writes of so many bytes",
    "gap_ms": "wait so long between pieces (with chunk_bytes: between writes)",
    "delay_ms": "wait so long before the response's head",
    "stall": "PIECES:MILLISECONDS  after so many pieces, send nothing for so long",
    "words": "answer with so many words",
    "close": "1: close without any response",
    "hang_up": "1: close the connection right after a complete response, unannounced",
    "connection_close": "1: HTTP/1.1: say `Connection: close`, and do",
    "gzip": "1: gzip the response's body (Content-Encoding: gzip)",
    "trailer": "1: end a streamed response with the trailer x-fake-trailer",
    "request_id": "the x-amzn-RequestId to answer with",
    "recording": "N  with --replay: answer with recording N (line number from 0)",
}
MARKER = re.compile(r"\[\[fake ([^\]]*)\]\]")


class Directives:
    def __init__(self, values: dict[str, str]):
        unknown = sorted(set(values) - set(HELP))
        if unknown:
            raise validation(f"fake: no directive {', '.join(unknown)}")
        if "error" in values and values["error"] not in NAMED:
            raise validation(f"fake: no error {values['error']}")
        self.values = values

    @classmethod
    def parse(cls, text: str) -> "Directives":
        return cls(dict(part.partition("=")[::2] for part in text.split()))

    def in_text(self, text: str) -> "Directives":
        """These, and those that the marker in `text` adds."""
        found = MARKER.search(text)
        return Directives({**Directives.parse(found[1]).values, **self.values}) if found else self

    def text(self, name: str) -> str:
        return self.values.get(name, "")

    def flag(self, name: str) -> bool:
        return self.values.get(name, "0") not in ("", "0")

    def number(self, name: str) -> int | None:
        return int(self.values[name]) if name in self.values else None

    def seconds(self, name: str) -> float:
        return float(self.values.get(name, 0)) / 1000

    def pair(self, name: str) -> tuple[int, int] | None:
        if name not in self.values:
            return None
        first, _, second = self.values[name].partition(":")
        return int(first), int(second or 0)
