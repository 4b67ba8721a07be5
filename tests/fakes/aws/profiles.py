"""Bedrock's control plane, as far as inference profiles go: ListInferenceProfiles and GetInferenceProfile (facts/bedrock.md
§5.4). A test tells what there is; without being told there is nothing."""

import base64
import json
import re
from urllib.parse import parse_qs, unquote

from bedrock.exchange import Request, Response

from .errors import AwsError

PATH = "/inference-profiles"
ID = re.compile(r"[a-zA-Z0-9-:.]{1,64}")
IDENTIFIER = re.compile(r"(arn:aws(|-us-gov|-cn|-iso|-iso-b):bedrock:(|[0-9a-z-]{0,20}):(|[0-9]{12}):"
                        r"(inference-profile|application-inference-profile)/)?[a-zA-Z0-9-:.]+")
TYPES = ("SYSTEM_DEFINED", "APPLICATION")
MOMENT = "2026-07-13T14:00:42.680622107Z"


class Profiles:
    """`page`: at most so many in a page, whatever is asked for. `denied`: whoever asks may not."""

    def __init__(self, region: str, account: str):
        self.region, self.account = region, account
        self.known: dict[str, dict] = {}
        self.unlisted: set[str] = set()  # GetInferenceProfile has them, as one that was made a moment ago
        self.page, self.denied = 1000, False

    def put(self, identifier: str, model: str, regions: list[str], application: bool = False, listed: bool = True) -> None:
        """`regions`: of the model ARNs; "" is global routing."""
        if not ID.fullmatch(identifier):
            raise ValueError(f"no profile's id: {identifier}")
        kind = "application-inference-profile" if application else "inference-profile"
        self.known[identifier] = {
            "inferenceProfileName": f"named {identifier}", "description": "made by a test", "createdAt": MOMENT, "updatedAt": MOMENT,
            "inferenceProfileArn": f"arn:aws:bedrock:{self.region}:{self.account}:{kind}/{identifier}",
            "models": [{"modelArn": f"arn:aws:bedrock:{region}::foundation-model/{model}"} for region in regions],
            "inferenceProfileId": identifier, "status": "ACTIVE", "type": TYPES[application], "toolboxArn": None}
        (self.unlisted.discard if listed else self.unlisted.add)(identifier)

    @staticmethod
    def operation(request: Request) -> str:
        return "ListInferenceProfiles" if request.raw_path.rstrip("/") == PATH else "GetInferenceProfile"

    def answer(self, operation: str, request: Request) -> Response:
        if request.method != "GET":
            raise AwsError(404, "UnknownOperationException", "fake: only ListInferenceProfiles and GetInferenceProfile")
        if self.denied:
            raise AwsError(403, "AccessDeniedException", f"User is not authorized to perform: bedrock:{operation}")
        result = self._list(parse_qs(request.query)) if operation == "ListInferenceProfiles" else self._get(request.raw_path)
        return Response(200, [("Content-Type", "application/json")], [json.dumps(result).encode()])

    def _list(self, query: dict[str, list[str]]) -> dict:
        kind, size = query.get("type", [""])[0], query.get("maxResults", ["100"])[0]
        if kind not in ("", *TYPES) or not size.isdigit() or not 1 <= int(size) <= 1000:
            raise AwsError(400, "ValidationException", f"fake: type {kind}, maxResults {size}")
        chosen = [profile for name, profile in sorted(self.known.items()) if kind in ("", profile["type"]) and name not in self.unlisted]
        first = self._first(query["nextToken"][0], kind) if "nextToken" in query else 0
        last = first + min(int(size), self.page)
        more = {"nextToken": base64.b64encode(f"{kind}/{last}".encode()).decode()} if last < len(chosen) else {}
        return {"inferenceProfileSummaries": chosen[first:last], **more}

    @staticmethod
    def _first(token: str, kind: str) -> int:
        try:
            of_kind, first = base64.b64decode(token, validate=True).decode().split("/")
            if of_kind == kind:
                return int(first)
        except ValueError:
            pass
        raise AwsError(400, "ValidationException", "The provided nextToken is invalid")

    def _get(self, raw_path: str) -> dict:
        segment = raw_path[len(PATH) + 1:]
        identifier = unquote(segment)
        if "/" in segment or not IDENTIFIER.fullmatch(identifier):
            raise AwsError(400, "ValidationException", f"fake: {identifier} is no inferenceProfileIdentifier")
        for profile in self.known.values():
            if identifier in (profile["inferenceProfileId"], profile["inferenceProfileArn"]):
                return profile
        raise AwsError(404, "ResourceNotFoundException", f"Inference profile {identifier} not found")
