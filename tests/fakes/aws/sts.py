"""STS: GetCallerIdentity, AssumeRole, AssumeRoleWithWebIdentity. Query protocol, XML answers (facts §6.2)."""

import datetime
import re
from urllib.parse import parse_qs
from xml.sax.saxutils import escape

from bedrock.exchange import Request, Response

from .errors import AwsError
from .keys import Key, KeyRing

NAMESPACE = "https://sts.amazonaws.com/doc/2011-06-15/"
UNSIGNED = {"AssumeRoleWithWebIdentity"}


def parameters(request: Request) -> dict[str, str]:
    if not (request.header("content-type") or "").startswith("application/x-www-form-urlencoded"):
        return {}
    return {name: values[0] for name, values in parse_qs(request.body.decode("utf-8", "replace"), keep_blank_values=True).items()}


def iso(seconds: float) -> str:
    return datetime.datetime.fromtimestamp(seconds, datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


class Sts:
    """`external_ids`: role ARN to the external id that its trust policy asks for."""

    def __init__(self, account: str, ring: KeyRing, web_identity_token: str, external_ids: dict[str, str]):
        self.account, self.ring, self.web_identity_token, self.external_ids = account, ring, web_identity_token, external_ids

    def answer(self, operation: str, request: Request, caller: Key | None, request_id: str) -> Response:
        given = parameters(request)
        if given.get("Version") != "2011-06-15":
            raise AwsError(400, "InvalidAction", f"Could not find operation {operation} for version {given.get('Version')}")
        handlers = {"GetCallerIdentity": self._identity, "AssumeRole": self._assume, "AssumeRoleWithWebIdentity": self._assume_with_token}
        if operation not in handlers:
            raise AwsError(400, "InvalidAction", f"Could not find operation {operation}")
        body = (f'<{operation}Response xmlns="{NAMESPACE}">\n  <{operation}Result>\n{handlers[operation](given, caller)}  </{operation}Result>\n'
                f"  <ResponseMetadata>\n    <RequestId>{request_id}</RequestId>\n  </ResponseMetadata>\n</{operation}Response>\n")
        return Response(200, [("Content-Type", "text/xml")], [body.encode()])

    def _identity(self, given: dict, caller: Key) -> str:
        return (f"    <Arn>{escape(caller.arn)}</Arn>\n    <UserId>AIDAFAKE</UserId>\n    <Account>{self.account}</Account>\n")

    def _assume(self, given: dict, caller: Key) -> str:
        wanted = self.external_ids.get(given.get("RoleArn", ""))
        key = self._key(given)
        if wanted is not None and given.get("ExternalId") != wanted:
            raise AwsError(403, "AccessDenied", f"User: {caller.arn} is not authorized to perform: sts:AssumeRole on resource: {given['RoleArn']}")
        return self._credentials(key)

    def _assume_with_token(self, given: dict, caller: None) -> str:
        token = given.get("WebIdentityToken", "")
        if not 4 <= len(token) <= 20_000 or token != token.strip():
            raise AwsError(400, "ValidationError", "WebIdentityToken has a wrong length or white space")
        if token == "expired":
            raise AwsError(400, "ExpiredTokenException", "Token expired: current date/time must be before the expiration date/time")
        if token != self.web_identity_token:
            raise AwsError(400, "InvalidIdentityToken", "No OpenIDConnect provider found in your account")
        return self._credentials(self._key(given)) + "    <SubjectFromWebIdentityToken>fake</SubjectFromWebIdentityToken>\n"

    def _key(self, given: dict) -> Key:
        role, session = given.get("RoleArn", ""), given.get("RoleSessionName", "")
        found = re.fullmatch(r"arn:aws[a-z-]*:iam::(\d{12}):role/([\w+=,.@/-]+)", role)
        if not found:
            raise AwsError(400, "ValidationError", f"{role} is invalid")
        if not re.fullmatch(r"[\w+=,.@-]{2,64}", session, re.ASCII):
            raise AwsError(400, "ValidationError", f"1 validation error detected: Value '{session}' at 'roleSessionName' failed to satisfy constraint")
        duration = given.get("DurationSeconds")
        if duration is not None and not (duration.isdigit() and 900 <= int(duration) <= 43_200):
            raise AwsError(400, "ValidationError", f"1 validation error detected: Value '{duration}' at 'durationSeconds' failed to satisfy constraint")
        return self.ring.issue(f"arn:aws:sts::{found[1]}:assumed-role/{found[2].rpartition('/')[2]}/{session}",
                               float(duration) if duration else None)

    @staticmethod
    def _credentials(key: Key) -> str:
        return (f"    <AssumedRoleUser>\n      <AssumedRoleId>AROAFAKE:session</AssumedRoleId>\n      <Arn>{escape(key.arn)}</Arn>\n    </AssumedRoleUser>\n"
                f"    <Credentials>\n      <AccessKeyId>{key.access}</AccessKeyId>\n      <SecretAccessKey>{escape(key.secret)}</SecretAccessKey>\n"
                f"      <SessionToken>{escape(key.token)}</SessionToken>\n      <Expiration>{iso(key.expires)}</Expiration>\n    </Credentials>\n")
