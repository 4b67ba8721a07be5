"""What systemd and the agent have to say to each other, with this test as systemd: notifications, the watchdog, inherited
sockets. The real one is in tests/service."""

import os
import pathlib
import queue
import shutil
import socket
import tempfile
import threading
import time

from harness import store
from harness.client import call, connect, converse_body, target
from harness.processes import BUILD, REGION, SIGNING, FakeBedrock, Process, configuration

SIDE_BY_SIDE = True


class ServiceManager:
    """A folder, a listening socket that outlives the agent, and a notification socket."""

    def __init__(self, host: str = "127.0.0.1"):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="invlog-e2e-"))
        self.bedrock = FakeBedrock(self.folder)
        self.listener = socket.create_server((host, 0), backlog=512)
        self.url = f"http://127.0.0.1:{self.listener.getsockname()[1]}"
        self.notifications = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.notifications.bind(str(self.folder / "notify"))
        self.heard: queue.Queue[str] = queue.Queue()
        threading.Thread(target=self._listen, daemon=True).start()  # who does not listen lets the agent wait
        self.store = self.folder / "state" / f"{REGION}.db"
        self.configure()

    def configure(self, **more) -> None:
        settings = {"region": REGION, "state_dir": str(self.folder / "state"), "listen": "127.0.0.1:1", "upstream": self.bedrock.url, **more}
        (self.folder / "invlog.toml").write_text(configuration({"agent": settings}))

    def start(self) -> Process:
        inherited = self.listener.fileno()
        return Process("agent", ["sh", "-c", f'exec 3<&{inherited}; LISTEN_PID=$$ exec "$@"', "sh", BUILD / "invlog", "agent", "--config",
                                 self.folder / "invlog.toml"], self.folder,
                       {"PATH": os.environ["PATH"], "HOME": str(self.folder), "AWS_EC2_METADATA_DISABLED": "true", **SIGNING, "LISTEN_FDS": "1",
                        "LISTEN_FDNAMES": "capture", "NOTIFY_SOCKET": str(self.folder / "notify"), "WATCHDOG_USEC": "4000000"},
                       r"ready: http://[\d.]+:(\d+)", descriptors=(inherited,))

    def _listen(self) -> None:
        while message := self.notifications.recv(4096).decode():
            self.heard.put(message)

    def hear(self, wanted: str) -> str:
        """The next message that has `wanted` in it."""
        while True:
            message = self.heard.get(timeout=10)
            if wanted in message:
                return message

    def __enter__(self) -> "ServiceManager":
        return self

    def __exit__(self, *_) -> None:
        self.bedrock.kill()
        self.listener.close()
        self.notifications.shutdown(socket.SHUT_RD)  # ends the thread
        shutil.rmtree(self.folder, ignore_errors=True)


def test_systemd_hears_that_the_agent_is_ready_alive_and_stopping():
    with ServiceManager() as manager:
        agent = manager.start()
        assert f"STATUS=Listening on {manager.url[7:]}" in manager.hear("READY=1")
        for _ in range(3):
            manager.hear("WATCHDOG=1")
        for number in range(10):
            assert call(manager.url, target("converse"), converse_body(f"call {number}")).status == 200
        assert "no record waits for the store" in manager.hear("calls/s")
        assert agent.stop() == 0
        manager.hear("STOPPING=1")
        assert store.rows(manager.store, "SELECT count(*) AS calls FROM invocations")[0]["calls"] == 10


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
            manager.configure(listen=listen, allow_remote=True)
            assert "replaces `listen`" not in (words := said()) and "allow_remote" not in words, words
    with ServiceManager("0.0.0.0") as manager:
        manager.configure(allow_remote=True)
        assert f"allow_remote: whoever reaches {manager.url[7:].replace('127.0.0.1', '0.0.0.0')} calls Bedrock" in said()
        manager.configure(allow_remote=True, allow_users=["root"])
        assert "allow_remote:" not in said()
