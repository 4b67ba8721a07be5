"""Real SDKs through proxy mode, each with the environment that leads it there: the signature that the SDK made is the one that
the service verifies, for the agent has no credentials. The last tests show the transparent variant: no SDK knows of anything."""

import hashlib
import json
import os
import pathlib
import re
import tempfile

from harness import store
from harness.aws import eventually
from harness.namespace import Namespace
from harness.processes import ACCESS_KEY, BUILD, SECRET_KEY, SIGNING
from harness.proxy import HOST, ProxyStack
from harness.sdks import go, python
from sdk_test_views import SDK, node, run

TEXT = "Hello through the proxy"
UNUSED = 65534
CONVERSE, INVOKE = ["Converse", "ConverseStream"], ["InvokeModel", "InvokeModelWithResponseStream"]
# The address that stands for Bedrock's own where the packet filter decides.
BEDROCK = "192.0.2.10"
REDIRECTED = "198.51.100.7"


def trusting(stack: ProxyStack, variable: str) -> dict:
    """An SDK's credentials, and the one variable that makes it trust the agent's authority. Node.js adds to what it trusts, the
    others replace it."""
    return {**SIGNING, "AWS_REGION": "eu-central-1", variable: str(stack.ca if variable == "NODE_EXTRA_CA_CERTS" else stack.state / "ca-bundle.pem")}


def through_proxy(stack: ProxyStack, variable: str) -> dict:
    return {**trusting(stack, variable), "HTTPS_PROXY": f"http://127.0.0.1:{stack.port}"}


def check_records(stack: ProxyStack, operations: list[str]) -> list[dict]:
    """What the fake took, once its records are there: with the client's key, and nobody's but the client's."""
    rows = store.wait_for(stack.agent.store, len(operations))
    assert [(row["operation"], row["outcome"], row["status"]) for row in rows] == [(operation, "complete", 200) for operation in operations]
    for row in rows:
        details = json.loads(row["details"])
        assert (details["capture"], details["signature"]["accessKeyId"]) == ("proxy", ACCESS_KEY), details
    lines = stack.bedrock.journal(len(operations))
    assert {line["server_name"] for line in lines} == {HOST}
    return lines


def check(command: list, operations: list[str], stack: ProxyStack, environment: dict, version: str = "1.1") -> None:
    calls = json.loads(run(command, environment))
    assert [call["text"] for call in calls] == [f"You said: {TEXT}"] * len(operations), calls
    lines = check_records(stack, operations)
    for call, line in zip(calls, lines):
        assert hashlib.sha256(call["authorization"].encode()).hexdigest() == line["authorization_sha256"], (call, line["headers"])
        assert line["version"] == version, line["version"]


def test_boto3():
    with ProxyStack() as stack:
        check([python(), SDK / "proxy_cases.py", "boto3", TEXT], CONVERSE, stack, through_proxy(stack, "AWS_CA_BUNDLE"))


def anthropic() -> list:
    return [python(anthropic="anthropic[bedrock]"), SDK / "proxy_cases.py", "anthropic"]


def test_anthropic_sdk_for_python():
    with ProxyStack() as stack:
        check([*anthropic(), TEXT], INVOKE, stack, through_proxy(stack, "SSL_CERT_FILE"))


def test_aws_sdk_for_javascript_with_a_proxy_agent():
    with ProxyStack() as stack:
        check([*node("proxy_cases.mjs"), TEXT], CONVERSE, stack, through_proxy(stack, "NODE_EXTRA_CA_CERTS"))


def test_anthropic_sdk_for_javascript_with_a_proxy_agent():
    with ProxyStack() as stack:
        check([*node("anthropic_proxy_cases.mjs"), TEXT], INVOKE, stack, through_proxy(stack, "NODE_EXTRA_CA_CERTS"))


def test_aws_sdk_for_go():
    program = go(SDK / "go")
    for variable in ("SSL_CERT_FILE", "AWS_CA_BUNDLE"):
        with ProxyStack() as stack:
            check([program, TEXT], INVOKE[:1], stack, through_proxy(stack, variable), "2")


def curl(stack: ProxyStack, *options: str, wrapper: list | None = None, environment: dict, authority: pathlib.Path | None = None) -> str:
    """curl signs. The model's id has no colon: this curl signs the path as it is, AWS wants it encoded once more."""
    return run(["sh", "-c", 'exec "$@" 2>&1', "sh", *(wrapper or []), "curl", "-sSv", "--fail",
                "--aws-sigv4", "aws:amz:eu-central-1:bedrock", "--user", f"{ACCESS_KEY}:{SECRET_KEY}", *(["--cacert", authority] if authority else []), "-H", "Content-Type: application/json", *options, "-d",
                json.dumps({"inputText": TEXT}), f"https://{HOST}/model/amazon.titan-text-express-v1/invoke"], environment)


def check_curl(stack: ProxyStack, said: str, version: str) -> None:
    assert f"You said: {TEXT}" in said, said
    line, = check_records(stack, ["InvokeModel"])
    authorization = re.search(r"^> authorization: (.*?)\r?$", said, re.IGNORECASE | re.MULTILINE)[1]
    assert hashlib.sha256(authorization.encode()).hexdigest() == line["authorization_sha256"] and line["version"] == version


