"""A disk that fills, turns read-only, loses its permissions or the store's file while the agent runs: it serves on as
configured, says so, recovers by itself, and the store stays whole. Needs root, to mount small file systems."""

import contextlib
import json
import os
import pathlib
import shutil
import subprocess
import tempfile
import threading
import time

from harness import store
from harness.aws import eventually
from harness.client import call, converse, converse_body, target
from harness.processes import BUILD, Agent, FakeBedrock, Stack
from harness.skip import need_root

MEBIBYTE = 1 << 20
NOBODY = 65534


class DiskStack(Stack):
    """A Stack with its state on a file system of its own."""

    def __init__(self, size: str = "8m", **agent_options):
        need_root("to mount a small file system")
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="invlog-e2e-"))
        self.state = self.folder / "state"
        self.state.mkdir()
        self.mount(size)
        try:
            self.agent_options = agent_options
            self.bedrock = FakeBedrock(self.folder)
            self.agent = Agent(self.folder, self.bedrock.url, **agent_options)
        except BaseException:
            self.unmount()
            raise

    def mount(self, size: str) -> None:
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size},mode=700", "invlog-test", self.state], check=True)

    def unmount(self) -> None:
        subprocess.run(["umount", "--lazy", self.state], check=False)
        shutil.rmtree(self.folder, ignore_errors=True)

    def __exit__(self, kind, error, trace) -> None:
        try:
            super().__exit__(kind, error, trace)
        finally:
            self.unmount()

    def fill(self, leave: int = 0) -> None:
        """Until `leave` bytes, in whole pages, are free."""
        with open(self.state / "filler", "ab", buffering=0) as filler, contextlib.suppress(OSError):
            while True:
                filler.write(b"x" * 4096)
        size = os.path.getsize(self.state / "filler")
        os.truncate(self.state / "filler", max(0, size - leave))

    def free(self) -> None:
        (self.state / "filler").unlink()

    def storage(self) -> dict:
        return json.loads((self.state / "status.json").read_text())["storage"]

    def dropped(self) -> int:
        return store.rows(self.agent.store, "SELECT coalesce(sum(count), 0) AS n FROM event WHERE kind = 'dropped'")[0]["n"]

    def kept(self) -> int:
        return store.rows(self.agent.store, "SELECT count(*) AS n FROM record")[0]["n"]


def noisy(stack: Stack, size: int = 20_000) -> int:
    """A call that takes about `size` bytes of the store."""
    return call(stack.agent.url, target("converse"), converse_body(os.urandom(size).hex())).status


def call_until_failing(stack: DiskStack, seconds: float = 20) -> int:
    deadline, sent = time.monotonic() + seconds, 0
    while not stack.storage()["failing"]:
        assert time.monotonic() < deadline, f"{sent} calls, and the store does not fail"
        assert noisy(stack) == 200
        sent += 1
    return sent


def test_a_full_disk_with_pass_loses_only_what_is_counted_and_recovers():
    with DiskStack(on_storage_failure="pass", queue_size="256KiB") as stack:
        assert converse(stack.agent.url, "first").status == 200
        sent = 1
        for leave in (0, 4096, 40_960, 262_144):
            stack.fill(leave)
            sent += call_until_failing(stack)
            for _ in range(30):
                assert noisy(stack) == 200, "the application does not notice"
                sent += 1
            assert "full" in stack.storage()["last_error"], stack.storage()
            stack.free()
            eventually(lambda: not stack.storage()["failing"], 15)
            eventually(lambda: stack.kept() + stack.dropped() == sent, 10)
            store.prove(stack.agent.store)
        assert stack.dropped() > 0
        assert len(stack.agent.errors().split("the store takes no records:")) - 1 == 4, stack.agent.errors()
        recovered = store.rows(stack.agent.store, "SELECT count(*) AS n FROM event WHERE kind = 'storage-recovered'")
        assert recovered[0]["n"] == 4


def test_an_agent_starts_on_a_full_disk_and_records_when_there_is_room():
    with DiskStack(on_storage_failure="pass") as stack:
        assert converse(stack.agent.url, "first").status == 200
        store.wait_for(stack.agent.store, 1)
        assert stack.agent.stop() == 0
        stack.fill()
        agent = stack.agent = Agent(stack.folder, stack.bedrock.url, **stack.agent_options)
        assert converse(agent.url, "while it is full").status == 200
        eventually(lambda: "the store takes no records:" in agent.errors(), 10)
        stack.free()
        store.wait_for(agent.store, 2)
        eventually(lambda: "the store takes records again" in agent.errors(), 10)
        assert converse(agent.url, "last").status == 200
        store.wait_for(agent.store, 3)
        store.prove(agent.store)


