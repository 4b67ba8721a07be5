"""A line of JSON for each call, for tests that ask what arrived. Holds no signature and no key."""

import hashlib
import json
import time

SECRET = {"authorization", "x-amz-security-token", "x-aws-ec2-metadata-token"}


class Journal:
    def __init__(self, file_name: str | None):
        self.file = open(file_name, "a", encoding="utf-8", buffering=1) if file_name else None
        self.calls: list[dict] = []

    def write(self, call, status: int, fault: str) -> None:
        """`status` 0: no answer was given. `fault`: its kind, "" for none."""
        request = call.request
        line = {"time": time.time(), "service": call.service, "operation": call.operation, "method": request.method, "target": request.target,
                "headers": {name.lower(): value for name, value in request.headers if name.lower() not in SECRET},
                "key": _access_key(request.header("authorization") or ""), "body_bytes": len(request.body),
                "body_sha256": hashlib.sha256(request.body).hexdigest(), "status": status, "code": call.code, "committed": call.committed,
                "fault": fault}
        self.calls.append(line)
        if self.file:
            self.file.write(json.dumps(line) + "\n")


def _access_key(authorization: str) -> str:
    return authorization.partition("Credential=")[2].partition("/")[0]
