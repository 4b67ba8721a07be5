"""Verifies AWS Signature Version 4 as Bedrock does: facts/aws-delivery.md §5.2 (the canonical path is the path on the
wire, encoded once more). Written from the specification, independently of the agent's signer. Targets and headers
hold the wire's bytes, one character each (latin-1)."""

import datetime
import hashlib
import hmac
import re
from urllib.parse import quote

from .errors import CORAL, ServiceError
from .exchange import Request

MAXIMUM_SKEW = datetime.timedelta(minutes=5)
STREAMING_EVENTS = "STREAMING-AWS4-HMAC-SHA256-EVENTS"


def _denied(kind: str, message: str) -> ServiceError:
    return ServiceError(403, kind, message, namespace=CORAL)


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _hmac(key: bytes, text: str) -> bytes:
    return hmac.new(key, text.encode(), hashlib.sha256).digest()


def canonical_path(raw_path: str) -> str:
    segments: list[str] = []
    for segment in raw_path.split("/"):
        if segment in ("", "."):
            continue
        if segment == "..":
            segments = segments[:-1]
        else:
            segments.append(segment)
    normalized = "/" + "/".join(segments)
    if raw_path.endswith("/") and segments:
        normalized += "/"
    return quote(normalized.encode("latin-1"), safe="/-_.~")


def canonical_query(query: str) -> str:
    pairs = []
    for part in filter(None, query.split("&")):
        name, _, value = part.partition("=")
        # What is already encoded on the wire is decoded first: a query is encoded once.
        pairs.append(tuple(quote(re.sub(rb"%([0-9A-Fa-f]{2})", lambda found: bytes([int(found[1], 16)]),
                                        text.encode("latin-1")), safe="-_.~")
                           for text in (name, value)))
    return "&".join(f"{name}={value}" for name, value in sorted(pairs))


def signing_key(secret_key: str, scope: list[str]) -> bytes:
    key = ("AWS4" + secret_key).encode()
    for part in scope:
        key = _hmac(key, part)
    return key


class EventChain:
    """Verifies the signatures of the events that a client sends, each over the one before it; the first goes on from the
    request's own.

    Source: signEvent() in @smithy/signature-v4 5.7.5 (dist-es/SignatureV4.js; EVENT_ALGORITHM_IDENTIFIER in
    dist-es/constants.js) and EventSigningTransformStream.js in @aws-sdk/eventstream-handler-node 3.972.42, as
    @aws-sdk/client-bedrock-runtime 3.1164.0 installs them."""

    def __init__(self, secret_key: str, rest_of_scope: list[str], signature: str):
        self.secret_key, self.rest_of_scope, self.signature = secret_key, rest_of_scope, signature

    def verify(self, date: datetime.datetime, date_header: bytes, payload: bytes, signature: bytes) -> None:
        """`date_header`: the encoded `:date` header, the one that is signed. Raises ValueError."""
        scope = [f"{date:%Y%m%d}", *self.rest_of_scope]
        string_to_sign = "\n".join(["AWS4-HMAC-SHA256-PAYLOAD", f"{date:%Y%m%dT%H%M%SZ}", "/".join(scope), self.signature,
                                    _sha256(date_header), _sha256(payload)])
        computed = _hmac(signing_key(self.secret_key, scope), string_to_sign)
        if not hmac.compare_digest(computed, signature):
            raise ValueError("the event's signature does not match")
        self.signature = computed.hex()


