"""Errors in the dialects: JSON (CloudWatch Logs, Bedrock), S3's XML, and the query protocol's XML (STS)."""

import json
from xml.sax.saxutils import escape

from bedrock.exchange import Headers, Response


class AwsError(Exception):
    """Ends a request with an error response. `fields`: further members of S3's <Error>."""

    def __init__(self, status: int, code: str, message: str, fields: dict | None = None, headers: Headers | None = None):
        super().__init__(message)
        self.status, self.code, self.message = status, code, message
        self.fields, self.headers = fields or {}, headers or []

    def response(self, service: str, request_id: str) -> Response:
        if service == "logs":
            body = json.dumps({"__type": self.code, "message": self.message})
            headers = [("Content-Type", "application/x-amz-json-1.1")]
        elif service == "bedrock":
            body = json.dumps({"message": self.message})
            headers = [("Content-Type", "application/json"), ("x-amzn-ErrorType", self.code)]
        elif service == "sts":
            body = (f'<ErrorResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/">\n  <Error>\n    <Type>Sender</Type>\n'
                    f"    <Code>{escape(self.code)}</Code>\n    <Message>{escape(self.message)}</Message>\n  </Error>\n"
                    f"  <RequestId>{request_id}</RequestId>\n</ErrorResponse>\n")
            headers = [("Content-Type", "text/xml")]
        elif service == "s3":
            members = "".join(f"<{name}>{escape(value)}</{name}>" for name, value in self.fields.items())
            body = (f'<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>{escape(self.code)}</Code><Message>{escape(self.message)}</Message>'
                    f"{members}<RequestId>{request_id}</RequestId><HostId>fake</HostId></Error>")
            headers = [("Content-Type", "application/xml")]
        else:
            body, headers = json.dumps({"Code": self.code, "Message": self.message}), [("Content-Type", "application/json")]
        return Response(self.status, headers + self.headers, [body.encode()])
