"""Who may call: users and groups, as the kernel names them, on loopback and on the Unix socket. Needs root, to call as others."""

import json
import os
import subprocess
import tempfile
from pathlib import Path

from harness import store
from harness.aws import eventually
from harness.client import MODEL, call, converse, converse_body, target
from harness.processes import Stack
from harness.skip import need_root

NOBODY = 65534


def call_as(stack: Stack, uid: int, groups: str = "", socket: Path | None = None) -> int:
    """The status that curl gets, run by this user."""
    done = subprocess.run(["setpriv", f"--reuid={uid}", f"--regid={NOBODY}", f"--groups={groups}" if groups else "--clear-groups",
                           "curl", "-sS", "-o", "/dev/null", "-w", "%{http_code}", "-H", "Content-Type: application/json",
                           "-d", json.dumps(converse_body("hello")), *(["--unix-socket", socket] if socket else []),
                           ("http://localhost" if socket else stack.agent.url) + target("converse")],
                          capture_output=True, text=True, timeout=20, cwd="/")
    assert done.returncode == 0, done
    return int(done.stdout)


def test_users_are_told_apart_on_loopback_and_on_the_socket():
    need_root("to call as other users")
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)
        socket = Path(folder) / "invlog.sock"
        with Stack(listen=["127.0.0.1:0", f"unix:{socket}"], allow_users=["nobody"], allow_groups=["4242"]) as stack:
            assert call_as(stack, NOBODY) == 200
            assert call_as(stack, NOBODY, socket=socket) == 200
            for _ in range(5):
                refused = converse(stack.agent.url, "as root")
                assert refused.status == 403 and refused.header("x-amzn-ErrorType") == "AccessDeniedException"
                assert "root" in refused.json()["message"]
            assert call_as(stack, 4711) == 403
            assert call_as(stack, 4711, socket=socket) == 403
            assert call_as(stack, 4711, groups="4242", socket=socket) == 200
            assert {row["caller"] for row in store.wait_for(stack.agent.store, 3)} == {"nobody", "4711"}
            told = "SELECT details ->> '$.caller' AS caller, details ->> '$.calls' AS calls FROM event WHERE kind = 'call-refused'"
            eventually(lambda: len(store.rows(stack.agent.store, told)) == 2)
            status = json.loads((stack.agent.state / "status.json").read_text())
            assert stack.agent.stop() == 0
            calls: dict[str, int] = {}
            for row in store.rows(stack.agent.store, told):
                calls[row["caller"]] = calls.get(row["caller"], 0) + row["calls"]
            assert calls == {"root": 5, "4711": 2}, calls
            assert status["access_denied"] <= 7
            assert len(stack.bedrock.journal_path.read_text().splitlines()) == 3
            stack.start_agent()


def test_a_web_page_may_not_call():
    with Stack() as stack:
        body = {"messages": [{"role": "user", "content": [{"text": "hi"}]}]}
        for headers in ({"Origin": "https://page.example"}, {"Host": "rebound.example:4180"}):
            answer = call(stack.agent.url, target("converse", MODEL), body, headers)
            assert answer.status == 403 and "invlog: the request" in answer.json()["message"], answer
        assert call(stack.agent.url, target("converse", MODEL), body, {"Host": "bedrock-runtime.eu-central-1.amazonaws.com"}).status == 200
