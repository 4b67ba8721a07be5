"""Starts and ends the programs under test. Whatever a test leaves running is ended by stop_all()."""

import json
import os
import pathlib
import re
import select
import shutil
import signal
import subprocess
import tempfile
import time

REPOSITORY = pathlib.Path(__file__).resolve().parents[3]
BUILD = REPOSITORY / os.environ.get("INVLOG_BUILD", "build")
PYTHON = "/usr/bin/python3"  # Debian's: it has python3-h2 and SQLite extensions

ACCESS_KEY = "AKIAFAKE000000EXAMPLE"
SECRET_KEY = "fakeSecret/Key+0123456789abcdefEXAMPLE00"
BEARER_KEY = "ABSKfakeBearerKey0123456789EXAMPLE"
SIGNING = {"AWS_ACCESS_KEY_ID": ACCESS_KEY, "AWS_SECRET_ACCESS_KEY": SECRET_KEY}
REGION = "eu-central-1"

_running: list["Process"] = []


def stop_all() -> None:
    for process in list(_running):
        process.kill()


class Process:
    """A child with its output in files. `ready`: a pattern in its standard output's first lines; group 1 is its port.
    `descriptors`: what it inherits."""

    def __init__(self, name: str, command: list, folder: pathlib.Path, environment: dict, ready: str, seconds: float = 20,
                 descriptors: tuple = ()):
        folder.mkdir(parents=True, exist_ok=True)
        self.name = name
        self.stdout_path, self.stderr_path = folder / f"{name}.stdout", folder / f"{name}.stderr"
        with open(self.stderr_path, "ab") as stderr:
            self.child = subprocess.Popen([str(part) for part in command], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=stderr,
                                          env=environment, cwd=REPOSITORY, start_new_session=True, pass_fds=descriptors)
        _running.append(self)
        self.output = b""
        self.port = self._wait_until_ready(re.compile(ready.encode()), seconds)

    def _wait_until_ready(self, pattern: re.Pattern, seconds: float) -> int:
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if select.select([self.child.stdout], [], [], 0.05)[0]:
                data = os.read(self.child.stdout.fileno(), 65536)
                self.output += data
                found = pattern.search(self.output)
                if found:
                    return int(found[1])
                if not data:
                    break
        self.kill()
        raise AssertionError(f"{self.name} did not get ready (code {self.child.returncode}); it said:\n"
                             + self.output.decode(errors="replace") + self.errors())

    def errors(self) -> str:
        """What it wrote on standard error. A thread of its own writes an agent's log: a line may come a moment after what it tells of."""
        if self.child.poll() is None:
            time.sleep(0.2)
        return self.stderr_path.read_text(errors="replace")

    def resident_kilobytes(self) -> int:
        status = pathlib.Path(f"/proc/{self.child.pid}/status").read_text()
        return int(re.search(r"VmRSS:\s+(\d+)", status)[1])

    def stop(self, seconds: float = 15) -> int:
        """SIGTERM, and the exit code. A program that does not end by it has failed."""
        if self.child.poll() is None:
            self.child.send_signal(signal.SIGTERM)
        try:
            self.child.wait(seconds)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(f"{self.name} did not end within {seconds} s of SIGTERM") from None
        self._forget()
        return self.child.returncode

    def kill(self) -> None:
        if self.child.poll() is None:
            self.child.kill()
            self.child.wait()
        self._forget()

    def _forget(self) -> None:
        self.output += self.child.stdout.read() if not self.child.stdout.closed else b""
        self.child.stdout.close()
        if self in _running:
            _running.remove(self)


class FakeBedrock(Process):
    """`wrapper`: a command that runs it."""

    def __init__(self, folder: pathlib.Path, *options: object, wrapper: list | None = None):
        self.journal_path = folder / "bedrock.journal"
        super().__init__("bedrock", [*(wrapper or []), PYTHON, REPOSITORY / "tests/fakes/bedrock", "--journal", self.journal_path, *options], folder,
                         {"PATH": os.environ["PATH"]}, r"listening on \S+:(\d+)")
        self.url = f"http://127.0.0.1:{self.port}"

    def journal(self, count: int | None = None, seconds: float = 5) -> list[dict]:
        """What came, in the order in which it was answered; a line is written when the answer is out. With `count`: as soon as there
        are so many; fails if there are fewer in time, or more."""
        deadline = time.monotonic() + seconds
        while True:
            lines = self.journal_path.read_text().splitlines() if self.journal_path.exists() else []
            if count is None or len(lines) >= count or time.monotonic() > deadline:
                break
            time.sleep(0.01)
        assert count in (None, len(lines)), f"the fake was called {len(lines)} times, not {count}"
        return [json.loads(line) for line in lines]


