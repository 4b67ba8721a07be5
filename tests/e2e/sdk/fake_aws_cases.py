"""boto3 against the fake of CloudWatch Logs, S3 and STS, to show that it is near enough to the real ones for AWS's own
client. Started by ../sdk_test_delivery.py. Usage: fake_aws_cases.py URL; prints what came of each case as JSON."""

import json
import sys
import time

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

URL, REGION = sys.argv[1], "eu-central-1"
CONFIG = Config(retries={"total_max_attempts": 1}, s3={"addressing_style": "path"})


def client(service: str, region: str = REGION, **credentials):
    return boto3.client(service, region_name=region, endpoint_url=URL, config=CONFIG, **credentials)


def outcome(action) -> object:
    try:
        return action()
    except ClientError as error:
        return error.response["Error"]["Code"]


def logs() -> dict:
    logs, group, stream = client("logs"), "/made/by/boto3", "aws/bedrock/modelinvocations"
    now = int(time.time() * 1000)
    views = {"no group": outcome(lambda: logs.create_log_stream(logGroupName=group, logStreamName=stream))}
    logs.create_log_group(logGroupName=group)
    logs.put_retention_policy(logGroupName=group, retentionInDays=30)
    logs.create_log_stream(logGroupName=group, logStreamName=stream)
    views["again"] = outcome(lambda: logs.create_log_stream(logGroupName=group, logStreamName=stream))
    events = [{"timestamp": now + number, "message": f"event {number} ☃ " + "x" * 400} for number in range(3_000)]
    for first in range(0, 3_000, 1_000):
        logs.put_log_events(logGroupName=group, logStreamName=stream, logEvents=events[first:first + 1_000])
    views["rejected"] = logs.put_log_events(logGroupName=group, logStreamName=stream, logEvents=[
        {"timestamp": now - 20 * 86_400_000, "message": "old"}, {"timestamp": now, "message": "now"},
        {"timestamp": now + 5 * 3_600_000, "message": "new"}])["rejectedLogEventsInfo"]
    views["disorder"] = outcome(lambda: logs.put_log_events(logGroupName=group, logStreamName=stream, logEvents=list(reversed(events[:2]))))
    read, token = [], None
    while True:
        page = logs.get_log_events(logGroupName=group, logStreamName=stream, startFromHead=True, **({"nextToken": token} if token else {}))
        read += [event["message"] for event in page["events"]]
        if page["nextForwardToken"] == token:
            break
        token = page["nextForwardToken"]
    views["read back"] = sorted(read) == sorted([event["message"] for event in events] + ["now"])
    views["group"] = logs.describe_log_groups(logGroupNamePrefix=group)["logGroups"][0]["retentionInDays"]
    views["stranger"] = outcome(lambda: client("logs", aws_access_key_id="AKIANOBODY", aws_secret_access_key="x").describe_log_groups())
    views["forger"] = outcome(lambda: client("logs", aws_secret_access_key="x", aws_access_key_id="AKIAFAKE000000EXAMPLE").describe_log_groups())
    return views


def s3() -> dict:
    s3, bucket = client("s3"), "made-by-boto3"
    views = {"no bucket": outcome(lambda: s3.put_object(Bucket=bucket, Key="k", Body=b"x"))}
    s3.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": REGION})
    views["region"] = s3.head_bucket(Bucket=bucket)["ResponseMetadata"]["HTTPHeaders"]["x-amz-bucket-region"]
    for algorithm in ("SHA256", "CRC32", "SHA1"):
        key = f"dir with space/dt=2026+10/{algorithm} ☃%.json"
        s3.put_object(Bucket=bucket, Key=key, Body=b"body " * 100, ChecksumAlgorithm=algorithm, Metadata={"chain": "abc"}, Tagging="a=b",
                      ServerSideEncryption="aws:kms", SSEKMSKeyId="alias/mine", ExpectedBucketOwner="123456789012")
        head = s3.head_object(Bucket=bucket, Key=key, ChecksumMode="ENABLED")
        got = s3.get_object(Bucket=bucket, Key=key)
        views[algorithm] = [bool(head[f"Checksum{algorithm}"]), head["Metadata"], head["ServerSideEncryption"], got["Body"].read() == b"body " * 100]
    views["exists"] = outcome(lambda: s3.put_object(Bucket=bucket, Key=key, Body=b"x", IfNoneMatch="*"))
    views["owner"] = outcome(lambda: s3.put_object(Bucket=bucket, Key=key, Body=b"x", ExpectedBucketOwner="999999999999"))
    views["missing"] = outcome(lambda: s3.get_object(Bucket=bucket, Key="nothing"))
    for number in range(25):
        s3.put_object(Bucket=bucket, Key=f"many/{number:02}", Body=b"x")
    pages = list(s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix="many/", PaginationConfig={"PageSize": 10}))
    views["pages"] = [len(page["Contents"]) for page in pages]
    views["listed"] = sorted(entry["Key"] for entry in s3.list_objects_v2(Bucket=bucket, Prefix="dir")["Contents"])
    views["stranger"] = outcome(lambda: client("s3", aws_access_key_id="AKIANOBODY", aws_secret_access_key="x").list_objects_v2(Bucket=bucket))
    views["forger"] = outcome(lambda: client("s3", aws_access_key_id="AKIAFAKE000000EXAMPLE", aws_secret_access_key="x").list_objects_v2(Bucket=bucket))
    return views


def sts() -> dict:
    sts = client("sts")
    role = sts.assume_role(RoleArn="arn:aws:iam::123456789012:role/shipper", RoleSessionName="host")["Credentials"]
    taken = client("sts", aws_access_key_id=role["AccessKeyId"], aws_secret_access_key=role["SecretAccessKey"], aws_session_token=role["SessionToken"])
    web = sts.assume_role_with_web_identity(RoleArn="arn:aws:iam::123456789012:role/pod", RoleSessionName="pod", WebIdentityToken="fake.web.identity")
    return {"caller": sts.get_caller_identity()["Arn"], "role": taken.get_caller_identity()["Arn"], "web": web["AssumedRoleUser"]["Arn"],
            "bad token": outcome(lambda: sts.assume_role_with_web_identity(RoleArn="arn:aws:iam::123456789012:role/pod", RoleSessionName="pod",
                                                                           WebIdentityToken="stolen"))}


print(json.dumps({"logs": logs(), "s3": s3(), "sts": sts()}))
