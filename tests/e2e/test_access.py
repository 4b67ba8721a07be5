"""Who may call: users and groups, as the kernel names them, on loopback and on the Unix socket. Needs root, to call as others."""

import json
import os
import resource
import socket
import subprocess
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

from harness import store
from harness.aws import eventually
from harness.client import MODEL, call, converse, converse_body, target
from harness.processes import BUILD, Stack
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
            listeners = [f"127.0.0.1:{stack.agent.port}", f"unix:{socket}"]
            assert f"invlog ready: http://{', '.join(listeners)} -> " in stack.agent.output.decode()
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
            assert status["listen"] == listeners[0] and status["listeners"] == listeners, status
            assert stack.agent.stop() == 0
            calls: dict[str, int] = {}
            for row in store.rows(stack.agent.store, told):
                calls[row["caller"]] = calls.get(row["caller"], 0) + row["calls"]
            assert calls == {"root": 5, "4711": 2}, calls
            assert status["access_denied"] <= 7
            assert len(stack.bedrock.journal_path.read_text().splitlines()) == 3
            stack.start_agent()


def instead_of(path: str, file: Path) -> list:
    """What to put before a command so that `file` is at `path` for it."""
    return ["unshare", "--mount", "sh", "-c", 'mount --bind "$0" "$1" && shift && exec "$@"', file, path]


def test_a_group_may_have_any_number_of_members():
    need_root("for an /etc/group of its own")
    with tempfile.TemporaryDirectory() as folder:
        groups = Path(folder) / "group"
        members = ",".join(f"member-{number}" for number in range(20_000))
        groups.write_text(Path("/etc/group").read_text() + f"huge:x:4343:{members},nobody\n")
        with Stack(allow_groups=["huge"], wrapper=instead_of("/etc/group", groups)) as stack:
            assert call_as(stack, NOBODY) == 200
            assert call_as(stack, 4711) == 403


def test_a_user_who_had_no_name_is_asked_for_again():
    need_root("to call as other users")
    with tempfile.TemporaryDirectory() as folder:
        users = Path(folder) / "passwd"
        known = Path("/etc/passwd").read_text()
        users.write_text(known)
        with Stack(tables={"policy": {"rules": ["deny caller:ci-*"]}}, wrapper=instead_of("/etc/passwd", users)) as stack:
            assert call_as(stack, 4711) == 200
            users.write_text(known + "ci-7:x:4711:4711::/:/bin/sh\n")
            eventually(lambda: call_as(stack, 4711) == 403)
            assert stack.agent.stop() == 0
            rows = store.rows(stack.agent.store, "SELECT caller, decision FROM invocations ORDER BY id")
            assert (rows[0]["caller"], rows[0]["decision"]) == ("4711", "allow"), rows
            # As whom it was judged, a record names the caller.
            assert all((row["caller"], row["decision"]) in (("4711", "allow"), ("ci-7", "deny")) for row in rows), rows
            assert rows[-1]["decision"] == "deny", rows


def test_a_web_page_may_not_call():
    with Stack() as stack:
        body = {"messages": [{"role": "user", "content": [{"text": "hi"}]}]}
        for headers in ({"Origin": "https://page.example"}, {"Host": "rebound.example:4180"}):
            answer = call(stack.agent.url, target("converse", MODEL), body, headers)
            assert answer.status == 403 and "invlog: the request" in answer.json()["message"], answer
        assert call(stack.agent.url, target("converse", MODEL), body, {"Host": "bedrock-runtime.eu-central-1.amazonaws.com"}).status == 200


IDLE, HALF_HEADS = 3000, 300


def descriptors(stack: Stack) -> int:
    return len(os.listdir(f"/proc/{stack.agent.child.pid}/fd"))


def slowest_call(stack: Stack, count: int) -> float:
    """The seconds that the slowest of so many calls took, each on a connection of its own."""
    slowest = 0.0
    for _ in range(count):
        began = time.monotonic()
        assert converse(stack.agent.url, "hello").status == 200
        slowest = max(slowest, time.monotonic() - began)
    return slowest


def test_thousands_of_idle_connections_harm_nobody():
    """Against the default max_connections: silent ones, ones that wait between two requests, and heads that stop half-way."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    assert before[1] == resource.RLIM_INFINITY or before[1] >= 2 * (IDLE + HALF_HEADS), f"the hard limit of descriptors is {before[1]}"
    with Stack() as stack, ExitStack() as open_ones:
        open_ones.callback(resource.setrlimit, resource.RLIMIT_NOFILE, before)
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(before[0], 2 * (IDLE + HALF_HEADS)), before[1]))
        slowest_call(stack, 20)
        memory, files = stack.agent.resident_kilobytes(), descriptors(stack)

        def connect(sent: bytes) -> None:
            client = open_ones.enter_context(socket.create_connection(("127.0.0.1", stack.agent.port), timeout=10))
            if sent:
                client.sendall(sent)

        slowest = 0.0
        for number in range(IDLE):
            connect(b"" if number % 10 else b"GET /no/such/path HTTP/1.1\r\nHost: localhost\r\n\r\n")
            if number % 100 == 0:
                slowest = max(slowest, slowest_call(stack, 1))
        for _ in range(HALF_HEADS):
            connect(b"POST " + target("converse").encode() + b" HTTP/1.1\r\nHost: localhost\r\nX-Half: ")
        slowest = max(slowest, slowest_call(stack, 20))
        assert slowest < 2, f"a call took {slowest:.2f} s"
        grown = stack.agent.resident_kilobytes() - memory
        assert grown < 48 << 10, f"the agent grew by {grown} KiB"
        held = descriptors(stack)
        assert 900 < held - files <= 1024 + 50, f"{files} descriptors became {held}"
        open_ones.close()

        def given_back() -> bool:
            # The pool of connections to the service keeps some.
            assert descriptors(stack) <= files + 32, f"{files} descriptors, now {descriptors(stack)}"
            return True
        eventually(given_back)
        assert slowest_call(stack, 5) < 2


def test_who_may_only_read_sees_what_an_agent_writes_that_starts_later():
    """A user of the agent's group, who may not write the state directory: SQLite reads a store there as one that nobody writes."""
    need_root("to read as another user")
    with Stack() as stack:
        folder = stack.agent.state
        os.chmod(stack.folder, 0o755)
        os.chmod(folder, 0o750)
        stack.restart_agent()  # so that the store's files are the group's too
        assert converse(stack.agent.url, "before").status == 200
        path = stack.agent.store
        store.wait_for(path, 1)
        stack.agent.stop()
        printed = stack.folder / "tail.jsonl"
        with open(printed, "wb") as out:
            tail = subprocess.Popen(["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--groups=0", BUILD / "invlog", "tail", "-f", "--json",
                                     "--store", path], stdout=out, stderr=subprocess.STDOUT, cwd="/")
        try:
            eventually(lambda: printed.read_bytes().count(b"\n") == 1)
            stack.start_agent()
            for text in ("one", "two"):
                assert converse(stack.agent.url, text).status == 200
            eventually(lambda: printed.read_bytes().count(b"\n") == 3)
            stack.agent.stop()
            stack.start_agent()
            assert converse(stack.agent.url, "three").status == 200
            eventually(lambda: printed.read_bytes().count(b"\n") == 4)
            assert [json.loads(line)["id"] for line in printed.read_text().splitlines()] == [1, 2, 3, 4]
        finally:
            tail.kill()
            tail.wait()
