"""Who may call: SigV4 as each service checks it, with the error that each answers. S3 signs the path as it is and
demands x-amz-content-sha256; it takes a clock that is 15 minutes off, the others 5."""

import datetime
import hashlib
import re
from urllib.parse import quote

from bedrock import sigv4
from bedrock.errors import ServiceError
from bedrock.exchange import Request

from .errors import AwsError
from .keys import Key, KeyRing

S3_SKEW = datetime.timedelta(minutes=15)
EXPIRED = "The security token included in the request is expired"
UNKNOWN = "The security token included in the request is invalid."

# What the verifier calls it: what S3, STS and CloudWatch Logs call it.
DIALECTS = {
    "s3": {"InvalidSignatureException": (403, "SignatureDoesNotMatch"), "IncompleteSignatureException": (400, "AuthorizationHeaderMalformed"),
           "UnrecognizedClientException": (400, "InvalidToken")},
    "sts": {"InvalidSignatureException": (403, "SignatureDoesNotMatch"), "IncompleteSignatureException": (400, "IncompleteSignature"),
            "UnrecognizedClientException": (403, "InvalidClientTokenId")},
    "logs": {"InvalidSignatureException": (400, "InvalidSignatureException"), "IncompleteSignatureException": (400, "IncompleteSignatureException"),
             "UnrecognizedClientException": (400, "UnrecognizedClientException")},
    "bedrock": {name: (403, name) for name in ("InvalidSignatureException", "IncompleteSignatureException", "UnrecognizedClientException")},
}
MISSING = {"s3": (403, "AccessDenied", "Access Denied"), "sts": (403, "MissingAuthenticationToken", "Request is missing Authentication Token"),
           "logs": (400, "MissingAuthenticationTokenException", "Missing Authentication Token"),
           "bedrock": (403, "MissingAuthenticationTokenException", "Missing Authentication Token")}
UNKNOWN_KEY = {"s3": (403, "InvalidAccessKeyId", "The AWS Access Key Id you provided does not exist in our records."),
               "sts": (403, "InvalidClientTokenId", UNKNOWN), "logs": (400, "UnrecognizedClientException", UNKNOWN), "bedrock": (403, "UnrecognizedClientException", UNKNOWN)}
EXPIRED_KEY = {"s3": (400, "ExpiredToken", "The provided token has expired."), "sts": (403, "ExpiredToken", EXPIRED),
               "logs": (400, "ExpiredTokenException", EXPIRED), "bedrock": (403, "ExpiredTokenException", EXPIRED)}


class S3Verifier(sigv4.Verifier):
    @staticmethod
    def _timestamp(request: Request, date: str, now: datetime.datetime) -> str:
        timestamp = request.header("x-amz-date") or ""
        try:
            signed_at = datetime.datetime.strptime(timestamp, "%Y%m%dT%H%M%SZ").replace(tzinfo=datetime.timezone.utc)
        except ValueError:
            raise AwsError(403, "AccessDenied", "AWS authentication requires a valid Date or x-amz-date header") from None
        if abs(now - signed_at) > S3_SKEW:
            raise AwsError(403, "RequestTimeTooSkewed", "The difference between the request time and the current time is too large.",
                           {"RequestTime": timestamp, "ServerTime": f"{now:%Y-%m-%dT%H:%M:%SZ}", "MaxAllowedSkewMilliseconds": "900000"})
        if not timestamp.startswith(date):
            raise AwsError(403, "SignatureDoesNotMatch", f"Date in Credential scope does not match {timestamp[:8]}.")
        return timestamp

    @staticmethod
    def _canonical_request(request: Request, signed_names: list[str]) -> str:
        lines = []
        for name in signed_names:
            values = [re.sub(" +", " ", value.strip()) for key, value in request.headers if key.lower() == name]
            lines.append(f"{name}:{','.join(values)}")
        decoded = re.sub(rb"%([0-9A-Fa-f]{2})", lambda found: bytes([int(found[1], 16)]), request.raw_path.encode("latin-1"))
        return "\n".join([request.method, quote(decoded, safe="/-_.~"), sigv4.canonical_query(request.query), *lines, "",
                          ";".join(signed_names), request.header("x-amz-content-sha256") or ""])


class Authenticator:
    def __init__(self, ring: KeyRing, region: str, clock):
        self.ring, self.region, self.clock = ring, region, clock

    def check(self, request: Request, service: str) -> Key:
        """Whose request this is, or raises the AwsError that the service answers with."""
        values = [value for name, value in request.headers if name.lower() == "authorization"]
        if len(values) != 1:
            raise AwsError(*MISSING[service])
        try:
            access, scope, _, _ = sigv4.Verifier._parse(values[0])
            key = self.ring.keys.get(access)
            if key is None:
                raise AwsError(*UNKNOWN_KEY[service])
            if service == "s3":
                self._check_s3(request, scope[1])
            kind = S3Verifier if service == "s3" else sigv4.Verifier
            now = datetime.datetime.fromtimestamp(self.clock(), datetime.timezone.utc)
            kind(access, key.secret, key.token, self.region, service).verify(request, values[0], now)
        except ServiceError as error:
            status, code = DIALECTS[service][error.kind]
            raise AwsError(status, code, error.message) from None
        if self.ring.is_expired(key):
            raise AwsError(*EXPIRED_KEY[service])
        return key

    def _check_s3(self, request: Request, region: str) -> None:
        if region != self.region:
            raise AwsError(400, "AuthorizationHeaderMalformed", f"The authorization header is malformed; the region '{region}' is wrong; "
                           f"expecting '{self.region}'", {"Region": self.region})
        payload = request.header("x-amz-content-sha256")
        if payload is None:
            raise AwsError(400, "MissingSecurityHeader", "Your request was missing a required header: x-amz-content-sha256")
        if payload.startswith("STREAMING-"):
            raise AwsError(501, "NotImplemented", "This fake takes no aws-chunked bodies: a checksum belongs into a header.")
        if payload != "UNSIGNED-PAYLOAD" and payload != hashlib.sha256(request.body).hexdigest():
            raise AwsError(400, "XAmzContentSHA256Mismatch", "The provided 'x-amz-content-sha256' header does not match what was computed.")
