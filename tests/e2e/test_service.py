"""What systemd and the agent have to say to each other, with this test as systemd: notifications, the watchdog, inherited
sockets. The real one is in tests/service."""

import json
import re
import signal
import threading
import time

from harness import store
from harness.aws import eventually
from harness.client import call, connect, converse_body, converse_stream, target
from harness.service_manager import ServiceManager

SIDE_BY_SIDE = True


def test_systemd_hears_that_the_agent_is_ready_alive_and_stopping():
    with ServiceManager() as manager:
        agent = manager.start()
        assert f"STATUS=Listening on {manager.url[7:]}" in manager.hear("READY=1")
        for _ in range(3):
            manager.hear("WATCHDOG=1")
        for number in range(10):
            assert call(manager.url, target("converse"), converse_body(f"call {number}")).status == 200
        assert "no record waits for the store" in manager.hear("calls/s")
        agent.child.send_signal(signal.SIGHUP)
        reloading = manager.hear("RELOADING=1")
        assert re.search(r"^MONOTONIC_USEC=\d+$", reloading, re.MULTILINE), reloading
        manager.hear("READY=1")
        assert agent.stop() == 0
        manager.hear("STOPPING=1")
        assert store.rows(manager.store, "SELECT count(*) AS calls FROM invocations")[0]["calls"] == 10


def test_a_stop_waits_for_calls_as_long_as_configured():
    with ServiceManager(stop_timeout="700ms") as manager:
        agent = manager.start()
        answers = []
        client = threading.Thread(target=lambda: answers.append(converse_stream(manager.url, "long", {"x-fake": "gap_ms=4000"})), daemon=True)
        client.start()
        eventually(lambda: json.loads((manager.folder / "state/status.json").read_text())["calls"] == 1)
        began = time.monotonic()
        assert agent.stop() == 0
        assert 0.6 < time.monotonic() - began < 3.5
        assert "EXTEND_TIMEOUT_USEC=10700000" in manager.hear("STOPPING=1")
        client.join(5)
        assert answers[0].broken, answers
        (call_row,) = store.rows(manager.store)
        assert call_row["outcome"] not in ("complete", "client-closed"), call_row["outcome"]


def test_restarts_refuse_no_connection():
    with ServiceManager() as manager:
        agent = manager.start()
        assert f"127.0.0.1:{agent.port}" == manager.url[7:], "the inherited socket replaces `listen`"
        problems, answered, ended = [], [], threading.Event()

        def application(number: int) -> None:
            while not ended.is_set():
                try:
                    answer = call(manager.url, target("converse"), converse_body(f"from {number}"), connection=None)
                    (answered if answer.status == 200 and not answer.broken else problems).append((answer.status, answer.broken))
                except OSError as error:
                    problems.append(repr(error))
                    return

        applications = [threading.Thread(target=application, args=(number,)) for number in range(4)]
        for thread in applications:
            thread.start()
        for _ in range(4):
            time.sleep(0.3)
            assert agent.stop() == 0
            agent = manager.start()
        # A client that has connected and is slow to say what it wants.
        slow = connect(manager.url)
        slow.connect()
        time.sleep(0.05)
        agent.child.terminate()
        time.sleep(0.05)
        assert call(manager.url, target("converse"), converse_body("slow"), connection=slow).status == 200
        assert agent.stop() == 0
        agent = manager.start()
        ended.set()
        for thread in applications:
            thread.join(20)
        assert agent.stop() == 0
        assert not problems, problems
        assert len(answered) > 20
        assert store.rows(manager.store, "SELECT count(*) AS calls FROM invocations WHERE status = 200")[0]["calls"] == len(answered) + 1


def test_it_is_said_what_replaces_listen_and_what_other_hosts_reach():
    with ServiceManager() as manager:
        def said() -> str:
            before = (manager.folder / "agent.stderr").read_text() if (manager.folder / "agent.stderr").exists() else ""
            agent = manager.start()
            assert agent.stop() == 0
            return agent.errors()[len(before):]
        assert "replaces `listen`" in said()
        port = manager.listener.getsockname()[1]
        for listen in (f"127.0.0.1:{port}", f"localhost:{port}", ["unix:/run/invlog/none.sock", f"localhost:{port}"]):
            manager.write_configuration(listen=listen, allow_remote=True)
            assert "replaces `listen`" not in (words := said()) and "allow_remote" not in words, words
    with ServiceManager(host="0.0.0.0") as manager:
        manager.write_configuration(allow_remote=True)
        assert f"allow_remote: whoever reaches {manager.url[7:].replace('127.0.0.1', '0.0.0.0')} calls Bedrock" in said()
        manager.write_configuration(allow_remote=True, allow_users=["root"])
        assert "allow_remote:" not in said()
