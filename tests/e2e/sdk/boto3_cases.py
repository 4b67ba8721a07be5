"""What an application sees with boto3 as it comes: runs every case against the endpoint given and prints the views as
JSON. Started by ../sdk_test_views.py, with the virtual environment's Python. Usage: boto3_cases.py URL"""

import base64
import json
import sys

import boto3
from botocore.config import Config

# The two of AWS's article on EU cross-Region inference, from source Region eu-south-1.
EU, GLOBAL = "eu.amazon.nova-2-lite-v1:0", "global.amazon.nova-2-lite-v1:0"
CLAUDE = "eu.anthropic.claude-haiku-4-5-20251001-v1:0"
ARN = "arn:aws:bedrock:eu-south-1:123456789012:inference-profile/" + EU
TOOLS = {"tools": [{"toolSpec": {"name": "find_flight", "description": "Finds a flight", "inputSchema": {"json": {
    "type": "object", "properties": {"origin": {"type": "string"}, "seats": {"type": "integer"}}}}}}]}

client = boto3.client("bedrock-runtime", region_name="eu-south-1", endpoint_url=sys.argv[1],
                      config=Config(retries={"total_max_attempts": 1}, read_timeout=20))
VOLATILE = {"date", "x-amzn-requestid", "connection", "keep-alive"}


def messages(text: str) -> list:
    return [{"role": "user", "content": [{"text": text}]}]


def metadata(response: dict) -> dict:
    found = dict(response["ResponseMetadata"])
    found["has a request id"] = bool(found.pop("RequestId", ""))
    found["HTTPHeaders"] = {name: value for name, value in found["HTTPHeaders"].items() if name.lower() not in VOLATILE}
    return found


def converse(model: str, text: str, **more):
    response = client.converse(modelId=model, messages=messages(text), **more)
    return {**response, "ResponseMetadata": metadata(response)}


def converse_stream(model: str, text: str, **more):
    return events(client.converse_stream(modelId=model, messages=messages(text), **more), "stream")


def invoke(model: str, body: dict, **more):
    response = client.invoke_model(modelId=model, body=json.dumps(body), **more)
    return {**response, "body": json.loads(response["body"].read()), "ResponseMetadata": metadata(response)}


def invoke_stream(model: str, body: dict):
    return events(client.invoke_model_with_response_stream(modelId=model, body=json.dumps(body)), "body")


def events(response: dict, member: str) -> dict:
    seen: list = []
    view = {"events": seen, "ResponseMetadata": metadata(response), "contentType": response.get("contentType")}
    try:
        for event in response[member]:
            seen.append(event)
    except Exception as error:
        view["error"] = problem(error)
    return view


def problem(error: Exception) -> dict:
    """The class and what the service said; a broken connection's message names ports, so only its class counts."""
    response = getattr(error, "response", None)
    found = {"class": [kind.__name__ for kind in type(error).__mro__]}
    if response:
        found |= {"error": response.get("Error"), "text": str(error)}
        if "HTTPHeaders" in response.get("ResponseMetadata", {}):
            found["ResponseMetadata"] = metadata(response)
    return found


def claude(text: str) -> dict:
    return {"anthropic_version": "bedrock-2023-05-31", "max_tokens": 300, "messages": [{"role": "user", "content": text}]}


CASES = {
    "converse eu": lambda: converse(EU, "Hello from Milan"),
    "converse global": lambda: converse(GLOBAL, "Hello from Milan", requestMetadata={"team": "search"}),
    "converse by ARN": lambda: converse(ARN, "Hello"),
    "converse with everything": lambda: converse(EU, "use find_flight \u2603", system=[{"text": "Be kind"}, {"cachePoint": {"type": "default"}}],
                                                 inferenceConfig={"maxTokens": 200, "temperature": 0.5}, toolConfig=TOOLS),
    "converse to the limit": lambda: converse(EU, "many words " * 50, inferenceConfig={"maxTokens": 5}),
    "converse large": lambda: converse(EU, "large " * 100_000 + "[[fake words=50000]]"),
    "converse compressed": lambda: converse(EU, "[[fake gzip=1]]"),
    "converse-stream eu": lambda: converse_stream(EU, "Hello from Milan"),
    "converse-stream global": lambda: converse_stream(GLOBAL, "Hello from Milan"),
    "converse-stream tools": lambda: converse_stream(EU, "use find_flight please", toolConfig=TOOLS),
    "converse-stream tiny chunks": lambda: converse_stream(EU, "[[fake chunk_bytes=11]] tiny"),
    "converse-stream long": lambda: converse_stream(EU, "[[fake words=2000]]"),
    "invoke_model claude": lambda: invoke(CLAUDE, claude("Hello")),
    "invoke_model nova": lambda: invoke(EU, {"messages": messages("Hello")}),
    "invoke_model titan": lambda: invoke("amazon.titan-text-express-v1", {"inputText": "Hello"}, contentType="application/json", accept="application/json"),
    "invoke_model embedding": lambda: invoke("amazon.titan-embed-text-v2:0", {"inputText": "Hello", "dimensions": 8}),
    "invoke stream claude": lambda: invoke_stream(CLAUDE, claude("Hello")),
    "invoke stream nova": lambda: invoke_stream(EU, {"messages": messages("Hello")}),
    "count_tokens": lambda: client.count_tokens(modelId=CLAUDE, input={"converse": {"messages": messages("Hello")}})["inputTokens"],
    "wrong model": lambda: converse("does-not-exist", "Hello"),
    "wrong model, stream": lambda: converse_stream("does-not-exist", "Hello"),
    "wrong model, invoke": lambda: invoke("does-not-exist", {}),
    "wrong body": lambda: invoke(CLAUDE, {}),
    "wrong conversation": lambda: client.converse(modelId=EU, messages=[{"role": "assistant", "content": [{"text": "x"}]}]),
}
for _name in ("validation", "access-denied", "expired-token", "not-found", "model-timeout", "model-error", "throttling", "not-ready", "internal", "unavailable"):
    CASES["error " + _name] = lambda name=_name: converse(EU, f"[[fake error={name}]]")
    CASES["error in front of a stream " + _name] = lambda name=_name: converse_stream(EU, f"[[fake error={name}]]")
for _name in ("throttlingException", "modelStreamErrorException", "internalServerException", "serviceUnavailableException", "validationException", "error"):
    CASES["exception frame " + _name] = lambda name=_name: converse_stream(EU, f"[[fake exception=3:{name}]]")
for _name in ("cut=3:0", "cut=3:20", "crc=3", "prelude_crc=3", "flip=3", "status=502", "status=504"):
    CASES["fault " + _name] = lambda name=_name: converse_stream(EU, f"[[fake {name}]] some words more")

views = {}
for name, case in CASES.items():
    try:
        views[name] = case()
    except Exception as error:
        views[name] = {"raised": problem(error)}
json.dump(views, sys.stdout, default=lambda value: base64.b64encode(value).decode() if isinstance(value, bytes) else repr(value))