def test_what_is_on_a_full_disk_can_be_read_where_no_agent_runs():
    with DiskStack() as stack:
        assert converse(stack.agent.url, "first").status == 200
        store.wait_for(stack.agent.store, 1)

        def count() -> subprocess.CompletedProcess:
            return subprocess.run([BUILD / "invlog", "query", "--store", stack.agent.store, "SELECT count(*) AS n FROM record"], capture_output=True,
                                  text=True, timeout=20)

        stack.agent.kill()
        pathlib.Path(f"{stack.agent.store}-shm").unlink()
        stack.fill()
        done = count()
        assert done.returncode == 1 and "(No space left on device). Its newest records are in its log (" in done.stderr, done
        stack.free()
        stack.start_agent()
        assert stack.agent.stop() == 0
        stack.fill()
        done = count()
        assert done.returncode == 0 and "1" in done.stdout, done
        erase = subprocess.run([BUILD / "invlog", "erase", "--store", stack.agent.store, "--where", "id = 1", "--yes"], capture_output=True, text=True,
                               timeout=20)
        assert erase.returncode != 0 and "No space left on device" in erase.stderr, erase
        stack.free()
        stack.start_agent()
        store.prove(stack.agent.store)


def test_a_stop_on_a_full_disk_leaves_the_number_of_what_it_lost_to_the_next_start():
    with DiskStack(on_storage_failure="pass") as stack:
        assert converse(stack.agent.url, "first").status == 200
        store.wait_for(stack.agent.store, 1)
        stack.fill()
        sent = 1 + call_until_failing(stack)
        assert stack.agent.stop() == 0
        assert "and the store took no row that says so" in stack.agent.errors(), stack.agent.errors()
        lost = json.loads((stack.state / "status.json").read_text())["untold_drops"]
        assert stack.kept() + lost == sent and lost > 0
        stack.start_agent()  # still full
        assert noisy(stack) == 200
        sent += 1
        assert stack.agent.stop() == 0
        stack.free()
        stack.start_agent()
        eventually(lambda: stack.kept() + stack.dropped() == sent, 10)
        assert stack.agent.stop() == 0
        stack.start_agent()
        assert converse(stack.agent.url, "last").status == 200
        eventually(lambda: stack.kept() + stack.dropped() == sent + 1, 10)
        store.prove(stack.agent.store)


class JournalStack(DiskStack):
    """On ext4, which turns read-only when its journal is aborted, as it does when a disk fails."""

    def mount(self, size: str) -> None:
        self.image = self.folder / "image"
        subprocess.run(["truncate", "-s", size, self.image], check=True)
        subprocess.run(["mkfs.ext4", "-q", self.image], check=True)
        self.mount_again()

    def mount_again(self) -> None:
        subprocess.run(["mount", "-o", "loop", self.image, self.state], check=True)
        self.state.chmod(0o700)

    def turn_read_only(self) -> None:
        subprocess.run(["mount", "-o", "remount,abort", self.state], check=False, capture_output=True)

    def repair(self) -> None:
        subprocess.run(["umount", self.state], check=True)
        subprocess.run(["e2fsck", "-fy", self.image], check=False, capture_output=True)
        self.mount_again()


def test_a_file_system_that_fails_and_turns_read_only():
    """Unlike test_a_file_system_that_turns_read_only_and_back, the kernel says so; it is mounted anew."""
    with JournalStack("32M", on_storage_failure="pass", queue_size="256KiB") as stack:
        for number in range(20):
            assert converse(stack.agent.url, f"before {number}").status == 200
        store.wait_for_count(stack.agent.store, 20)
        stack.turn_read_only()
        for _ in range(40):
            assert noisy(stack) == 200
        eventually(lambda: "the store takes no records:" in stack.agent.errors(), 15)
        stack.agent.kill()
        agent = stack.agent = Agent(stack.folder, stack.bedrock.url, **stack.agent_options)
        for _ in range(3):
            assert converse(agent.url, "nothing can be recorded").status == 200, "it starts on a read-only file system, and serves"
        eventually(lambda: "Read-only file system" in agent.errors(), 10)
        agent.stop()
        stack.repair()
        stack.agent = Agent(stack.folder, stack.bedrock.url, **stack.agent_options)
        assert stack.kept() >= 20, "what was committed is there"
        assert converse(stack.agent.url, "after").status == 200
        eventually(lambda: store.rows(stack.agent.store, "SELECT count(*) AS n FROM invocations WHERE started_at > '2'")[0]["n"] >= 21, 10)
        store.prove(stack.agent.store)