def test_curl():
    for option, version, variable in (("--http1.1", "1.1", "CURL_CA_BUNDLE"), ("--http2", "2", "SSL_CERT_FILE")):
        with ProxyStack() as stack:
            check_curl(stack, curl(stack, option, environment=through_proxy(stack, variable)), version)


def hosts_lead_to_the_agent(act) -> None:
    """The transparent variant by name: Bedrock's is 127.0.0.1, where the agent has port 443."""
    with tempfile.TemporaryDirectory() as folder:
        namespace = Namespace(pathlib.Path(folder), HOST)
        try:
            with ProxyStack(wrapper=namespace.wrapper, proxy={"listen": "127.0.0.1:443"}) as stack:
                act(stack, namespace.wrapper)
        finally:
            namespace.close()


def test_transparent_by_name():
    def act(stack: ProxyStack, wrapper: list) -> None:
        check([*wrapper, python(), SDK / "proxy_cases.py", "boto3", TEXT], CONVERSE, stack, trusting(stack, "AWS_CA_BUNDLE"))

    def act_with_curl(stack: ProxyStack, wrapper: list) -> None:
        check_curl(stack, curl(stack, "--http2", wrapper=wrapper, environment=trusting(stack, "SSL_CERT_FILE")), "2")
    hosts_lead_to_the_agent(act)
    hosts_lead_to_the_agent(act_with_curl)


def test_javascripts_bidirectional_stream_by_name():
    """Its HTTP/2 handler can use no proxy; it needs none."""
    def act(stack: ProxyStack, wrapper: list) -> None:
        answers = json.loads(run([*wrapper, *node("bidirectional_cases.mjs"), 20], trusting(stack, "NODE_EXTRA_CA_CERTS")))
        assert answers == [f"You said: turn {turn}" for turn in range(20)]
        line, = check_records(stack, ["InvokeModelWithBidirectionalStream"])
        assert line["ending"] == "complete" and len(line["frames_in"]) >= 20, "the fake verified each event's signature"
        identifier = store.rows(stack.agent.store)[0]["id"]
        texts = [event["event"]["textInput"]["content"] for event in json.loads(store.request(stack.agent.store, identifier))]
        assert texts == [f"turn {turn}" for turn in range(20)]
        said = [event["event"]["textOutput"]["content"] for event in json.loads(store.response(stack.agent.store, identifier))]
        assert said == answers
        store.prove(stack.agent.store)
    hosts_lead_to_the_agent(act)


def test_transparent_by_the_packet_filter():
    """nftables leads everybody's connections to Bedrock to the agent, its own user's excepted, so that it needs no connect_to."""
    with tempfile.TemporaryDirectory() as folder:
        namespace = Namespace(pathlib.Path(folder), HOST, address=BEDROCK)
        try:
            for address in (BEDROCK, REDIRECTED):
                namespace.run("ip", "address", "add", f"{address}/32", "dev", "lo")
            with ProxyStack(bedrock_options=("--host", BEDROCK, "--port", 443), wrapper=namespace.wrapper, names=None,
                            proxy={"listen": "127.0.0.1:4181", "connect_to": ""}) as stack:
                namespace.run("nft", "-f", "-", text=f"""table ip invlog {{
  chain output {{
    type nat hook output priority -100; policy accept;
    ip daddr {BEDROCK} tcp dport 443 meta skuid != 0 redirect to :4181
    ip daddr {REDIRECTED} tcp dport 80 redirect to :{stack.agent.port}
  }}
}}
""")
                as_user = [*namespace.wrapper, "setpriv", f"--reuid={UNUSED}", f"--regid={UNUSED}", "--clear-groups"]
                authority = pathlib.Path(folder) / "ca.pem"  # where that user may read it
                authority.write_bytes(stack.ca.read_bytes())
                os.chmod(folder, 0o755)
                check_curl(stack, curl(stack, "--http2", wrapper=as_user, environment={}, authority=authority), "2")
                assert [row["caller"] for row in store.rows(stack.agent.store)] == ["nobody"], "the kernel knows who was redirected"
                # A tunnel that the packet filter leads to the agent would make the call the agent's own user's.
                answer = run([*as_user, "curl", "-sS", "--proxytunnel", "-x", "http://127.0.0.1:4181", "-d", "{}", f"http://{REDIRECTED}/model/x/converse"], {})
                assert "made by the agent itself" in answer, answer
                assert [event["why"] for event in eventually(lambda: stack.events("proxy-refused"))] == ["own-connection"]
                assert len(store.rows(stack.agent.store)) == 1
        finally:
            namespace.close()


def test_exec_sets_what_each_needs():
    for command, operations, version in (
            ([python(), SDK / "proxy_cases.py", "boto3", TEXT], CONVERSE, "1.1"), ([*node("proxy_cases.mjs"), TEXT], CONVERSE, "1.1"),
            ([go(SDK / "go"), TEXT], INVOKE[:1], "2"), ([*anthropic(), TEXT], INVOKE, "1.1")):
        with ProxyStack() as stack:
            check([*through_exec(stack), *command], operations, stack, {**SIGNING, "AWS_REGION": ""}, version)
    with ProxyStack() as stack:
        check_curl(stack, curl(stack, "--http2", wrapper=through_exec(stack), environment={}), "2")


def through_exec(stack: ProxyStack) -> list:
    return [BUILD / "invlog", "exec", "--config", stack.agent.configuration, "--wait", "10s", "--"]
