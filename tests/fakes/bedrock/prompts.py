"""What a request asks for, taken out of each API's own body; and the rules that the service checks on the way."""

import json
from dataclasses import dataclass, field

from .errors import ServiceError, validation
from .exchange import Request

MALFORMED = "Malformed input request, please reformat your input and try again."


@dataclass
class Tool:
    name: str
    schema: dict


@dataclass
class Prompt:
    last_text: str  # the newest user text
    everything: str  # all text that counts as input
    tools: list[Tool] = field(default_factory=list)
    forced_tool: str | None = None  # a name, or "" for any
    answers_tool: bool = False  # the newest message carries a tool's result
    max_tokens: int | None = None
    cached_text: str = ""  # text up to the last cache point
    first_turn: bool = True


def json_body(request: Request) -> dict:
    content_type = (request.header("content-type") or "application/json").partition(";")[0].strip().lower()
    if content_type != "application/json":
        raise validation("The provided Content Type is invalid or not supported for this model")
    try:
        body = json.loads(request.body)
    except ValueError:
        raise validation(MALFORMED) from None
    if not isinstance(body, dict):
        raise validation(MALFORMED)
    return body


def _list(body: dict, name: str) -> list:
    value = body.get(name)
    if value is None:
        return []
    if not isinstance(value, list):
        raise ServiceError(400, "SerializationException", f"Start of list expected at '{name}'")
    return value


def from_converse(body: dict, nova: bool = False) -> Prompt:
    """Converse's body; Nova's own body is nearly the same (`nova`: inferenceConfig.max_new_tokens)."""
    messages = _list(body, "messages")
    if "messages" not in body and not nova:
        messages = []
    _check_conversation(messages, "toolConfig" in body)
    configuration = body.get("inferenceConfig") or {}
    maximum = configuration.get("maxTokens", configuration.get("max_new_tokens"))
    if maximum is not None and (not isinstance(maximum, int) or maximum < 1):
        raise validation(f"1 validation error detected: Value '{maximum}' at 'inferenceConfig.maxTokens' failed to satisfy "
                         "constraint: Member must have value greater than or equal to 1")
    metadata = body.get("requestMetadata") or {}
    if len(metadata) > 16:
        raise validation("1 validation error detected: Value at 'requestMetadata' failed to satisfy constraint: Member must have "
                         "length less than or equal to 16")
    tools, forced = _converse_tools(body.get("toolConfig") or {})
    blocks = [block for block in _list(body, "system")] + [block for message in messages for block in message["content"]]
    texts, cached = [json.dumps(tool.schema) for tool in tools], ""
    for block in blocks:
        if "cachePoint" in block:
            cached = "".join(texts)
        texts.append(block["text"] if "text" in block else json.dumps(block, sort_keys=True))
    last = messages[-1]["content"]
    return Prompt(_last_text(last, lambda block: block.get("text")), "".join(texts), tools, forced,
                  any("toolResult" in block for block in last), maximum, cached, len(messages) == 1)


def _check_conversation(messages: list, has_tools: bool) -> None:
    if not messages or messages[0].get("role") != "user":
        raise validation("A conversation must start with a user message. Try again with a conversation that starts with a user message.")
    asked: list[str] = []
    for index, message in enumerate(messages):
        role, content = message.get("role"), message.get("content")
        if role not in ("user", "assistant"):
            raise validation(f"1 validation error detected: Value '{role}' at 'messages.{index + 1}.member.role' failed to satisfy "
                             "constraint: Member must satisfy enum value set: [user, assistant]")
        if not isinstance(content, list) or not content:
            raise validation(f"The content field in the Message object at messages.{index} is empty. Add a ContentBlock object to the "
                             "content field and try again.")
        if index and role == messages[index - 1]["role"]:
            raise validation("A conversation must alternate between user and assistant roles. Make sure the conversation alternates "
                             "between user and assistant roles and try again.")
        uses = [block["toolUse"]["toolUseId"] for block in content if "toolUse" in block]
        results = [block["toolResult"]["toolUseId"] for block in content if "toolResult" in block]
        if (uses or results) and not has_tools:
            raise validation("The toolConfig field must be defined when using toolUse and toolResult content blocks.")
        if len(results) > len(asked):
            raise validation(f"The number of toolResult blocks at messages.{index}.content exceeds the number of toolUse blocks of "
                             "previous turn.")
        missing = [identifier for identifier in asked if identifier not in results]
        if missing:
            raise validation(f"Expected toolResult blocks at messages.{index}.content for the following Ids: {', '.join(missing)}")
        asked = uses


