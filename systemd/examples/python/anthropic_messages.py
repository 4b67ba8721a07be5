"""Asks Claude with Anthropic's SDK. Nothing in it knows of invlog; its environment does:

    pip install 'anthropic[bedrock]'
    invlog exec -- python3 anthropic_messages.py "Why is the sky blue?"
"""

import sys

from anthropic import AnthropicBedrock

client = AnthropicBedrock()
answer = client.messages.create(model="eu.anthropic.claude-haiku-4-5-20251001-v1:0", max_tokens=1000,
                                messages=[{"role": "user", "content": sys.argv[1]}])
print("".join(block.text for block in answer.content if block.type == "text"))
