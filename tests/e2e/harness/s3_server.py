"""Servers that are not ours: versitygw (an S3 server over a folder, which checks SigV4 itself) and moto.

versitygw is built as a Go module, once: about a minute and a half on two cores. The program is kept in the user's
cache folder, outside the repository. Debian 12's Go is too old for it and cannot fetch a newer one by itself, but a Go
toolchain is a Go module as well.
"""

import os
import pathlib
import platform
import re
import shutil
import subprocess
import tempfile

from .aws import eventually
from .processes import ACCESS_KEY, REGION, SECRET_KEY, Process
from .sdks import python

VERSITYGW = "v1.8.0"
LEAST_GO, TOOLCHAIN = (1, 25), "1.26.8"


def _go(command: list, **environment: str) -> str:
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, timeout=390, cwd="/",  # outside any module
                          env={**os.environ, **environment})
    assert done.returncode == 0, f"{' '.join(map(str, command))} failed:\n{done.stdout[-1500:]}{done.stderr[-1500:]}"
    return done.stdout


def _go_command(folder: pathlib.Path) -> tuple[list, dict]:
    """A Go that is new enough, and the environment that it wants."""
    go = shutil.which("go")
    assert go, "there is no go: tests/install-dependencies check installs it"
    environment = {"GOTOOLCHAIN": "local", "GOFLAGS": "-buildvcs=false"}
    version = re.search(r"go(\d+)\.(\d+)", _go([go, "version"], **environment))
    if (int(version[1]), int(version[2])) >= LEAST_GO:
        return [go], environment
    machine = {"x86_64": "amd64", "aarch64": "arm64"}[platform.machine()]
    listing = _go([go, "mod", "download", "-json", f"golang.org/toolchain@v0.0.1-go{TOOLCHAIN}.linux-{machine}"], **environment)
    root = folder / f"go-{TOOLCHAIN}"
    if not (root / "bin/go").exists():
        shutil.copytree(re.search(r'"Dir": "([^"]+)"', listing)[1], root, dirs_exist_ok=True)
        for program in [*(root / "bin").iterdir(), *(root / "pkg/tool").rglob("*")]:  # a module's files are not executable
            program.chmod(0o755)
    return [root / "bin/go"], {**environment, "GOROOT": str(root)}


def versitygw_program() -> pathlib.Path:
    folder = pathlib.Path(os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache") / "invlog"
    program = folder / f"versitygw-{VERSITYGW}"
    if not program.exists():
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder) as target:
            go, environment = _go_command(folder)
            _go([*go, "install", "-trimpath", "-ldflags=-s -w", f"github.com/versity/versitygw/cmd/versitygw@{VERSITYGW}"],
                GOBIN=target, **environment)
            os.replace(pathlib.Path(target) / "versitygw", program)
    return program


def listening_port(process: int) -> int:
    """The TCP port on which this process listens."""
    sockets = set()
    for descriptor in pathlib.Path(f"/proc/{process}/fd").iterdir():
        try:
            sockets.add(os.readlink(descriptor))
        except FileNotFoundError:
            pass
    for line in pathlib.Path(f"/proc/{process}/net/tcp").read_text().splitlines()[1:]:
        fields = line.split()
        if fields[3] == "0A" and f"socket:[{fields[9]}]" in sockets:
            return int(fields[1].partition(":")[2], 16)
    raise AssertionError(f"process {process} does not listen")


class Versitygw(Process):
    def __init__(self, folder: pathlib.Path):
        self.root, sidecar = folder / "versitygw", folder / "metadata-of-objects"
        for needed in (self.root, sidecar):
            needed.mkdir(parents=True)
        super().__init__("versitygw", [versitygw_program(), "--port", "127.0.0.1:0", "--region", REGION, "posix", "--sidecar", sidecar, self.root],
                         folder, {"PATH": os.environ["PATH"], "ROOT_ACCESS_KEY": ACCESS_KEY, "ROOT_SECRET_KEY": SECRET_KEY}, r"http://127\.0\.0\.1:(\d+)")
        self.port = eventually(lambda: listening_port(self.child.pid))  # it says so before it does
        self.url = f"http://127.0.0.1:{self.port}"


class Moto(Process):
    """CloudWatch Logs, S3, STS and IAM. It checks no signatures."""

    def __init__(self, folder: pathlib.Path):
        program = pathlib.Path(python(moto="moto[server]")).parent / "moto_server"
        # It says where it listens on its standard error.
        super().__init__("moto", ["/bin/sh", "-c", 'exec "$0" "$@" 2>&1', program, "-H", "127.0.0.1", "-p", "0"], folder,
                         {"PATH": os.environ["PATH"], "HOME": str(folder), "AWS_ACCESS_KEY_ID": ACCESS_KEY, "AWS_SECRET_ACCESS_KEY": SECRET_KEY},
                         r"Running on http://127\.0\.0\.1:(\d+)", seconds=60)
        self.url = f"http://127.0.0.1:{self.port}"
