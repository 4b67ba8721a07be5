"""Calls Bedrock as an application does, with what its environment says and nothing in the code, and prints of each call the
answer and the Authorization header that the SDK made, as JSON. Started by ../sdk_test_proxy.py.
Usage: proxy_cases.py boto3|anthropic TEXT"""

import json
import sys

sdk, text = sys.argv[1:]
NOVA, CLAUDE = "eu.amazon.nova-2-lite-v1:0", "eu.anthropic.claude-haiku-4-5-20251001-v1:0"
made: list[str] = []


def boto3_calls() -> list[str]:
    import boto3
    client = boto3.client("bedrock-runtime", region_name="eu-central-1")
    client.meta.events.register("before-send.bedrock-runtime.*", lambda request, **_: made.append(plain(request.headers["Authorization"])))
    message = {"role": "user", "content": [{"text": text}]}
    whole = client.converse(modelId=NOVA, messages=[message])["output"]["message"]["content"][0]["text"]
    stream = client.converse_stream(modelId=NOVA, messages=[message])["stream"]
    return [whole, "".join(event["contentBlockDelta"]["delta"]["text"] for event in stream if "contentBlockDelta" in event)]


def anthropic_calls() -> list[str]:
    import anthropic
    hooks = {"request": [lambda request: made.append(request.headers["Authorization"])]}
    client = anthropic.AnthropicBedrock(aws_region="eu-central-1", http_client=anthropic.DefaultHttpxClient(event_hooks=hooks), max_retries=0)
    question = {"model": CLAUDE, "max_tokens": 100, "messages": [{"role": "user", "content": text}]}
    whole = client.messages.create(**question).content[0].text
    with client.messages.stream(**question) as stream:
        return [whole, "".join(stream.text_stream)]


def plain(value: str | bytes) -> str:
    return value.decode() if isinstance(value, bytes) else value


answers = {"boto3": boto3_calls, "anthropic": anthropic_calls}[sdk]()
print(json.dumps([{"text": answer, "authorization": authorization} for answer, authorization in zip(answers, made, strict=True)]))
