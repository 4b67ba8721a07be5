"""How a test says that it cannot run here, and why."""

import os


class Skipped(Exception):
    pass


def need_root(why: str) -> None:
    if os.geteuid() != 0:
        raise Skipped(f"needs root, {why}")
