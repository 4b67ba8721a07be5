"""Errors as the service answers them: facts/bedrock.md §2.7 (status, x-amzn-ErrorType, {"message": ...})."""

import json

from .exchange import Response

BEDROCK = "http://internal.amazon.com/coral/com.amazon.bedrock/"
CORAL = "http://internal.amazon.com/coral/com.amazon.coral.service/"

# Short names for the directive `error=NAME`: status, type, message, further members.
NAMED = {
    "validation": (400, "ValidationException", "The provided request is not valid.", {}),
    "quota": (400, "ServiceQuotaExceededException", "Your request exceeds the service quota for your account.", {}),
    "access-denied": (403, "AccessDeniedException", "You don't have access to the model with the specified model ID.", {}),
    "expired-token": (403, "ExpiredTokenException", "The security token included in the request is expired", {}),
    "not-found": (404, "ResourceNotFoundException", "The specified resource ARN was not found.", {}),
    "model-timeout": (408, "ModelTimeoutException", "The request took too long to process.", {}),
    "model-error": (424, "ModelErrorException", "The request failed due to an error while processing the model.",
                    {"originalStatusCode": 500, "resourceName": "fake-model"}),
    "throttling": (429, "ThrottlingException", "Too many requests, please wait before trying again.", {}),
    "not-ready": (429, "ModelNotReadyException", "The model specified in the request is not ready to serve inference requests.", {}),
    "internal": (500, "InternalServerException", "An internal server error occurred. Retry your request.", {}),
    "unavailable": (503, "ServiceUnavailableException", "The service isn't currently available. Try again later.", {}),
}

# In-stream exceptions of the service model, by union member name; `modelTimeoutException` only for InvokeModel streams.
STREAM_EXCEPTIONS = ("internalServerException", "modelStreamErrorException", "modelTimeoutException",
                     "serviceUnavailableException", "throttlingException", "validationException")


class ServiceError(Exception):
    """Ends a request with an error response."""

    def __init__(self, status: int, kind: str, message: str, members: dict | None = None, namespace: str = BEDROCK):
        super().__init__(message)
        self.status, self.kind, self.message = status, kind, message
        self.members, self.namespace = members or {}, namespace

    @classmethod
    def named(cls, name: str) -> "ServiceError":
        status, kind, message, members = NAMED[name]
        return cls(status, kind, message, members, CORAL if kind == "ExpiredTokenException" else BEDROCK)

    def response(self) -> Response:
        body = json.dumps({"message": self.message, **self.members}, sort_keys=True, separators=(",", ":"),
                          ensure_ascii=False).encode()
        return Response(self.status, [("Content-Type", "application/json"),
                                      ("x-amzn-ErrorType", f"{self.kind}:{self.namespace}")], [body])


class OpenAiError(ServiceError):
    """The same on the /openai paths: OpenAI's documented error object."""

    def response(self) -> Response:
        body = json.dumps({"error": {"code": None, "message": self.message, "param": None,
                                     "type": "invalid_request_error" if self.status == 400 else "server_error"}},
                          separators=(",", ":"), ensure_ascii=False).encode()
        return Response(self.status, [("Content-Type", "application/json")], [body])


def validation(message: str) -> ServiceError:
    return ServiceError(400, "ValidationException", message)
