"""Which model identifiers exist here, and which vendor's body format each speaks."""

import re

from .errors import ServiceError, validation

GEOGRAPHIES = ("eu", "us", "apac", "jp", "au", "ca", "us-gov", "global")
# Reached through an inference profile only.
PROFILE_ONLY = {
    "amazon.nova-2-lite-v1:0",
    "anthropic.claude-haiku-4-5-20251001-v1:0",
    "anthropic.claude-sonnet-4-5-20250929-v1:0",
    "anthropic.claude-sonnet-4-20250514-v1:0",
    "anthropic.claude-opus-4-5-20251101-v1:0",
}
ON_DEMAND = {
    "amazon.nova-micro-v1:0", "amazon.nova-lite-v1:0", "amazon.nova-pro-v1:0",
    "amazon.nova-sonic-v1:0", "amazon.titan-text-lite-v1", "amazon.titan-text-express-v1", "amazon.titan-embed-text-v2:0",
    "anthropic.claude-v2", "anthropic.claude-v2:1", "anthropic.claude-3-haiku-20240307-v1:0",
    "anthropic.claude-3-sonnet-20240229-v1:0", "anthropic.claude-3-5-sonnet-20240620-v1:0",
    "anthropic.claude-3-5-haiku-20241022-v1:0", "anthropic.claude-3-7-sonnet-20250219-v1:0",
    "meta.llama3-1-70b-instruct-v1:0", "mistral.mistral-7b-instruct-v0:2",
    "openai.gpt-oss-20b-1:0", "openai.gpt-oss-120b-1:0",
}
APPLICATION_PROFILE = re.compile(r"arn:aws:bedrock:[a-z0-9-]+:\d{12}:application-inference-profile/[a-z0-9]{12}")
ARN = re.compile(r"arn:aws:bedrock:[a-z0-9-]*:(?:\d{12})?:(inference-profile|foundation-model)/(.+)")


def base_model(identifier: str) -> str:
    """The foundation model behind an id or ARN, or a ServiceError as the service words it."""
    if APPLICATION_PROFILE.fullmatch(identifier):
        return "anthropic.claude-haiku-4-5-20251001-v1:0"
    arn = ARN.fullmatch(identifier)
    name = arn[2] if arn else identifier
    geography, _, rest = name.partition(".")
    if geography in GEOGRAPHIES and (not arn or arn[1] == "inference-profile"):
        if rest in PROFILE_ONLY | ON_DEMAND:
            return rest
    elif name in ON_DEMAND:
        return name
    elif name in PROFILE_ONLY:
        raise validation(f"Invocation of model ID {name} with on-demand throughput isn\u2019t supported. Retry your request with the "
                         "ID or ARN of an inference profile that contains this model.")
    raise validation("The provided model identifier is invalid.")


def family(model: str) -> str:
    """anthropic, nova, titan, embedding, openai or text (meta, mistral: a plain `prompt`)."""
    if model.startswith("anthropic."):
        return "anthropic"
    if model.startswith("amazon.nova"):
        return "nova"
    if model.startswith("amazon.titan-embed"):
        return "embedding"
    if model.startswith("amazon.titan"):
        return "titan"
    return "openai" if model.startswith("openai.") else "text"


def openai_model(identifier: object) -> str:
    if not isinstance(identifier, str):
        raise validation("model: a model identifier is required")
    try:
        return base_model(identifier)
    except ServiceError:
        raise ServiceError(404, "ResourceNotFoundException", f"The model '{identifier}' does not exist") from None
