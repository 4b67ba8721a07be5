"""The two places on a host that hand out credentials: IMDSv2 (a token is required) and a container's endpoint."""

import json
import secrets

from bedrock.exchange import Request, Response

from .errors import AwsError
from .keys import KeyRing
from .sts import iso

ROLE = "invlog-instance"
CONTAINER_PATH = "/container/credentials"
CREDENTIALS_PATH = "/latest/meta-data/iam/security-credentials/"


class Metadata:
    def __init__(self, region: str, account: str, ring: KeyRing, container_token: str, clock):
        self.region, self.account, self.ring, self.container_token, self.clock = region, account, ring, container_token, clock
        self.tokens: dict[str, float] = {}  # token: when it ends

    @staticmethod
    def operation(request: Request) -> str:
        if request.raw_path == CONTAINER_PATH:
            return "ContainerCredentials"
        if request.raw_path == "/latest/api/token":
            return "ImdsToken"
        return "ImdsCredentials" if request.raw_path.startswith(CREDENTIALS_PATH) else "ImdsMetadata"

    def answer(self, operation: str, request: Request) -> Response:
        if operation == "ContainerCredentials":
            return self._container(request)
        if request.header("x-forwarded-for") is not None:
            raise AwsError(403, "Forbidden", "not through a proxy")
        if operation == "ImdsToken":
            return self._token(request)
        if self.tokens.get(request.header("x-aws-ec2-metadata-token") or "", 0) <= self.clock():
            return Response(401, [("Content-Type", "text/html")], [b"<html><body>401 - Unauthorized</body></html>"])
        document = {"region": self.region, "accountId": self.account, "availabilityZone": self.region + "a", "instanceId": "i-0fake"}
        texts = {CREDENTIALS_PATH: ROLE, "/latest/meta-data/placement/region": self.region,
                 "/latest/meta-data/placement/availability-zone": self.region + "a",
                 "/latest/meta-data/placement/availability-zone/": self.region + "a",
                 "/latest/dynamic/instance-identity/document": json.dumps(document, indent=2)}
        if request.raw_path == CREDENTIALS_PATH + ROLE:
            key = self.ring.current(f"arn:aws:sts::{self.account}:assumed-role/{ROLE}/i-0fake")
            return self._text(json.dumps({"Code": "Success", "LastUpdated": iso(self.clock()), "Type": "AWS-HMAC", "AccessKeyId": key.access,
                                          "SecretAccessKey": key.secret, "Token": key.token, "Expiration": iso(key.expires)}, indent=2))
        if request.raw_path not in texts:
            return Response(404, [("Content-Type", "text/html")], [b"<html><body>404 - Not Found</body></html>"])
        return self._text(texts[request.raw_path])

    def _token(self, request: Request) -> Response:
        lifetime = request.header("x-aws-ec2-metadata-token-ttl-seconds") or ""
        if request.method != "PUT":
            return Response(405, [], [b""])
        if not lifetime.isdigit() or not 1 <= int(lifetime) <= 21_600:
            return Response(400, [("Content-Type", "text/html")], [b"<html><body>400 - Bad Request</body></html>"])
        token = secrets.token_urlsafe(40)
        self.tokens[token] = self.clock() + int(lifetime)
        return Response(200, [("Content-Type", "text/plain"), ("x-aws-ec2-metadata-token-ttl-seconds", lifetime)], [token.encode()])

    def _container(self, request: Request) -> Response:
        if request.method != "GET" or request.header("authorization") != self.container_token:
            raise AwsError(403, "AccessDeniedException", "the Authorization header is not the one that this task has")
        key = self.ring.current(f"arn:aws:sts::{self.account}:assumed-role/invlog-task/fake")
        return Response(200, [("Content-Type", "application/json")], [json.dumps({
            "AccessKeyId": key.access, "SecretAccessKey": key.secret, "Token": key.token, "Expiration": iso(key.expires),
            "AccountId": self.account, "RoleArn": "TASK_ROLE"}).encode()])

    @staticmethod
    def _text(text: str) -> Response:
        return Response(200, [("Content-Type", "text/plain")], [text.encode()])
