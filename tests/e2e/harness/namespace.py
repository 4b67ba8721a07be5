"""A network and a mount namespace of their own: a loopback where port 443 is free, and an /etc/hosts that sends names to it.
Needs root."""

import os
import pathlib
import subprocess

from .processes import Process
from .skip import need_root


class Namespace:
    """`names`: what /etc/hosts sends to `address` there. `wrapper`: what to put before a command that runs there."""

    def __init__(self, folder: pathlib.Path, *names: str, address: str = "127.0.0.1"):
        need_root("for a network namespace and a hosts file of its own")
        hosts = folder / "hosts"
        hosts.write_text("127.0.0.1 localhost\n" + "".join(f"{address} {name}\n" for name in names))
        # The child stays the namespaces' owner: they go with it.
        self.holder = Process("namespace", ["unshare", "--net", "--mount", "sh", "-c", 'ip link set lo up && mount --bind "$0" /etc/hosts && '
                                            'echo "ready 1" && exec sleep 1000', hosts], folder, {"PATH": os.environ["PATH"]}, r"ready (\d)")
        self.wrapper = ["nsenter", "--net", "--mount", f"--target={self.holder.child.pid}"]

    def run(self, *command: object, text: str | None = None) -> str:
        done = subprocess.run([*self.wrapper, *map(str, command)], input=text, capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, f"{command} ended with {done.returncode}: {done.stderr}"
        return done.stdout

    def close(self) -> None:
        self.holder.kill()
