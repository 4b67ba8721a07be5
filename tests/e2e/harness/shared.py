"""Test data that is not part of the project: the folder INVLOG_SHARED names, or ../shared beside the repository."""

import os
import pathlib

from .processes import REPOSITORY
from .skip import Skipped


def shared_file(name: str) -> pathlib.Path:
    folder = pathlib.Path(os.environ.get("INVLOG_SHARED") or REPOSITORY.parent / "shared")
    if not (folder / name).exists():
        raise Skipped(f"{folder / name} is not here (INVLOG_SHARED names the folder that has it)")
    return folder / name
