"""Reads with boto3 all that was delivered. Started by ../sdk_test_delivery.py.

Usage: read_back.py S3_URL BUCKET LOGS_URL GROUP STREAM ("-" for a URL: not that one). Prints JSON: {"records": [...],
"keys": [...], "messages": [...]}; bodies of data/ are put back into their records.
"""

import gzip
import json
import sys

import boto3
import zstandard
from botocore.config import Config

s3_url, bucket, logs_url, group, stream = sys.argv[1:]
CONFIG = Config(s3={"addressing_style": "path"}, response_checksum_validation="when_supported")


def unpack(key: str, data: bytes) -> bytes:
    if key.endswith(".gz"):
        return gzip.decompress(data)
    return zstandard.ZstdDecompressor().decompressobj().decompress(data) if key.endswith(".zst") else data


def records() -> tuple[list, list]:
    s3 = boto3.client("s3", endpoint_url=s3_url, region_name="eu-central-1", config=CONFIG)

    def get(key: str) -> bytes:
        return unpack(key, s3.get_object(Bucket=bucket, Key=key, ChecksumMode="ENABLED")["Body"].read())
    keys = [entry["Key"] for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket) for entry in page.get("Contents", [])]
    found = [json.loads(line) for key in keys if "/data/" not in key and ".json" in key for line in get(key).decode().splitlines()]
    for record in found:
        for part in ("input", "output"):
            place = record.get(part, {}).pop(f"{part}BodyS3Path", None)
            if place:
                record[part][f"{part}BodyJson"] = json.loads(get(place[len(f"s3://{bucket}/"):]))
    return found, keys


def messages() -> list[str]:
    logs = boto3.client("logs", endpoint_url=logs_url, region_name="eu-central-1", config=CONFIG)
    found, token = [], None
    while True:
        page = logs.get_log_events(logGroupName=group, logStreamName=stream, startFromHead=True, **({"nextToken": token} if token else {}))
        found += [event["message"] for event in page["events"]]
        if page["nextForwardToken"] == token:
            return found
        token = page["nextForwardToken"]


found, keys = records() if s3_url != "-" else ([], [])
print(json.dumps({"records": found, "keys": keys, "messages": messages() if logs_url != "-" else []}))
