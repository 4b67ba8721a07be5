"""Real SDKs, as they come from PyPI and npm: what an application sees through the agent is what it sees without it.

Each case file in sdk/ runs twice, directly against the fake Bedrock and through the agent, with retries off. The SDKs
are installed once, under build/.
"""

import json
import os
import pathlib
import shutil
import subprocess

from harness import store
from harness.processes import BEARER_KEY, REPOSITORY, SIGNING, Stack
from harness.sdks import install, python

SDK = REPOSITORY / "tests/e2e/sdk"
NODE = REPOSITORY / "build/node"
ANOTHER_KEY = {"AWS_ACCESS_KEY_ID": "AKIACLIENT0000EXAMPLE", "AWS_SECRET_ACCESS_KEY": "aClientsOwnSecretWhichTheServiceDoesNotKnow"}


def run(command: list, environment: dict | None = None, seconds: int = 200) -> str:
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, timeout=seconds,
                          env={"PATH": os.environ["PATH"], "HOME": "/nonexistent", "AWS_EC2_METADATA_DISABLED": "true",
                               "AWS_REGION": "eu-south-1", **(environment or {})})
    assert done.returncode == 0, f"{command[0]} ended with {done.returncode}:\n{done.stderr[-3000:]}{done.stdout[-500:]}"
    return done.stdout


def node(case_file: str | pathlib.Path) -> list:
    """The command that runs a file of sdk/, or one of elsewhere. Modules are found beside the file, so it is copied to where
    they are."""
    NODE.mkdir(parents=True, exist_ok=True)
    shutil.copy(SDK / "package.json", NODE / "package.json")
    wanted = json.loads((SDK / "package.json").read_text())["dependencies"]
    if not all((NODE / "node_modules" / name).exists() for name in wanted):
        install(["npm", "install", "--prefix", NODE, "--no-audit", "--no-fund", "--no-package-lock", "--loglevel=error"])
    return ["node", shutil.copy(SDK / case_file, NODE / pathlib.Path(case_file).name)]


def compare(command: list, stack: Stack, least: int, credentials: dict | None = None) -> dict:
    """The views through the agent, after a check that they are those without it."""
    direct = json.loads(run([*command, stack.bedrock.url], credentials or SIGNING))
    through = json.loads(run([*command, stack.agent.url], credentials or ANOTHER_KEY))
    assert len(direct) >= least and direct.keys() == through.keys()
    different = [name for name in direct if direct[name] != through[name]]
    details = "".join(f"\n{name}:\n  direct  {json.dumps(direct[name])[:1500]}\n  through {json.dumps(through[name])[:1500]}" for name in different)
    assert not different, f"{len(different)} of {len(direct)} views differ:{details}"
    return through


def journal_versions(stack: Stack) -> set[str]:
    return {json.loads(line)["version"] for line in stack.bedrock.journal_path.read_text().splitlines()}


def test_boto3_sees_the_same():
    command = [python(), SDK / "boto3_cases.py"]
    with Stack(region="eu-south-1") as stack:
        views = compare(command, stack, 50)
        assert views["converse eu"]["output"]["message"]["content"] == [{"text": "You said: Hello from Milan"}]
        assert "ThrottlingException" in views["error throttling"]["raised"]["class"]
        assert views["exception frame throttlingException"]["error"]["class"][0] == "EventStreamError"
        assert views["fault crc=3"]["error"]["class"][0] == "ChecksumMismatch" and views["fault cut=3:20"]["error"]
        rows = store.wait_for(stack.agent.store, len(views) - 1)  # count_tokens passes without a record
        assert [(row["operation"], row["model"], row["status"], row["outcome"]) for row in rows[:2]] == [
            ("Converse", "eu.amazon.nova-2-lite-v1:0", 200, "complete"), ("Converse", "global.amazon.nova-2-lite-v1:0", 200, "complete")]
        assert {row["source_region"] for row in rows} == {"eu-south-1"}
        assert all(row["sdk_invocation_id"] for row in rows)
        store.prove(stack.agent.store)


def test_boto3_with_a_bearer_key_sees_the_same():
    command = [python(), SDK / "boto3_cases.py"]
    with Stack(region="eu-south-1", credentials={}) as stack:
        compare(command, stack, 50, {"AWS_BEARER_TOKEN_BEDROCK": BEARER_KEY})


def test_aws_sdk_for_javascript_sees_the_same_over_http2():
    command = node("aws_cases.mjs")
    with Stack(region="eu-south-1") as stack:
        assert len(json.loads(run([*command, stack.bedrock.url], SIGNING))) > 30
        assert journal_versions(stack) == {"2"}, "the SDK's default handler no longer opens HTTP/2: this test shows less than it says"
        views = compare(command, stack, 30)
        assert views["converse eu"]["output"]["message"]["content"] == [{"text": "You said: Hello from Milan"}]
        assert views["error throttling"]["raised"]["kind"] == "ThrottlingException"
        assert views["exception frame throttlingException"]["error"]["name"] == "ThrottlingException"
        rows = store.wait_for(stack.agent.store, len(views) - 1 - 1 + 20)  # no record of count tokens; one case makes 20 calls
        assert {row["outcome"] for row in rows} == {"complete", "upstream-closed"}
        store.prove(stack.agent.store)


def test_anthropic_sdk_sees_the_same():
    command = node("anthropic_cases.mjs")
    with Stack(region="eu-south-1") as stack:
        views = compare(command, stack, 20)
        assert views["message"]["content"] == [{"type": "text", "text": "You said: Hello"}]
        assert views["error throttling"]["raised"]["kind"] == "RateLimitError"
        rows = store.wait_for(stack.agent.store, len(views))
        assert {row["operation"] for row in rows} == {"InvokeModel", "InvokeModelWithResponseStream"}
        store.prove(stack.agent.store)
