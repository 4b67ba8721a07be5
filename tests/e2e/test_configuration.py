"""Starting the agent: flags alone, the environment's Region, and errors that say where."""

import os
import pathlib
import shutil
import subprocess
import tempfile
from contextlib import contextmanager

from harness import store
from harness.client import converse
from harness.processes import BUILD, SIGNING, FakeBedrock, Process


@contextmanager
def folder_with_bedrock():
    folder = pathlib.Path(tempfile.mkdtemp(prefix="invlog-e2e-"))
    bedrock = FakeBedrock(folder)
    try:
        yield folder, bedrock
    finally:
        bedrock.kill()
        shutil.rmtree(folder, ignore_errors=True)


def start(folder: pathlib.Path, *flags: object, **environment: str) -> Process:
    return Process("agent", [BUILD / "invlog", "agent", "--listen", "127.0.0.1:0", *flags], folder,
                   {"PATH": os.environ["PATH"], "HOME": str(folder), "AWS_EC2_METADATA_DISABLED": "true", **SIGNING, **environment}, r"127\.0\.0\.1:(\d+)")


def refused(folder: pathlib.Path, *flags: object, configuration: str = "", **environment: str) -> str:
    """What the agent says when it must not start."""
    file = folder / "invlog.toml"
    file.write_text(configuration)
    done = subprocess.run([str(part) for part in (BUILD / "invlog", "agent", "--config", file, *flags)], capture_output=True, text=True, timeout=20,
                          env={"HOME": str(folder), **environment})
    assert done.returncode == 2 and not done.stdout, done
    return done.stderr


def test_flags_alone_suffice():
    with folder_with_bedrock() as (folder, bedrock):
        agent = start(folder, "--region", "eu-central-1", "--state-dir", folder / "state", "--upstream", bedrock.url)
        assert converse(f"http://127.0.0.1:{agent.port}", "by flags").status == 200
        store.wait_for(folder / "state/eu-central-1.db", 1)
        assert agent.output.count(b"\n") == 1, f"more than one line: {agent.output}"
        assert agent.stop() == 0


def test_region_from_the_environment():
    with folder_with_bedrock() as (folder, bedrock):
        agent = start(folder, "--state-dir", folder / "state", "--upstream", bedrock.url, AWS_REGION="eu-south-1")
        assert converse(f"http://127.0.0.1:{agent.port}", "x").status == 200
        assert store.wait_for(folder / "state/eu-south-1.db", 1)[0]["source_region"] == "eu-south-1"
        agent.stop()


def test_configuration_errors_name_the_place_and_the_cause():
    folder = pathlib.Path(tempfile.mkdtemp(prefix="invlog-e2e-"))
    try:
        said = refused(folder, configuration='[agent]\nregion = "eu-central-1"\nupstreem = "http://127.0.0.1:1"\n')
        assert "invlog.toml:3:" in said and "upstreem" in said and "upstream" in said, said
        said = refused(folder, configuration='[agent]\nregion = "eu-central-1\n')
        assert "invlog.toml:2:" in said, said
        said = refused(folder, configuration='[agent]\nregion = "eu-central-1"\ndurability = "maybe"\n')
        assert "invlog.toml:3:" in said and "group" in said and "strict" in said, said
        said = refused(folder, "--listen", "0.0.0.0:4180", configuration='[agent]\nregion = "eu-central-1"\n')
        assert "0.0.0.0" in said and "loopback" in said, said
        assert "region" in refused(folder, configuration="[agent]\n").lower()
        usable = f'[agent]\nregion = "eu-central-1"\nstate_dir = "{folder}/state"\n'
        said = refused(folder, configuration=usable, HTTPS_PROXY="socks5://proxy.example:1080", AWS_EC2_METADATA_DISABLED="true")
        assert "HTTPS_PROXY: expected http://" in said, said  # which only the start asks for
    finally:
        shutil.rmtree(folder)


def test_an_address_in_use_is_one_clear_line():
    with folder_with_bedrock() as (folder, bedrock):
        done = subprocess.run([BUILD / "invlog", "agent", "--region", "eu-central-1", "--state-dir", folder / "state", "--listen",
                               f"127.0.0.1:{bedrock.port}", "--upstream", bedrock.url], capture_output=True, text=True, timeout=20,
                              env={"HOME": str(folder), **SIGNING})
        assert done.returncode in (1, 2) and str(bedrock.port) in done.stderr and len(done.stderr.strip().splitlines()) == 1, done
