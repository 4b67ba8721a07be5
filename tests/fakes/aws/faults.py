"""What goes wrong on request.

A rule says which calls it is for and what happens to them:
  {"fault": KIND, "service": "s3|logs|sts|imds|container", "operation": "PutObject", "target": REGEX, "body": REGEX,
   "skip": 0, "times": 1, "commit": false, ...}
`target` is searched in path and query, `body` in the body as unpacked from gzip: that is how a record is poison. `skip` lets so many matching calls pass first; `times` -1 means for ever. With "commit": true the call takes effect
and only its answer goes wrong. The first rule that matches decides.

A seed draws faults at random instead, the same ones for the same order of calls:
  {"seed": 7, "rate": 0.3, "kinds": [...], "limit": 50}
"""

import gzip
import random
import re
from dataclasses import dataclass, field

from bedrock.exchange import Request

KINDS = {
    "error": "answer `status`, `code`, `message`; `retry_after`: the header's value; `region`: as S3 names it",
    "throttle": "the service's own throttling: 400 ThrottlingException, S3: 503 SlowDown; `retry_after`",
    "html": "answer `status` (502) with an HTML page, as a proxy between would",
    "redirect": "answer `status` (301, 307) with `location` and `region`",
    "reset": "TCP reset instead of an answer",
    "close": "the connection ends instead of an answer",
    "half_close": "no answer: the sending side is shut, the connection stays",
    "cut": "half of the answer, then the end",
    "garbage": "bytes that are not HTTP",
    "slow": "the answer comes after `seconds` (1)",
    "hang": "no answer, until the client goes",
    "reject": "PutLogEvents: the first `too_old` and the last `too_new` events are not taken",
}
COMMITTED = ("slow", "reject", "cut")  # there is an answer, so the call takes effect
SEEDED = ("throttle", "throttle", "error", "error", "html", "reset", "reset", "close", "half_close", "cut", "garbage", "slow")


@dataclass
class Fault:
    kind: str
    commit: bool = False
    values: dict = field(default_factory=dict)

    def get(self, name: str, default):
        return self.values.get(name, default)


class Rule:
    def __init__(self, description: dict):
        values = dict(description)
        self.kind = values.pop("fault")
        if self.kind not in KINDS:
            raise ValueError(f"no fault {self.kind}")
        self.service, self.operation = values.pop("service", ""), values.pop("operation", "")
        self.target, self.body = re.compile(values.pop("target", "")), re.compile(values.pop("body", "").encode())
        self.skip, self.times, self.commit = values.pop("skip", 0), values.pop("times", 1), values.pop("commit", False)
        unknown = set(values) - {"status", "code", "message", "retry_after", "region", "location", "seconds", "too_old", "too_new"}
        if unknown:
            raise ValueError(f"a rule has no {sorted(unknown)}")
        self.values = values

    def take(self, service: str, operation: str, request: Request) -> Fault | None:
        if self.times == 0 or self.service not in ("", service) or self.operation not in ("", operation):
            return None
        if not self.target.search(request.target) or self.body.pattern and not self.body.search(_unpacked(request.body)):
            return None
        if self.skip:
            self.skip -= 1
            return None
        self.times -= 1 if self.times > 0 else 0
        return Fault(self.kind, self.commit or self.kind in COMMITTED, self.values)


def _unpacked(body: bytes) -> bytes:
    try:
        return gzip.decompress(body) if body.startswith(b"\x1f\x8b") else body
    except (OSError, EOFError):
        return body


class Faults:
    def __init__(self) -> None:
        self.rules: list[Rule] = []
        self.random: random.Random | None = None
        self.rate, self.kinds, self.left = 0.0, list(SEEDED), -1

    def add(self, rules: list[dict]) -> None:
        self.rules += [Rule(rule) for rule in rules]

    def clear(self) -> None:
        self.rules, self.random = [], None

    def seed(self, seed: int, rate: float, kinds: list[str] | None, limit: int) -> None:
        self.random, self.rate, self.kinds, self.left = random.Random(seed), rate, kinds or list(SEEDED), limit

    def choose(self, service: str, operation: str, request: Request) -> Fault | None:
        for rule in self.rules:
            fault = rule.take(service, operation, request)
            if fault:
                return fault
        if self.random is None or self.left == 0:
            return None
        # Always the same number of draws, so that the faults depend on the seed and the order of calls alone.
        hit, kind, commit, choice = self.random.random(), self.random.choice(self.kinds), self.random.random() < 0.5, self.random.randrange(4)
        if hit >= self.rate:
            return None
        self.left -= 1 if self.left > 0 else 0
        return self._drawn(service, operation, kind, commit, choice)

    @staticmethod
    def _drawn(service: str, operation: str, kind: str, commit: bool, choice: int) -> Fault:
        if kind == "error":
            internal = {"logs": "ServiceUnavailableException", "s3": "InternalError", "sts": "InternalFailure"}.get(service, "InternalError")
            status, code = [(500, internal), (503, "ServiceUnavailable"), (500, internal), (504, "GatewayTimeout")][choice]
            return Fault(kind, commit, {"status": status, "code": code})
        if kind == "throttle":
            return Fault(kind, False, {"retry_after": "1"} if choice == 0 else {})
        if kind == "html":
            return Fault(kind, commit, {"status": (502, 503, 504, 500)[choice]})
        if kind == "reject":
            return Fault(kind, True, {"too_old": choice % 2, "too_new": choice // 2}) if operation == "PutLogEvents" else Fault("slow", True, {"seconds": 0.05})
        if kind == "slow":
            return Fault(kind, True, {"seconds": 0.05 * (1 + choice)})
        return Fault(kind, commit or kind in COMMITTED)
