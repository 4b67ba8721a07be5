"""What the sdk group takes from PyPI and as Go modules, installed once under build/."""

import pathlib
import subprocess

from .processes import PYTHON, REPOSITORY

VENV = REPOSITORY / "build/venv"
GO = REPOSITORY / "build/go"


def install(command: list) -> None:
    """With this process's whole environment: it may say how to reach a registry."""
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, timeout=250)
    assert done.returncode == 0, f"{' '.join(map(str, command))} failed:\n{done.stdout[-1500:]}{done.stderr[-1500:]}"


def python(**packages: str) -> str:
    """The virtual environment's interpreter, which has boto3 and these: module=requirement."""
    interpreter = VENV / "bin/python"
    if not interpreter.exists():
        install([PYTHON, "-m", "venv", VENV])
    wanted = {"boto3": "boto3", **packages}
    missing = [requirement for module, requirement in wanted.items()
               if subprocess.run([interpreter, "-c", f"import {module}"], capture_output=True).returncode]
    if missing:
        install([interpreter, "-m", "pip", "install", "--quiet", *missing])
    return str(interpreter)


def go(folder: pathlib.Path) -> str:
    """The program of this folder. Its versions are those that Debian 12's Go can build."""
    program = GO / "proxy_case"
    if not program.exists() or program.stat().st_mtime < max(file.stat().st_mtime for file in folder.iterdir()):
        install(["sh", "-c", 'cd "$0" && go build -buildvcs=false -o "$1" .', folder, program])
    return str(program)
