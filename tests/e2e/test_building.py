"""What the Makefile leaves behind: `sudo make deps` must not be in the way of the next `make all`."""

import os
import pathlib
import shutil
import subprocess
import tempfile

SIDE_BY_SIDE = True
REPOSITORY = pathlib.Path(__file__).resolve().parents[2]


def make(sources: pathlib.Path, *goals: str) -> None:
    """Without what a `make` around this one was given."""
    environment = {name: value for name, value in os.environ.items() if name not in ("MAKEFLAGS", "MFLAGS", "MAKELEVEL", "UNITY", "SANITIZE")}
    subprocess.run(["make", "-n", "-C", sources, *goals], check=True, capture_output=True, env=environment)


def test_goals_that_compile_nothing_make_no_build_folder():
    with tempfile.TemporaryDirectory() as name:
        sources = pathlib.Path(name, "invlog")
        sources.mkdir()
        shutil.copy(REPOSITORY / "Makefile", sources)
        for folder in ("agent", "exporters", "storage", "systemd", "tests"):
            shutil.copytree(REPOSITORY / folder, sources / folder, ignore=shutil.ignore_patterns("node_modules", "__pycache__"))
        for goals in ([], ["help"], ["deps"], ["uninstall"], ["clean"]):
            make(sources, *goals)
            assert not (sources / "build").exists(), goals
        make(sources, "help", "all")
        assert list((sources / "build").glob("unity-*"))
