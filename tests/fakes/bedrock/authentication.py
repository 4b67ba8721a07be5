"""Who may call: SigV4 with the one known key, or the one known bearer key."""

import datetime
import hmac
from collections.abc import Callable

from .errors import CORAL, ServiceError
from .exchange import Request
from .sigv4 import EventChain, Verifier


class Authenticator:
    def __init__(self, verifier: Verifier, bearer_key: str, clock: Callable[[], datetime.datetime], required: bool = True):
        self.verifier, self.bearer_key, self.clock, self.required = verifier, bearer_key, clock, required

    def check(self, request: Request) -> EventChain | None:
        """What the signatures of the request's events go on from, None if it is not signed; or raises the ServiceError that the
        service answers with."""
        if not self.required:
            return None
        values = [value for name, value in request.headers if name.lower() == "authorization"]
        if not values:
            raise ServiceError(403, "MissingAuthenticationTokenException", "Missing Authentication Token", namespace=CORAL)
        if len(values) > 1:
            raise ServiceError(400, "IncompleteSignatureException", "More than one Authorization header.", namespace=CORAL)
        kind, _, key = values[0].partition(" ")
        if kind.lower() == "bearer":
            if not hmac.compare_digest(key.strip().encode(), self.bearer_key.encode()):
                raise ServiceError(403, "AccessDeniedException", "Authentication failed: Please make sure your API Key is valid.",
                                   namespace=CORAL)
            if any(name.lower() in ("x-amz-date", "x-amz-security-token") for name, _ in request.headers):
                raise ServiceError(400, "ValidationException", "A request with an API key must not be signed as well.")
            return None
        return self.verifier.verify(request, values[0], self.clock())
