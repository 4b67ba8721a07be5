"""Asks a model with boto3. Nothing in it knows of invlog; its environment does:

    pip install boto3
    invlog exec -- python3 boto3_converse.py "Why is the sky blue?"
"""

import sys

import boto3

client = boto3.client("bedrock-runtime")
answer = client.converse_stream(modelId="eu.amazon.nova-2-lite-v1:0",
                                messages=[{"role": "user", "content": [{"text": sys.argv[1]}]}])
for event in answer["stream"]:
    print(event.get("contentBlockDelta", {}).get("delta", {}).get("text", ""), end="", flush=True)
print()
