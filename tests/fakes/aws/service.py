"""Tells the services apart, lets each answer, and keeps the journal."""

import secrets
import time
from dataclasses import dataclass

from bedrock.exchange import Request, Response

from .authentication import Authenticator
from .errors import AwsError
from .faults import Fault, Faults
from .keys import KeyRing
from .logs import TARGET, Logs
from .metadata import Metadata
from .profiles import PATH as PROFILES, Profiles
from .s3 import S3
from .sts import UNSIGNED, Sts, parameters

HTML = "<html>\r\n<head><title>{0}</title></head>\r\n<body><center><h1>{0}</h1></center><hr><center>proxy.example</center></body>\r\n</html>\r\n"


@dataclass
class Call:
    service: str
    operation: str
    request: Request
    request_id: str
    code: str = ""  # of the error that it was answered with
    committed: bool = False  # the service itself answered, and with success


@dataclass
class Settings:
    region: str = "eu-central-1"
    account: str = "123456789012"
    container_token: str = "fake-container-token"
    web_identity_token: str = "fake.web.identity"
    clock_offset: float = 0.0  # seconds that this fake's clock is ahead


class Service:
    def __init__(self, settings: Settings):
        self.settings = settings
        self.ring = KeyRing(settings.account, self.now)
        self.authenticator = Authenticator(self.ring, settings.region, self.now)
        self.logs = Logs(settings.region, settings.account, self.now)
        self.s3 = S3(settings.region, settings.account, self.now)
        self.sts = Sts(settings.account, self.ring, settings.web_identity_token, {})
        self.metadata = Metadata(settings.region, settings.account, self.ring, settings.container_token, self.now)
        self.profiles = Profiles(settings.region, settings.account)
        self.faults = Faults()

    def now(self) -> float:
        return time.time() + self.settings.clock_offset

    def identify(self, request: Request) -> Call:
        target, path = request.header("x-amz-target") or "", request.raw_path
        request_id = secrets.token_hex(16)
        if target.startswith(TARGET):
            return Call("logs", target[len(TARGET):], request, request_id)
        if request.method == "POST" and path == "/" and parameters(request).get("Action"):
            return Call("sts", parameters(request)["Action"], request, request_id)
        if path == PROFILES or path.startswith(PROFILES + "/"):
            return Call("bedrock", self.profiles.operation(request), request, request_id)
        operation = self.metadata.operation(request)
        if path.startswith(("/latest/", "/container/")):
            return Call("container" if operation == "ContainerCredentials" else "imds", operation, request, request_id)
        return Call("s3", self.s3.operation(request), request, request_id)

    def answer(self, call: Call) -> Response:
        """Makes the call take effect."""
        return self._guarded(call, lambda: self._dispatch(call))

    def answer_rejecting(self, call: Call, fault: Fault) -> Response:
        def reject() -> Response:
            self.authenticator.check(call.request, "logs")
            return self.logs.reject(call.request, fault.get("too_old", 0), fault.get("too_new", 0))
        return self._guarded(call, reject) if call.operation == "PutLogEvents" else self.answer(call)

    def faulty(self, call: Call, fault: Fault) -> Response:
        """The answer that a fault of kind error, throttle, html or redirect gives."""
        status = fault.get("status", 0)
        headers = [("Retry-After", str(fault.get("retry_after", "")))] if fault.get("retry_after", "") != "" else []
        region = fault.get("region", "")
        if region:
            headers.append(("x-amz-bucket-region", region))
        if fault.kind == "html":
            call.code = "html"
            return Response(status or 502, headers + [("Content-Type", "text/html")], [HTML.format(f"{status or 502} Bad Gateway").encode()])
        if fault.kind == "redirect":
            headers.append(("Location", fault.get("location", "")))
            status, code = status or 301, "PermanentRedirect" if status != 307 else "TemporaryRedirect"
        elif fault.kind == "throttle":
            status, code = (503, "SlowDown") if call.service == "s3" else (400, "ThrottlingException" if call.service in ("logs", "bedrock") else "Throttling")
        else:
            status, code = status or 500, fault.get("code", "InternalError")
        error = AwsError(status, code, fault.get("message", "fake: on request"), {"Region": region} if region else {}, headers)
        call.code = code
        return error.response(call.service, call.request_id)

    def _guarded(self, call: Call, answer) -> Response:
        try:
            response = answer()
            call.committed = response.status < 300
        except AwsError as error:
            call.code = error.code
            response = error.response(call.service, call.request_id)
        name = "x-amz-request-id" if call.service == "s3" else "x-amzn-RequestId"
        if call.service in ("s3", "logs", "sts", "bedrock"):
            response.headers.append((name, call.request_id))
        bucket = self.s3.buckets.get(self.s3.place(call.request)[0]) if call.operation == "HeadBucket" else None
        if bucket and not any(key == "x-amz-bucket-region" for key, _ in response.headers):
            response.headers.append(("x-amz-bucket-region", bucket.region))  # whatever the permissions
        return response

    def _dispatch(self, call: Call) -> Response:
        if call.service in ("imds", "container"):
            return self.metadata.answer(call.operation, call.request)
        signed = call.operation not in UNSIGNED
        caller = self.authenticator.check(call.request, call.service) if signed else None
        if call.service == "logs":
            return self.logs.answer(call.operation, call.request)
        if call.service == "sts":
            return self.sts.answer(call.operation, call.request, caller, call.request_id)
        if call.service == "bedrock":
            return self.profiles.answer(call.operation, call.request)
        return self.s3.answer(call.operation, call.request)
