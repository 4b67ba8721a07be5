"""A Debian with systemd as its first process, in a container without a network, that goes away at the end."""

import hashlib
import pathlib
import shutil
import subprocess
import tempfile
import time

REPOSITORY = pathlib.Path(__file__).resolve().parents[2]
STATE_MEGABYTES = 256


def run(*command: object, **options) -> str:
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, timeout=options.pop("timeout", 120), **options)
    if done.returncode:
        raise AssertionError(f"{' '.join(map(str, command))} ended with {done.returncode}:\n{done.stdout}{done.stderr}")
    return done.stdout


def base(packages: list[str]) -> pathlib.Path:
    """A minimal root with these packages, as an archive; the last one made is kept under build/."""
    suite = next(line.split("=")[1] for line in open("/etc/os-release").read().split("\n") if line.startswith("VERSION_CODENAME="))
    name = hashlib.sha256(" ".join([suite, *packages]).encode()).hexdigest()[:12]
    archive = REPOSITORY / "build" / f"service-root-{name}.tar"
    if not archive.exists():
        for old in archive.parent.glob("service-root-*.tar"):
            old.unlink()
        run("mmdebstrap", "--quiet", "--format=tar", "--variant=minbase", f"--include={','.join(packages)}", suite, f"{archive}.new", timeout=400)
        pathlib.Path(f"{archive}.new").rename(archive)
    return archive


class Container:
    """The state directory, /var/lib/invlog, is a file system of its own, which freeze() lets hang."""

    def __init__(self, packages: list[str], files: list[pathlib.Path]):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="invlog-service-"))
        self.root, self.log = self.folder / "root", self.folder / "console"
        self.state = self.root / "var/lib/invlog"
        self.nspawn, self.leader, self.frozen = None, 0, False
        self.root.mkdir()
        run("tar", "-xf", base(packages), "-C", self.root)
        (self.root / "packages").mkdir()
        for file in files:
            shutil.copy(file, self.root / "packages")
        image = self.folder / "state.img"
        run("truncate", "-s", f"{STATE_MEGABYTES}M", image)
        run("mkfs.ext4", "-q", image)
        self.state.mkdir(parents=True)
        run("mount", "-o", "loop", image, self.state)
        shutil.rmtree(self.state / "lost+found")

    def boot(self) -> None:
        with open(self.log, "wb") as log:
            self.nspawn = subprocess.Popen(
                ["systemd-nspawn", "-b", "-D", self.root, "--register=no", "--keep-unit", "--private-network", "--console=read-only",
                 f"--bind-ro={REPOSITORY}:/src"], stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)
        self.wait_for("systemd", lambda: self._find_leader(), 30)
        self.wait_for("the boot's end", lambda: self("systemctl is-system-running || true").strip() in ("running", "degraded"), 60)

    def _find_leader(self) -> bool:
        children = pathlib.Path(f"/proc/{self.nspawn.pid}/task/{self.nspawn.pid}/children").read_text().split()
        self.leader = next((int(child) for child in children if pathlib.Path(f"/proc/{child}/comm").read_text() == "systemd\n"), 0)
        return self.leader > 0

    def _inside(self, script: str) -> list[str]:
        return ["nsenter", "-t", str(self.leader), "-m", "-u", "-i", "-n", "-p", "-r", "-w", "env", "-i", "PATH=/usr/sbin:/usr/bin:/sbin:/bin",
                "LANG=C.UTF-8", "DEBIAN_FRONTEND=noninteractive", "HOME=/root", "bash", "-ec", script]

    def __call__(self, script: str, timeout: float = 60) -> str:
        """Runs it inside; its output. Throws AssertionError if it fails."""
        return run(*self._inside(script), timeout=timeout)

    def begin(self, script: str) -> subprocess.Popen:
        return subprocess.Popen(self._inside(script), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)

    @staticmethod
    def wait_for(what: str, condition, seconds: float) -> None:
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            try:
                if condition():
                    return
            except (AssertionError, OSError):
                pass  # not yet
            time.sleep(0.1)
        raise AssertionError(f"{what} did not come within {seconds} s")

    def freeze(self) -> None:
        run("fsfreeze", "-f", self.state)
        self.frozen = True

    def thaw(self) -> None:
        if self.frozen:
            run("fsfreeze", "-u", self.state)
        self.frozen = False

    def close(self) -> None:
        self.thaw()
        if self.nspawn:
            self.nspawn.terminate()
            try:
                self.nspawn.wait(20)
            except subprocess.TimeoutExpired:
                self.nspawn.kill()
                self.nspawn.wait()
        subprocess.run(["umount", "-l", self.state], check=False)
        shutil.rmtree(self.folder, ignore_errors=True)