class Verifier:
    """Holds the one key pair that this endpoint knows. `region` "" accepts every Region."""

    def __init__(self, access_key: str, secret_key: str, session_token: str, region: str, service: str = "bedrock"):
        self.access_key, self.secret_key, self.session_token = access_key, secret_key, session_token
        self.region, self.service = region, service

    def verify(self, request: Request, authorization: str, now: datetime.datetime) -> EventChain:
        """Returns what the signatures of the request's events go on from, or raises the ServiceError that the service answers with."""
        access_key, scope, signed_names, signature = self._parse(authorization)
        date, region, service, terminator = scope
        if access_key != self.access_key:
            raise _denied("UnrecognizedClientException", "The security token included in the request is invalid.")
        if terminator != "aws4_request":
            raise _denied("InvalidSignatureException", "Credential should be scoped with a valid terminator: 'aws4_request'.")
        if service != self.service:
            raise _denied("InvalidSignatureException", f"Credential should be scoped to correct service: '{self.service}'. ")
        if self.region and region != self.region:
            raise _denied("InvalidSignatureException", f"Credential should be scoped to a valid region. Expected '{self.region}'.")
        timestamp = self._timestamp(request, date, now)
        token = request.header("x-amz-security-token") or ""
        if token != self.session_token:
            raise _denied("UnrecognizedClientException", "The security token included in the request is invalid.")
        present = {name.lower() for name, _ in request.headers}
        # A session token may have been added after signing (official vector post-sts-header-after).
        # Over HTTP/2 the JavaScript SDK signs ":authority" in the place of "host".
        host = ":authority" if request.version == "2" and ":authority" in signed_names else "host"
        required = {host} | {name for name in present if name.startswith("x-amz-") and name != "x-amz-security-token"
                           or name == "x-amzn-bedrock-request-metadata"}
        for name in sorted(required | set(signed_names)):
            if name not in signed_names or (name not in present and name != host):
                raise _denied("InvalidSignatureException", f"'{name}' must be a 'SignedHeader' in the AWS Authorization header.")

        canonical = self._canonical_request(request, signed_names)
        string_to_sign = "\n".join(["AWS4-HMAC-SHA256", timestamp, "/".join(scope), _sha256(canonical.encode("latin-1"))])
        if not hmac.compare_digest(_hmac(signing_key(self.secret_key, scope), string_to_sign).hex(), signature):
            raise _denied("InvalidSignatureException",
                          "The request signature we calculated does not match the signature you provided. Check your AWS Secret "
                          "Access Key and signing method. Consult the service documentation for details.\n\nThe Canonical String "
                          f"for this request should have been\n'{canonical}'\n\nThe String-to-Sign should have been\n'{string_to_sign}'\n")
        return EventChain(self.secret_key, scope[1:], signature)

    @staticmethod
    def _parse(authorization: str) -> tuple[str, list[str], list[str], str]:
        algorithm, _, rest = authorization.partition(" ")
        if algorithm != "AWS4-HMAC-SHA256":
            raise _denied("IncompleteSignatureException", "Unsupported AWS 'algorithm': '" + algorithm + "'.")
        fields = dict(part.strip().partition("=")[::2] for part in rest.split(","))
        missing = [name for name in ("Credential", "SignedHeaders", "Signature") if not fields.get(name)]
        if missing:
            raise _denied("IncompleteSignatureException", f"Authorization header requires '{missing[0]}' parameter.")
        access_key, *scope = fields["Credential"].split("/")
        if len(scope) != 4:
            raise _denied("IncompleteSignatureException", "Credential must have exactly 5 slash-delimited elements.")
        names = fields["SignedHeaders"].split(";")
        if names != sorted(name.lower() for name in names):
            raise _denied("InvalidSignatureException", "SignedHeaders must be sorted and in lower case.")
        return access_key, scope, names, fields["Signature"]

    @staticmethod
    def _timestamp(request: Request, date: str, now: datetime.datetime) -> str:
        timestamp = request.header("x-amz-date") or ""
        try:
            signed_at = datetime.datetime.strptime(timestamp, "%Y%m%dT%H%M%SZ").replace(tzinfo=datetime.timezone.utc)
        except ValueError:
            raise _denied("IncompleteSignatureException", "Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header.") from None
        if not timestamp.startswith(date):
            raise _denied("InvalidSignatureException", f"Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: '{date}' != '{timestamp[:8]}'.")
        if abs(now - signed_at) > MAXIMUM_SKEW:
            word, verb = ("expired", "earlier") if signed_at < now else ("not yet current", "later")
            raise _denied("InvalidSignatureException", f"Signature {word}: {timestamp} is now {verb} than {now:%Y%m%dT%H%M%SZ} (5 min.)")
        return timestamp

    @staticmethod
    def _canonical_request(request: Request, signed_names: list[str]) -> str:
        lines = []
        for name in signed_names:
            values = [re.sub(" +", " ", value.strip()) for key, value in request.headers
                      if key.lower() == ("host" if name == ":authority" else name)]
            lines.append(f"{name}:{','.join(values)}")
        payload = request.header("x-amz-content-sha256")
        computed = _sha256(request.body)
        if payload is None:
            payload = computed
        elif payload != "UNSIGNED-PAYLOAD" and payload != computed and not (payload == STREAMING_EVENTS and request.is_bidirectional()):
            raise _denied("InvalidSignatureException", "The provided 'x-amz-content-sha256' header does not match what was computed.")
        return "\n".join([request.method, canonical_path(request.raw_path), canonical_query(request.query), *lines, "",
                          ";".join(signed_names), payload])
