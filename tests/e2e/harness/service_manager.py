"""A service manager for one agent: what systemd does for it, without systemd. The real one is in tests/service."""

import os
import pathlib
import queue
import shutil
import socket
import tempfile
import threading

from .processes import BUILD, REGION, SIGNING, FakeBedrock, Process, configuration


class ServiceManager:
    """A folder, a fake Bedrock, a listening socket that outlives the agent, and a notification socket. `tables`: further
    tables of the configuration; `settings`: further keys of [agent]."""

    def __init__(self, tables: dict | None = None, environment: dict | None = None, host: str = "127.0.0.1", **settings):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="invlog-e2e-"))
        self.keep_folder = False
        self.bedrock = FakeBedrock(self.folder)
        self.listener = socket.create_server((host, 0), backlog=512)
        self.url = f"http://127.0.0.1:{self.listener.getsockname()[1]}"
        self.notifications = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.notifications.bind(str(self.folder / "notify"))
        self.heard: queue.Queue[str] = queue.Queue()
        threading.Thread(target=self._listen, daemon=True).start()  # who does not listen lets the agent wait
        self.store = self.folder / "state" / f"{REGION}.db"
        self.environment = {"PATH": os.environ["PATH"], "HOME": str(self.folder), "AWS_EC2_METADATA_DISABLED": "true", **SIGNING, **(environment or {})}
        self.tables = tables or {}
        self.settings = {"region": REGION, "state_dir": str(self.folder / "state"), "listen": "127.0.0.1:1", "upstream": self.bedrock.url, **settings}
        self.configuration = self.folder / "invlog.toml"
        self.write_configuration()

    def write_configuration(self, **settings) -> None:
        """With these keys of [agent] changed, for the next start."""
        self.settings.update(settings)
        self.configuration.write_text(configuration({"agent": self.settings, **self.tables}))

    def start(self) -> Process:
        inherited = self.listener.fileno()
        # dash knows no descriptor above 9.
        return Process("agent", ["bash", "-c", f'exec 3<&{inherited}; LISTEN_PID=$$ exec "$@"', "bash", BUILD / "invlog", "agent", "--config",
                                 self.configuration], self.folder,
                       {**self.environment, "LISTEN_FDS": "1", "LISTEN_FDNAMES": "capture", "NOTIFY_SOCKET": str(self.folder / "notify"),
                        "WATCHDOG_USEC": "4000000"},
                       r"ready: http://[\d.]+:(\d+)", descriptors=(inherited,))

    def restart_bedrock(self) -> None:
        """After its kill(), on the same port."""
        self.bedrock = FakeBedrock(self.folder, "--port", self.bedrock.port)

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
        if not self.keep_folder:
            shutil.rmtree(self.folder, ignore_errors=True)