def _converse_tools(configuration: dict) -> tuple[list[Tool], str | None]:
    tools = []
    for index, tool in enumerate(configuration.get("tools") or []):
        specification = tool.get("toolSpec")
        if specification is None:
            if "cachePoint" in tool:
                continue
            raise validation(f"The toolSpec field at toolConfig.tools.{index} is empty.")
        tools.append(Tool(specification["name"], (specification.get("inputSchema") or {}).get("json") or {}))
    choice = configuration.get("toolChoice") or {}
    forced = choice["tool"]["name"] if "tool" in choice else "" if "any" in choice else None
    if forced and forced not in [tool.name for tool in tools]:
        raise validation("The tool in toolChoice is not one of toolConfig.tools.")
    return tools, forced


def _last_text(blocks: list, text_of) -> str:
    texts = [text_of(block) for block in blocks if isinstance(block, dict)]
    return "\n".join(text for text in texts if isinstance(text, str))


def from_anthropic(body: dict, bedrock: bool = True) -> Prompt:
    if bedrock and "anthropic_version" not in body:
        raise validation(f"{MALFORMED} #: required key [anthropic_version] not found")
    maximum = body.get("max_tokens")
    if not isinstance(maximum, int):
        raise validation("max_tokens: Field required")
    messages = _list(body, "messages")
    if not messages:
        raise validation("messages: at least one message is required")
    if messages[0].get("role") != "user":
        raise validation("messages: first message must use the \"user\" role")
    texts, cached = [], ""
    tools = [Tool(tool["name"], tool.get("input_schema") or {}) for tool in body.get("tools") or []]
    system = body.get("system")
    for content in [system if isinstance(system, list) else [{"text": system or ""}]] + [m.get("content") for m in messages]:
        if isinstance(content, str):
            texts.append(content)
            continue
        if not content:
            raise validation("messages: text content blocks must be non-empty")
        for block in content:
            texts.append(block["text"] if "text" in block else json.dumps(block, sort_keys=True))
            if "cache_control" in block:
                cached = "".join(texts)
    last = messages[-1]["content"]
    last = [{"type": "text", "text": last}] if isinstance(last, str) else last
    choice = body.get("tool_choice") or {}
    forced = choice.get("name") if choice.get("type") == "tool" else "" if choice.get("type") == "any" else None
    return Prompt(_last_text(last, lambda block: block.get("text")), "".join(texts), tools, forced,
                  any(block.get("type") == "tool_result" for block in last), maximum, cached, len(messages) == 1)


def from_titan(body: dict) -> Prompt:
    text = body.get("inputText")
    if not isinstance(text, str):
        raise validation(f"{MALFORMED} #: required key [inputText] not found")
    return Prompt(text, text, max_tokens=(body.get("textGenerationConfig") or {}).get("maxTokenCount"))


def from_text(body: dict) -> Prompt:
    text = body.get("prompt")
    if not isinstance(text, str):
        raise validation(f"{MALFORMED} #: required key [prompt] not found")
    return Prompt(text, text, max_tokens=body.get("max_tokens", body.get("max_gen_len")))


def from_chat(body: dict) -> Prompt:
    messages = _list(body, "messages")
    if not messages:
        raise validation("messages: at least one message is required")
    texts = [text for message in messages for text in _openai_texts(message.get("content"))]
    tools = [Tool(tool["function"]["name"], tool["function"].get("parameters") or {})
             for tool in body.get("tools") or [] if tool.get("type") == "function"]
    choice = body.get("tool_choice")
    forced = choice["function"]["name"] if isinstance(choice, dict) else "" if choice == "required" else None
    return Prompt("\n".join(_openai_texts(messages[-1].get("content"))), "".join(texts), tools, forced,
                  messages[-1].get("role") == "tool", body.get("max_completion_tokens", body.get("max_tokens")))


def from_responses(body: dict) -> Prompt:
    given = body.get("input")
    if not given:
        raise validation("input: a value is required")
    if body.get("background"):
        raise validation("background: not supported")
    items = [{"role": "user", "content": given}] if isinstance(given, str) else given
    texts = [body.get("instructions") or ""] + [text for item in items for text in _openai_texts(item.get("content", item.get("output")))]
    tools = [Tool(tool["name"], tool.get("parameters") or {}) for tool in body.get("tools") or [] if tool.get("type") == "function"]
    choice = body.get("tool_choice")
    forced = choice.get("name") if isinstance(choice, dict) else "" if choice == "required" else None
    return Prompt("\n".join(_openai_texts(items[-1].get("content"))), "".join(texts), tools, forced,
                  items[-1].get("type") == "function_call_output", body.get("max_output_tokens"))


def _openai_texts(content: object) -> list[str]:
    if isinstance(content, str):
        return [content]
    return [part["text"] for part in content or [] if isinstance(part, dict) and isinstance(part.get("text"), str)]
