"""A client's SigV4, for tests that call the fakes themselves. `path_on_wire` is what stands in the request line."""

import datetime
import hashlib
import hmac
import struct
from urllib.parse import quote

from . import event_stream
from .processes import ACCESS_KEY, REGION, SECRET_KEY


def sign(service: str, method: str, host: str, target: str, body: bytes, headers: dict, access: str = ACCESS_KEY, secret: str = SECRET_KEY,
         token: str = "", region: str = REGION, seconds: float = 0, payload: str = "") -> dict:
    """`headers` and what makes them a signed request. All of them are signed. `seconds`: this client's clock is ahead. `payload`:
    what stands for the body's digest."""
    moment = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=seconds)
    date, scope = f"{moment:%Y%m%dT%H%M%SZ}", f"{moment:%Y%m%d}/{region}/{service}/aws4_request"
    path, _, query = target.partition("?")
    digest = hashlib.sha256(body).hexdigest()
    signed = {"Host": host, **headers, "X-Amz-Date": date, **({"X-Amz-Security-Token": token} if token else {})}
    if service == "s3":
        signed.setdefault("X-Amz-Content-Sha256", digest)
        digest = signed["X-Amz-Content-Sha256"]
    else:
        path = quote(path, safe="/-_.~")
    if payload:
        digest = signed["X-Amz-Content-Sha256"] = payload
    lines = {name.lower(): value.strip() for name, value in signed.items()}
    names = ";".join(sorted(lines))
    parameters = "&".join(sorted(part if "=" in part else part + "=" for part in query.split("&") if part))
    canonical = "\n".join([method, path, parameters, *(f"{name}:{lines[name]}" for name in sorted(lines)), "", names, digest])
    to_sign = f"AWS4-HMAC-SHA256\n{date}\n{scope}\n{hashlib.sha256(canonical.encode()).hexdigest()}"
    key = b"AWS4" + secret.encode()
    for part in scope.split("/"):
        key = hmac.new(key, part.encode(), "sha256").digest()
    signature = hmac.new(key, to_sign.encode(), "sha256").hexdigest()
    return {**signed, "Authorization": f"AWS4-HMAC-SHA256 Credential={access}/{scope}, SignedHeaders={names}, Signature={signature}"}


class EventSigner:
    """Signs the events of a bidirectional stream: each over the one before it, the first over the request's `authorization`."""

    def __init__(self, authorization: str, secret: str = SECRET_KEY, region: str = REGION):
        self.signature, self.secret, self.region = authorization.rpartition("Signature=")[2], secret, region

    def sign(self, event: bytes) -> bytes:
        """The frame that carries `event`, itself a frame, or b"" for the end."""
        moment = datetime.datetime.now(datetime.timezone.utc)
        date = b"\x05:date\x08" + struct.pack(">q", int(moment.timestamp() * 1000))
        scope = f"{moment:%Y%m%d}/{self.region}/bedrock/aws4_request"
        to_sign = "\n".join(["AWS4-HMAC-SHA256-PAYLOAD", f"{moment:%Y%m%dT%H%M%SZ}", scope, self.signature, hashlib.sha256(date).hexdigest(),
                             hashlib.sha256(event).hexdigest()])
        signature = hmac.new(_key(self.secret, scope), to_sign.encode(), "sha256").digest()
        self.signature = signature.hex()
        return event_stream.frame(date + b"\x10:chunk-signature\x06" + struct.pack(">H", len(signature)) + signature, event)


def _key(secret: str, scope: str) -> bytes:
    key = ("AWS4" + secret).encode()
    for part in scope.split("/"):
        key = hmac.new(key, part.encode(), "sha256").digest()
    return key