def test_a_full_disk_with_deny_refuses_until_there_is_room():
    with DiskStack(on_storage_failure="deny") as stack:
        assert converse(stack.agent.url, "first").status == 200
        stack.fill()
        eventually(lambda: noisy(stack) == 503, 20)
        stack.free()
        eventually(lambda: noisy(stack) == 200, 20)
        store.prove(stack.agent.store)


def test_a_kill_on_a_full_disk_costs_nothing_that_was_committed():
    with DiskStack(on_storage_failure="pass") as stack:
        for number in range(20):
            assert noisy(stack, 1000) == 200
        store.wait_for_count(stack.agent.store, 20)
        stack.fill()
        call_until_failing(stack)
        stack.agent.kill()
        stack.free()
        stack.start_agent()
        assert converse(stack.agent.url, "again").status == 200
        eventually(lambda: stack.kept() >= 21)
        store.prove(stack.agent.store)


def test_a_removed_store_file_comes_back_with_all_that_was_in_it():
    with DiskStack() as stack:
        for number in range(10):
            assert converse(stack.agent.url, f"before {number}").status == 200
        store.wait_for(stack.agent.store, 10)
        stack.agent.store.unlink()
        for number in range(10):
            assert converse(stack.agent.url, f"after {number}").status == 200
        eventually(lambda: stack.agent.store.exists() and stack.kept() == 20)
        assert b"before 0" in store.request(stack.agent.store, 1)
        assert len(store.rows(stack.agent.store, "SELECT 1 FROM event WHERE kind = 'file-restored'")) == 1
        for path in stack.state.glob("eu-central-1*"):
            path.unlink()
        assert converse(stack.agent.url, "last").status == 200
        eventually(lambda: stack.agent.store.exists() and stack.kept() == 21)
        store.prove(stack.agent.store)
        assert stack.agent.stop() == 0
        store.prove(stack.agent.store)
        stack.start_agent()


def test_a_removed_log_costs_nothing_at_a_kill():
    with DiskStack(durability="strict") as stack:
        for number in range(10):
            assert converse(stack.agent.url, f"before {number}").status == 200
        for suffix in ("-wal", "-shm"):
            pathlib.Path(f"{stack.agent.store}{suffix}").unlink()
        for number in range(10):
            assert converse(stack.agent.url, f"after {number}").status == 200
        stack.agent.kill()
        stack.start_agent()
        eventually(lambda: stack.kept() == 20)
        store.prove(stack.agent.store)


def test_a_store_that_cannot_be_written_again_waits_until_it_can():
    with DiskStack(on_storage_failure="pass", queue_size="256KiB") as stack:
        sent = 0
        while sent < 40:
            assert noisy(stack) == 200
            sent += 1
        store.wait_for_count(stack.agent.store, 40)
        stack.fill(100_000)
        stack.agent.store.unlink()
        sent += call_until_failing(stack)
        assert "was removed" in stack.storage()["last_error"], stack.storage()
        stack.free()
        eventually(lambda: stack.agent.store.exists() and stack.kept() + stack.dropped() == sent, 20)
        store.prove(stack.agent.store)


READ_ONLY = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>
static int read_only(void) { const char* flag = getenv("READ_ONLY_FLAG"); return flag && access(flag, F_OK) == 0; }
#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))
static int refuse(void) { errno = EROFS; return -1; }
ssize_t pwrite64(int fd, const void* data, size_t size, off64_t at) { return read_only() ? refuse() : REAL(pwrite64)(fd, data, size, at); }
ssize_t pwrite(int fd, const void* data, size_t size, off_t at) { return read_only() ? refuse() : REAL(pwrite)(fd, data, size, at); }
int ftruncate64(int fd, off64_t size) { return read_only() ? refuse() : REAL(ftruncate64)(fd, size); }
int ftruncate(int fd, off_t size) { return read_only() ? refuse() : REAL(ftruncate)(fd, size); }
int unlink(const char* path) { return read_only() ? refuse() : REAL(unlink)(path); }
int rename(const char* from, const char* to) { return read_only() ? refuse() : REAL(rename)(from, to); }
#define OPEN(name) int name(const char* path, int flags, ...) { va_list rest; va_start(rest, flags); mode_t mode = va_arg(rest, mode_t); va_end(rest); \
  return read_only() && (flags & O_ACCMODE) != O_RDONLY && strncmp(path, "/dev/", 5) ? refuse() : REAL(name)(path, flags, mode); }
