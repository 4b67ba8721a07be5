"""What the model says: a function of the request alone, so that the same request always has the same answer."""

import hashlib
import math
import re
from dataclasses import dataclass, field

from .prompts import Prompt, Tool

WORDS = ("the record of every call stays in the Region where it was made and a query finds it again by model day or caller "
         "while tokens are counted streams are assembled and nothing is lost between one turn and the next").split()


@dataclass
class ToolUse:
    name: str
    identifier: str  # 22 characters; each API puts its own prefix before it
    input: dict


@dataclass
class Answer:
    text: str
    tools: list[ToolUse] = field(default_factory=list)
    stop: str = "end_turn"  # end_turn, tool_use or max_tokens
    input_tokens: int = 0
    output_tokens: int = 0
    cache_read: int = 0
    cache_write: int = 0
    latency_ms: int = 0
    seed: str = ""  # hex digest that identifiers derive from

    def pieces(self) -> list[str]:
        """The text as a stream's deltas: words with the space before them."""
        return re.findall(r"\s*\S+\s*$|\s*\S+", self.text) or [self.text]

    def identifier(self, prefix: str, length: int = 24) -> str:
        return prefix + hashlib.sha256((prefix + self.seed).encode()).hexdigest()[:length]


def tokens(text: str) -> int:
    return math.ceil(len(text.encode("utf-8", "replace")) / 4)


def answer(prompt: Prompt, body: bytes, words: int | None) -> Answer:
    """`words`: answer with so many words instead of the echo."""
    seed = hashlib.sha256(body).hexdigest()
    result = Answer("", seed=seed, latency_ms=200 + int(seed[:6], 16) % 800)
    tool = _tool_to_use(prompt)
    if words is not None:
        start = int(seed[6:10], 16)
        result.text = " ".join(WORDS[(start + index * (1 + index // 40)) % len(WORDS)] for index in range(words))
    elif prompt.answers_tool:
        result.text = "The tool has answered; here is what follows from it."
    elif tool:
        result.text = f"I will use {tool.name}."
    else:
        result.text = "You said: " + prompt.last_text[:4000]
    if tool:
        identifier = hashlib.sha256((tool.name + seed).encode()).hexdigest()[:22]
        result.tools.append(ToolUse(tool.name, identifier, {name: _value(schema, prompt.last_text)
                                                            for name, schema in (tool.schema.get("properties") or {}).items()}))
        result.stop = "tool_use"
    elif prompt.max_tokens is not None and tokens(result.text) > prompt.max_tokens:
        result.text = result.text.encode()[: prompt.max_tokens * 4].decode("utf-8", "ignore")
        result.stop = "max_tokens"
    result.output_tokens = max(1, tokens(result.text)) + sum(tokens(str(use.input)) for use in result.tools)
    cached = tokens(prompt.cached_text) if prompt.cached_text else 0
    result.input_tokens = max(1, tokens(prompt.everything) - cached)
    if prompt.first_turn:
        result.cache_write = cached
    else:
        result.cache_read = cached
    return result


def _tool_to_use(prompt: Prompt) -> Tool | None:
    """A tool is used when the request forces one, or when the newest text names one or asks for "a tool"."""
    if prompt.answers_tool or not prompt.tools:
        return None
    for tool in prompt.tools:
        if tool.name == prompt.forced_tool or re.search(rf"\b{re.escape(tool.name)}\b", prompt.last_text):
            return tool
    if prompt.forced_tool is not None or re.search(r"\ba tool\b", prompt.last_text):
        return prompt.tools[0]
    return None


def _value(schema: dict, text: str) -> object:
    if schema.get("enum"):
        return schema["enum"][0]
    match schema.get("type"):
        case "integer" | "number":
            return len(text)
        case "boolean":
            return True
        case "array":
            return [_value(schema.get("items") or {}, text)]
        case "object":
            return {name: _value(inner, text) for name, inner in (schema.get("properties") or {}).items()}
    return text[:40]