class Agent(Process):
    """`invlog agent` with a configuration file of `settings` ([agent] keys) and further `tables` ("exporters.s3": keys), on
    a port that the kernel picks. `host`: the name that its host seems to have. `wrapper`: a command that runs it;
    `preload`: more of its environment."""

    def __init__(self, folder: pathlib.Path, upstream: str, credentials: dict | None = None, flags: list | None = None,
                 tables: dict | None = None, host: str = "", wrapper: list | None = None, preload: dict | None = None, **settings):
        self.folder, self.state = folder, folder / "state"
        self.settings = {"region": REGION, "state_dir": str(self.state), "listen": "127.0.0.1:0", **settings}
        if upstream:  # "": the Region's own endpoint
            self.settings["upstream"] = upstream
        self.state.mkdir(parents=True, exist_ok=True)
        self.configuration = folder / "invlog.toml"
        self.configuration.write_text(configuration({"agent": self.settings, **(tables or {})}))
        # A `credentials` with a HOME of its own is a whole environment. Only an instance's metadata service of ours is asked.
        credentials = SIGNING if credentials is None else credentials
        no_instance = {} if "AWS_EC2_METADATA_SERVICE_ENDPOINT" in credentials else {"AWS_EC2_METADATA_DISABLED": "true"}
        self.environment = environment = {"PATH": os.environ["PATH"], "HOME": str(folder), **no_instance, **credentials, **(preload or {})}
        super().__init__("agent", [*on_host(host), *(wrapper or []), BUILD / "invlog", "agent", "--config", self.configuration, *(flags or [])], folder, environment,
                         r"127\.0\.0\.1:(\d+)")
        self.url = f"http://127.0.0.1:{self.port}"
        self.store = self.state / f"{self.settings['region']}.db"


def on_host(name: str) -> list:
    """What to put before a command so that it runs on a host of this name: a UTS namespace of its own."""
    own = ["--user", "--map-root-user"] if os.geteuid() else []
    return ["unshare", "--uts", *own, "sh", "-c", 'hostname "$0" && exec "$@"', name] if name else []


def on_own_hosts(*names: str, addresses: tuple = ("127.0.0.1",)) -> list:
    """What to put before a command so that these names lead it to `addresses`: a mount namespace with a hosts file of its own."""
    own = ["--user", "--map-root-user"] if os.geteuid() else []
    lines = "127.0.0.1 localhost\n" + "".join(f"{address} {name}\n" for name in names for address in addresses)
    return ["unshare", "--mount", *own, "sh", "-c", 'mount -t tmpfs none /mnt && printf %s "$0" >/mnt/hosts && mount --bind /mnt/hosts /etc/hosts && exec "$@"',
            lines]


def configuration(tables: dict) -> str:
    """TOML."""
    return "\n".join(f"[{name}]\n" + "".join(f"{key} = {_toml(value)}\n" for key, value in keys.items()) for name, keys in tables.items())


def _toml(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{_toml(key)} = {_toml(inner)}" for key, inner in value.items()) + " }"
    if isinstance(value, list):
        return "[" + ", ".join(map(_toml, value)) + "]"
    return str(value) if isinstance(value, int) else '"' + str(value).replace("\\", "\\\\").replace('"', '\\"') + '"'


class Stack:
    """A fake Bedrock and an agent before it, in a folder of their own that goes with them."""

    def __init__(self, bedrock_options: tuple = (), **agent_options):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="invlog-e2e-"))
        self.agent_options = agent_options
        self.bedrock = FakeBedrock(self.folder, *bedrock_options)
        self.agent = Agent(self.folder, self.bedrock.url, **agent_options)

    def start_agent(self) -> None:
        """After stop() or kill()."""
        self.agent = Agent(self.folder, self.bedrock.url, **self.agent_options)

    def restart_agent(self, **changes) -> None:
        """With these options changed; None: that one is gone."""
        self.agent.stop()
        self.agent_options.update(changes)
        self.agent_options = {name: value for name, value in self.agent_options.items() if value is not None}
        self.start_agent()

    def __enter__(self) -> "Stack":
        return self

    def __exit__(self, kind, error, trace) -> None:
        said = self.agent.errors()
        try:
            if kind is None:
                code = self.agent.stop()
                assert code == 0, f"the agent ended with code {code}: {self.agent.errors()}"
            else:
                self.agent.kill()
                error.add_note("the agent's log ends with:\n" + said[-2000:])
        finally:
            self.agent.kill()
            self.bedrock.kill()
            shutil.rmtree(self.folder, ignore_errors=True)