OPEN(open)
OPEN(open64)
"""


def test_a_file_system_that_turns_read_only_and_back():
    """The kernel does not remount what is open for writing (EBUSY), only its own errors do that: so here the C library's
    calls answer as it does then."""
    folder = pathlib.Path(tempfile.mkdtemp(prefix="invlog-e2e-"))
    try:
        (folder / "read_only.c").write_text(READ_ONLY)
        subprocess.run(["gcc", "-shared", "-fPIC", "-o", folder / "read_only.so", folder / "read_only.c"], check=True)
        flag = folder / "flag"
        with Stack(on_storage_failure="pass", queue_size="256KiB", preload={"LD_PRELOAD": str(folder / "read_only.so"), "READ_ONLY_FLAG": str(flag)}) as stack:
            assert converse(stack.agent.url, "first").status == 200
            store.wait_for(stack.agent.store, 1)
            flag.touch()
            for _ in range(40):
                assert noisy(stack) == 200
            eventually(lambda: "the store takes no records:" in stack.agent.errors(), 10)
            time.sleep(3)
            said = stack.agent.errors()
            assert said.count("the store takes no records") == 1, said
            assert said.count("cannot write the status") == 1 and "Read-only file system" in said, said
            flag.unlink()
            counted = "SELECT (SELECT count(*) FROM record) + (SELECT coalesce(sum(count), 0) FROM event WHERE kind = 'dropped') AS n"
            eventually(lambda: store.rows(stack.agent.store, counted)[0]["n"] == 41, 20)
            eventually(lambda: "the store takes records again" in stack.agent.errors())
            store.prove(stack.agent.store)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def test_lost_permissions_stop_no_call_and_lose_no_record():
    """An agent without privileges keeps what it has open; what it must open anew waits."""
    need_root("to give permissions away")
    folder = pathlib.Path(tempfile.mkdtemp(prefix="invlog-e2e-"))
    state = folder / "state"
    state.mkdir()
    bedrock = FakeBedrock(folder)
    for path in (folder, state):
        os.chown(path, NOBODY, NOBODY)
    agent = Agent(folder, bedrock.url, wrapper=["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"])
    try:
        assert converse(agent.url, "first").status == 200
        store.wait_for(agent.store, 1)
        os.chmod(agent.store, 0)
        os.chmod(state, 0)
        for number in range(20):
            assert converse(agent.url, f"without permission {number}").status == 200
        eventually(lambda: "cannot write the status" in agent.errors(), 10)
        time.sleep(2)
        assert agent.errors().count("cannot write the status") == 1, agent.errors()
        os.chmod(state, 0o700)
        os.chmod(agent.store, 0o600)
        store.wait_for(agent.store, 21)
        assert agent.stop() == 0
        store.prove(agent.store)
    finally:
        agent.kill()
        bedrock.kill()
        shutil.rmtree(folder, ignore_errors=True)


def test_max_size_is_held_under_full_load():
    limit = 16 * MEBIBYTE
    with Stack(tables={"retention": {"max_size": "16MiB"}}) as stack:
        largest, done = [0], threading.Event()

        def watch() -> None:
            while not done.is_set():
                parts = (stack.agent.store, pathlib.Path(f"{stack.agent.store}-wal"))
                with contextlib.suppress(FileNotFoundError):
                    largest[0] = max(largest[0], sum(os.path.getsize(path) for path in parts if path.exists()))
                time.sleep(0.002)

        statuses: list[int] = []
        clients = [threading.Thread(target=lambda: statuses.extend(noisy(stack, 100_000) for _ in range(40))) for _ in range(8)]
        watcher = threading.Thread(target=watch)
        watcher.start()
        for client in clients:
            client.start()
        for client in clients:
            client.join()
        done.set()
        watcher.join()
        assert statuses == [200] * 320
        assert largest[0] <= limit * 105 // 100, f"{largest[0]} bytes of {limit}"
        assert largest[0] >= limit * 3 // 4, f"only {largest[0]} bytes: the load was none"
        assert store.rows(stack.agent.store, "SELECT min(id) AS first FROM record")[0]["first"] > 50
        store.prove(stack.agent.store)
