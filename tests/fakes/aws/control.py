"""What a test asks and tells this fake, below /-/ and without a signature:

  POST /-/faults    {"add": [rules], "clear": true, "seed": 7, "rate": 0.3, "kinds": [...], "limit": 50}
  POST /-/settings  {"clock_offset": seconds, "expire": "static|temporary|all|KEY", "restore": true, "lifetime": seconds,
                     "bucket": {"name": ..., "region": ...}, "arn_region": ..., "external_ids": {role: id},
                     "profile": {"identifier": ..., "model": ..., "regions": [...], "application": false, "listed": true},
                     "profile_page": 2, "profiles_denied": true}
  GET  /-/objects   {bucket: {key: [versions]}}, without bodies
  GET  /-/object?bucket=B&key=K    the newest version's body
  GET  /-/events    {group: {stream: [events]}}
  GET  /-/groups    {group: {retention, kms_key, streams: {stream: [events of each accepted call]}}}
  GET  /-/calls     the journal
"""

import json
from urllib.parse import parse_qs

from bedrock.exchange import Request, Response

from .journal import Journal
from .s3 import Bucket
from .service import Service

PREFIX = "/-/"
SETTINGS = {"clock_offset", "expire", "restore", "lifetime", "bucket", "arn_region", "external_ids", "profile", "profile_page", "profiles_denied"}


def answer(service: Service, journal: Journal, request: Request) -> Response:
    try:
        result = _answer(service, journal, request)
    except (ValueError, KeyError, TypeError) as error:
        return Response(400, [("Content-Type", "text/plain")], [f"fake: {error!r}".encode()])
    if isinstance(result, bytes):
        return Response(200, [("Content-Type", "application/octet-stream")], [result])
    return Response(200, [("Content-Type", "application/json")], [json.dumps(result).encode()])


def _answer(service: Service, journal: Journal, request: Request) -> object:
    what = request.raw_path[len(PREFIX):]
    if request.method == "POST":
        given = json.loads(request.body)
        return {"faults": _faults, "settings": _settings}[what](service, given)
    if what == "objects":
        return {name: {key: [version.summary() for version in versions] for key, versions in bucket.objects.items()}
                for name, bucket in service.s3.buckets.items()}
    if what == "object":
        query = parse_qs(request.query)
        return service.s3.buckets[query["bucket"][0]].objects[query["key"][0]][-1].body
    if what == "events":
        return {name: {stream: kept.events for stream, kept in group.streams.items()} for name, group in service.logs.groups.items()}
    if what == "groups":
        return {name: {"retention": group.retention, "kms_key": group.kms_key,
                       "streams": {stream: kept.batches for stream, kept in group.streams.items()}} for name, group in service.logs.groups.items()}
    if what == "calls":
        return journal.calls
    raise ValueError(f"no {what}")


def _faults(service: Service, given: dict) -> dict:
    if unknown := set(given) - {"add", "clear", "seed", "rate", "kinds", "limit"}:
        raise ValueError(f"no {unknown}")
    if given.get("clear"):
        service.faults.clear()
    service.faults.add(given.get("add", []))
    if "seed" in given:
        service.faults.seed(given["seed"], given.get("rate", 0.3), given.get("kinds"), given.get("limit", -1))
    return {}


def _settings(service: Service, given: dict) -> dict:
    if unknown := set(given) - SETTINGS:
        raise ValueError(f"no {unknown}")
    service.settings.clock_offset = given.get("clock_offset", service.settings.clock_offset)
    service.ring.lifetime = given.get("lifetime", service.ring.lifetime)
    if "expire" in given:
        service.ring.expire(given["expire"])
    if given.get("restore"):
        service.ring.restore()
    if "bucket" in given:
        service.s3.buckets[given["bucket"]["name"]] = Bucket(given["bucket"].get("region", service.settings.region))
    if "profile" in given:
        service.profiles.put(**given["profile"])
    service.profiles.page = given.get("profile_page", service.profiles.page)
    service.profiles.denied = given.get("profiles_denied", service.profiles.denied)
    service.logs.arn_region = given.get("arn_region", service.logs.arn_region)
    service.sts.external_ids.update(given.get("external_ids", {}))
    return {}
