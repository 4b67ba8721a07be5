"""What boto3 raises for a call that policy denies, as JSON: class, code, message. Started by ../sdk_test_policy.py.
Usage: policy_cases.py URL"""

import json
import sys

import boto3
from botocore.config import Config

GLOBAL = "global.amazon.nova-2-lite-v1:0"
client = boto3.client("bedrock-runtime", region_name="eu-central-1", endpoint_url=sys.argv[1],
                      config=Config(retries={"total_max_attempts": 3}, read_timeout=20))
MESSAGES = [{"role": "user", "content": [{"text": "Hello"}]}]
CASES = {
    "converse": lambda: client.converse(modelId=GLOBAL, messages=MESSAGES),
    "converse-stream": lambda: client.converse_stream(modelId=GLOBAL, messages=MESSAGES),
    "invoke": lambda: client.invoke_model(modelId=GLOBAL, body="{}"),
    "invoke-stream": lambda: client.invoke_model_with_response_stream(modelId=GLOBAL, body="{}"),
    "count-tokens": lambda: client.count_tokens(modelId=GLOBAL, input={"converse": {"messages": MESSAGES}}),
    "async-invoke": lambda: client.start_async_invoke(modelId=GLOBAL, modelInput={}, outputDataConfig={"s3OutputDataConfig": {"s3Uri": "s3://b/c"}}),
}

raised = {}
for name, case in CASES.items():
    try:
        case()
    except client.exceptions.AccessDeniedException as error:
        raised[name] = {"kind": type(error).__name__, "code": error.response["Error"]["Code"], "message": error.response["Error"]["Message"]}
json.dump(raised, sys.stdout)
