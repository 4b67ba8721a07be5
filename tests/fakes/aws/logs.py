"""CloudWatch Logs: groups, streams, and PutLogEvents with every limit of facts/aws-delivery.md §1."""

import gzip
import json
import re
import zlib
from dataclasses import dataclass, field

from bedrock.exchange import Request, Response

from .errors import AwsError

HOUR_MS, DAY_MS = 3_600_000, 86_400_000
MAXIMUM_BATCH, MAXIMUM_EVENTS, OVERHEAD = 1_048_576, 10_000, 26
RETENTION_DAYS = {1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653}
TARGET = "Logs_20140328."


def invalid(message: str) -> AwsError:
    return AwsError(400, "InvalidParameterException", message)


def validation(member: str, constraint: str) -> AwsError:
    return invalid(f"1 validation error detected: Value at '{member}' failed to satisfy constraint: {constraint}")


@dataclass
class Stream:
    created: int
    events: list[dict] = field(default_factory=list)  # timestamp, message, ingestionTime
    batches: list[int] = field(default_factory=list)  # events of each accepted call


@dataclass
class Group:
    created: int
    kms_key: str = ""
    retention: int = 0
    streams: dict[str, Stream] = field(default_factory=dict)


class Logs:
    """`arn_region`: the Region that ARNs name, for a test of an endpoint that is not where it says."""

    def __init__(self, region: str, account: str, clock):
        self.region, self.account, self.clock = region, account, clock
        self.arn_region = region
        self.groups: dict[str, Group] = {}
        self.operations = {"CreateLogGroup": self.create_group, "CreateLogStream": self.create_stream,
                           "PutRetentionPolicy": self.put_retention, "PutLogEvents": self.put_events,
                           "DescribeLogGroups": self.describe_groups, "DescribeLogStreams": self.describe_streams,
                           "GetLogEvents": self.get_events}

    def answer(self, operation: str, request: Request) -> Response:
        parameters = self._parameters(request)
        if operation not in self.operations:
            raise AwsError(400, "UnknownOperationException", "")
        result = self.operations[operation](parameters)
        body = json.dumps(result).encode() if result is not None else b""
        return Response(200, [("Content-Type", "application/x-amz-json-1.1")], [body])

    @staticmethod
    def _parameters(request: Request) -> dict:
        if request.method != "POST" or request.target != "/":
            raise AwsError(404, "UnknownOperationException", "")
        if (request.header("content-type") or "") != "application/x-amz-json-1.1":
            raise AwsError(400, "UnknownOperationException", "the content type is not application/x-amz-json-1.1")
        body, coding = request.body, (request.header("content-encoding") or "").lower()
        try:
            if coding == "gzip":
                body = gzip.decompress(body)
            elif coding:
                raise AwsError(400, "SerializationException", f"content encoding {coding}")
            parameters = json.loads(body.decode("utf-8"))
        except (OSError, EOFError, zlib.error, ValueError):
            raise AwsError(400, "SerializationException", "the body is not what its headers say") from None
        if not isinstance(parameters, dict):
            raise AwsError(400, "SerializationException", "the body is no object")
        return parameters

    def _now(self) -> int:
        return int(self.clock() * 1000)

    @staticmethod
    def _group_name(parameters: dict) -> str:
        name = parameters.get("logGroupName")
        if not isinstance(name, str) or not re.fullmatch(r"[.\-_/#A-Za-z0-9]{1,512}", name):
            raise validation("logGroupName", r"Member must satisfy regular expression pattern: [\.\-_/#A-Za-z0-9]+")
        return name

    @staticmethod
    def _stream_name(parameters: dict) -> str:
        name = parameters.get("logStreamName")
        if not isinstance(name, str) or not re.fullmatch(r"[^:*]{1,512}", name):
            raise validation("logStreamName", "Member must satisfy regular expression pattern: [^:*]*")
        return name

    def _group(self, parameters: dict) -> Group:
        name = self._group_name(parameters)
        if name not in self.groups:
            raise AwsError(400, "ResourceNotFoundException", "The specified log group does not exist.")
        return self.groups[name]

    def _stream(self, parameters: dict) -> Stream:
        group, name = self._group(parameters), self._stream_name(parameters)
        if name not in group.streams:
            raise AwsError(400, "ResourceNotFoundException", "The specified log stream does not exist.")
        return group.streams[name]

    def create_group(self, parameters: dict) -> None:
        name = self._group_name(parameters)
        if name.startswith("aws/"):
            raise invalid("Log groups starting with AWS/ are reserved for AWS.")
        key = parameters.get("kmsKeyId", "")
        if key and not re.fullmatch(rf"arn:aws[a-z-]*:kms:{self.region}:\d{{12}}:(key/[0-9a-f-]{{36}}|key/mrk-[0-9a-f]{{32}})", key):
            raise invalid(f"The specified KMS Key Id could not be found or is not an ARN of this Region: {key}")
        if name in self.groups:
            raise AwsError(400, "ResourceAlreadyExistsException", "The specified log group already exists")
        self.groups[name] = Group(self._now(), key)

    def create_stream(self, parameters: dict) -> None:
        group, name = self._group(parameters), self._stream_name(parameters)
        if name in group.streams:
            raise AwsError(400, "ResourceAlreadyExistsException", "The specified log stream already exists")
        group.streams[name] = Stream(self._now())

    def put_retention(self, parameters: dict) -> None:
        group, days = self._group(parameters), parameters.get("retentionInDays")
        if days not in RETENTION_DAYS:
            raise validation("retentionInDays", f"Member must satisfy enum value set: {sorted(RETENTION_DAYS)}")
        group.retention = days

    def put_events(self, parameters: dict) -> dict:
        unknown = set(parameters) - {"logGroupName", "logStreamName", "logEvents", "sequenceToken", "entity"}
        if unknown:
            raise AwsError(400, "SerializationException", f"unknown members {sorted(unknown)}")
        stream, group = self._stream(parameters), self._group(parameters)
        events = parameters.get("logEvents")
        self._check_batch(events)
        now = self._now()
        times = [event["timestamp"] for event in events]
        too_old = sum(time < now - 14 * DAY_MS for time in times)
        expired = sum(time < now - group.retention * DAY_MS for time in times) if group.retention else 0
        too_new = sum(time > now + 2 * HOUR_MS for time in times)
        first, last = max(too_old, expired), len(events) - too_new
        if first < last and times[last - 1] - times[first] > DAY_MS:
            raise invalid("The batch of log events in a single PutLogEvents request cannot span more than 24 hours.")
        rejected = {}
        if too_old:
            rejected["tooOldLogEventEndIndex"] = too_old
        if expired > too_old:
            rejected["expiredLogEventEndIndex"] = expired
        if too_new:
            rejected["tooNewLogEventStartIndex"] = last
        return self.keep(stream, events, first, last, rejected)

    def keep(self, stream: Stream, events: list[dict], first: int, last: int, rejected: dict) -> dict:
        kept = [{"timestamp": event["timestamp"], "message": event["message"], "ingestionTime": self._now()} for event in events[first:last]]
        stream.events += kept
        stream.batches.append(len(kept))
        answer: dict = {"nextSequenceToken": "49590302080000000000000000000000000000000000000000000000"}
        if rejected:
            answer["rejectedLogEventsInfo"] = rejected
        return answer

    def reject(self, request: Request, too_old: int, too_new: int) -> Response:
        """Takes a PutLogEvents, but not its first `too_old` and last `too_new` events."""
        parameters = self._parameters(request)
        stream, events = self._stream(parameters), parameters["logEvents"]
        self._check_batch(events)
        first, last = min(too_old, len(events)), max(len(events) - too_new, min(too_old, len(events)))
        rejected = {**({"tooOldLogEventEndIndex": first} if first else {}), **({"tooNewLogEventStartIndex": last} if last < len(events) else {})}
        return Response(200, [("Content-Type", "application/x-amz-json-1.1")], [json.dumps(self.keep(stream, events, first, last, rejected)).encode()])

    @staticmethod
    def _check_batch(events: object) -> None:
        if not isinstance(events, list) or not 1 <= len(events) <= MAXIMUM_EVENTS:
            raise validation("logEvents", f"Member must have length between 1 and {MAXIMUM_EVENTS}")
        size = 0
        for number, event in enumerate(events, 1):
            if not isinstance(event, dict) or set(event) != {"timestamp", "message"}:
                raise AwsError(400, "SerializationException", "an event has a timestamp and a message")
            if type(event["timestamp"]) is not int or event["timestamp"] < 0:
                raise validation(f"logEvents.{number}.member.timestamp", "Member must be a number of milliseconds, 0 or more")
            if not isinstance(event["message"], str) or not event["message"]:
                raise validation(f"logEvents.{number}.member.message", "Member must have length greater than or equal to 1")
            length = len(event["message"].encode()) + OVERHEAD
            if length > MAXIMUM_BATCH:
                raise invalid(f"Log event too large: {length} bytes exceeds limit of {MAXIMUM_BATCH}")
            size += length
        if size > MAXIMUM_BATCH:
            raise invalid(f"Upload too large: {size} bytes exceeds limit of {MAXIMUM_BATCH}")
        if any(one["timestamp"] > other["timestamp"] for one, other in zip(events, events[1:])):
            raise invalid("Log events in a single PutLogEvents request must be in chronological order.")

    def _arn(self, group: str, rest: str) -> str:
        return f"arn:aws:logs:{self.arn_region}:{self.account}:log-group:{group}:{rest}"

    def describe_groups(self, parameters: dict) -> dict:
        prefix = parameters.get("logGroupNamePrefix", "")
        return {"logGroups": [
            {"logGroupName": name, "creationTime": group.created, "metricFilterCount": 0, "arn": self._arn(name, "*"), "logGroupClass": "STANDARD",
             "logGroupArn": self._arn(name, "*")[:-2], "storedBytes": 0, **({"retentionInDays": group.retention} if group.retention else {}),
             **({"kmsKeyId": group.kms_key} if group.kms_key else {})}
            for name, group in sorted(self.groups.items()) if name.startswith(prefix)][:parameters.get("limit", 50)]}

    def describe_streams(self, parameters: dict) -> dict:
        group, prefix = self._group(parameters), parameters.get("logStreamNamePrefix", "")
        return {"logStreams": [
            {"logStreamName": name, "creationTime": stream.created, "arn": self._arn(parameters["logGroupName"], f"log-stream:{name}"),
             "storedBytes": 0, **({"firstEventTimestamp": stream.events[0]["timestamp"]} if stream.events else {})}
            for name, stream in sorted(group.streams.items()) if name.startswith(prefix)][:parameters.get("limit", 50)]}

    def get_events(self, parameters: dict) -> dict:
        events = sorted(self._stream(parameters).events, key=lambda event: event["timestamp"])
        token = parameters.get("nextToken", "f/0" if parameters.get("startFromHead") else f"f/{max(0, len(events) - 10_000)}")
        first = int(token.split("/")[1])
        if token.startswith("b"):  # the page before it; the first one names itself
            events, first = events[:first], max(0, first - parameters.get("limit", 10_000))
        page, size = [], 0
        for event in events[first:first + parameters.get("limit", 10_000)]:
            size += len(event["message"].encode()) + OVERHEAD
            if page and size > MAXIMUM_BATCH:
                break
            page.append(event)
        return {"events": page, "nextForwardToken": f"f/{first + len(page)}", "nextBackwardToken": f"b/{first}"}
