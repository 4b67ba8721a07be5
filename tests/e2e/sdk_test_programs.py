"""The example programs as they are shipped, under `invlog exec`: SDKs as they come from PyPI and npm find the agent by their
environment alone."""

from harness import store
from harness.processes import BUILD, REPOSITORY, Stack
from harness.sdks import python
from sdk_test_views import ANOTHER_KEY, node, run

EXAMPLES = REPOSITORY / "systemd/examples"
NOVA, CLAUDE = "eu.amazon.nova-2-lite-v1:0", "eu.anthropic.claude-haiku-4-5-20251001-v1:0"
# A company's proxy that no call to the agent may meet. No Region: the agent's is taken.
ENVIRONMENT = {**ANOTHER_KEY, "AWS_REGION": "", "HTTP_PROXY": "http://127.0.0.1:9", "NO_PROXY": "example.com"}


def check(command: list, operation: str, model: str) -> None:
    with Stack() as stack:
        execute = [BUILD / "invlog", "exec", "--config", stack.agent.configuration, "--wait", "10s", "--"]
        assert run([*execute, *command, "Hello there"], ENVIRONMENT).strip() == "You said: Hello there"
        rows = store.wait_for(stack.agent.store, 1)
        assert [(row["operation"], row["model"], row["outcome"], row["source_region"]) for row in rows] == [
            (operation, model, "complete", "eu-central-1")]


def test_boto3():
    check([python(), EXAMPLES / "python/boto3_converse.py"], "ConverseStream", NOVA)


def test_aws_sdk_for_javascript():
    check(node(EXAMPLES / "javascript/converse.mjs"), "ConverseStream", NOVA)


def test_anthropic_sdk_for_python():
    check([python(anthropic="anthropic[bedrock]"), EXAMPLES / "python/anthropic_messages.py"], "InvokeModel", CLAUDE)


def test_anthropic_sdk_for_javascript():
    check(node(EXAMPLES / "javascript/anthropic_messages.mjs"), "InvokeModel", CLAUDE)
