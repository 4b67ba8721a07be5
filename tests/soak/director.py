"""What happens to the agent, in which order: lives, reloads, faults, pauses, commands beside it."""

import heapq
import json
import random
import re
import signal
import subprocess
import time

from harness import store
from harness.aws import BUCKET, FakeAws, eventually, unpack
from harness.client import call
from harness.processes import BUILD, REGION, configuration
from harness.service_manager import ServiceManager

from accounts import Accounts, History
from ledger import Pacer
from measures import Life, Quiet, Sampler, descriptors, file_size

GOOD = [{"policy": {"deny": ["global"]}}, {"policy": {"rules": ["deny global caller:nobody-*"]}, "agent": {"log_level": "debug"}},
        {"privacy": {"redact": ["email"]}}, {"retention": {"max_age": "1h", "keep_undelivered": False}},
        {"privacy": {"metadata_only": True}, "agent": {"log_level": "warning"}}, {"retention": {"max_age": "2h"}},
        {"exporters.s3": {"batch_age": "1s", "compression": "none"}}]
BAD = ['[privacy]\nredcat = ["email"]\n', "[policy\n", '[retention]\nmax_size = "much"\n', '[agent]\nlog_level = 7\n', '[exporters.s3]\nbucket = ""\n']
KINDS = ["throttle", "error", "html", "reset", "close", "cut", "garbage", "slow"]  # of a delivery's faults
BUSY = ("invlog_requests_in_flight", "invlog_client_connections", "invlog_http2_streams", "invlog_body_memory_bytes", "invlog_queue_bytes",
        "invlog_queue_records", "invlog_held_records")


class Director:
    def __init__(self, manager: ServiceManager, aws: FakeAws, pacer: Pacer, history: History, accounts: Accounts, sampler: Sampler, seed: int,
                 minutes: float):
        self.manager, self.aws, self.pacer, self.history, self.accounts, self.sampler = manager, aws, pacer, history, accounts, sampler
        self.random, self.seconds = random.Random(seed), minutes * 60
        self.agent = self.life = None
        self.admin = ""  # URL of this life's metrics
        self.changed = 0  # reloads so far
        self.delivered: dict[int, str] = {}  # record: object
        self.scrapes = self.queries = self.outages = 0
        self.first_strict = seed % 2
        self.plan: list[tuple[float, int, object]] = []

    # --- Lives ---

    def start(self) -> None:
        for file in (self.manager.folder / "conf.d").glob("*"):
            file.unlink()
        # In pairs, so that stops and kills meet both.
        number = len(self.sampler.lives) + 1
        self.manager.write_configuration(durability="strict" if (number // 2 + self.first_strict) % 2 else "group")
        log = self.manager.folder / "agent.stderr"
        said_before = file_size(log)
        self.agent = self.manager.start()
        # The log has a thread of its own, which may be behind the line that says it is ready.
        self.admin = eventually(lambda: re.findall(r"metrics and health on (http://\S+:\d+)", log.read_bytes()[said_before:].decode(errors="replace")), 20)[-1]
        self.life = Life(number, self.manager.settings["durability"], self.agent.child.pid)
        self.sampler.begin(self.life)

    def stop(self) -> None:
        self.history.stops.open()
        self.sampler.end("SIGTERM")
        code = self.agent.stop(30)
        if code != 0:
            self.accounts.wrong("commands", f"the agent ended with {code} after SIGTERM")

    def restart(self) -> None:
        self.stop()
        self.start()
        self.history.stops.close()
        self._no_privacy()

    def kill(self) -> None:
        kills = self.history.strict_kills if self.life.durability == "strict" else self.history.group_kills
        kills.open()
        self.sampler.end("SIGKILL")
        self.agent.kill()
        kills.close()
        self.history.kills += 1
        self.start()
        self._no_privacy()

    def alive(self) -> None:
        code = self.agent.child.poll()
        assert code is None, f"the agent ended by itself with {code}"

    # --- Configuration ---

    def reload(self) -> None:
        """Good and bad, in turns."""
        bad = self.changed % 2 == 1
        folder = self.manager.folder / "conf.d"
        folder.mkdir(exist_ok=True)
        if bad:
            (folder / "20-bad.toml").write_text(self.random.choice(BAD))
            self._hang_up("configuration-refused")
            (folder / "20-bad.toml").unlink()
            self.history.refusals += 1
        else:
            change = GOOD[self.changed // 2 % len(GOOD)]
            if "privacy" in change:
                self._no_privacy()
                self.history.private.open()
            (folder / "10-good.toml").write_text(configuration(change))
            self._hang_up("configuration-reloaded")
            self.history.reloads += 1
            if "privacy" not in change:
                self._no_privacy()
        self.changed += 1

    def _hang_up(self, kind: str) -> None:
        before = self._last_event()
        self.agent.child.send_signal(signal.SIGHUP)
        found = eventually(lambda: store.rows(self.manager.store, f"SELECT kind FROM event WHERE id > {before} AND kind LIKE 'configuration-%'"), 20)
        if found != [{"kind": kind}]:
            self.accounts.wrong("events", f"a reload that should be {kind} was {found}")

    def _last_event(self) -> int:
        return store.rows(self.manager.store, "SELECT coalesce(max(id), 0) AS id FROM event")[0]["id"]

    def _no_privacy(self) -> None:
        """A call under way keeps the rules that it began with, and is over within seconds."""
        if self.history.private.spans and self.history.private.spans[-1][1] == float("inf"):
            self.history.private.spans[-1][1] = time.monotonic() + 15

    # --- Faults ---

    def service_down(self) -> None:
        self.history.down.open()
        self.manager.bedrock.kill()
        self.accounts.rotate_journal()
        time.sleep(self.random.uniform(2, 4))
        self.manager.restart_bedrock()
        self.history.down.close()
        self.outages += 1

    def delivery_faults(self) -> None:
        """A few at random, or an outage of a few attempts: the store must not fill up with what is not delivered."""
        self.aws.work()
        draw = self.random.random()
        if draw < 0.5:
            self.aws.seed(self.random.randrange(1 << 30), 0.25, kinds=KINDS, limit=self.random.randrange(1, 6))
        elif draw < 0.8:
            self.aws.fail("error", service="s3", status=500, code="InternalError", times=self.random.randrange(2, 6))

    # --- Delivery ---

    def check_off_delivered(self) -> None:
        """Takes what has come to the bucket out of it, while nothing can come."""
        self.aws.work()
        self.aws.fail("error", service="s3", status=503, code="ServiceUnavailable", times=-1)
        time.sleep(1.5)
        for key in self.aws.objects():
            if "/data/" in key:
                continue
            for line in unpack(key, self.aws.body(key)).splitlines():
                number = json.loads(line)["invlog"]["id"]
                # What an answer got lost of is written again, under the same name.
                if self.delivered.setdefault(number, key) != key:
                    self.accounts.wrong("delivered twice", f"record {number} is in {self.delivered[number]} and in {key}")
        self.aws.set(bucket={"name": BUCKET, "region": REGION})
        self.aws.work()

    # --- Beside it ---

    def metrics(self) -> dict[str, float]:
        answer = call(self.admin, "/metrics", b"", method="GET", content_type=None)
        assert answer.status == 200, answer
        self.scrapes += 1
        return {name: float(value) for name, _, value in (line.rpartition(" ") for line in answer.body.decode().splitlines() if line[:1] != "#")}

    def scrape(self) -> None:
        seen = self.metrics()
        for name in ("invlog_records_dropped_total", "invlog_store_failing", "invlog_retention_failing"):
            if seen[name]:
                self.accounts.wrong("dropped", f"{name} is {seen[name]}")

    def query(self) -> None:
        self.queries += 1
        way = self.queries % 4
        if way == 0:  # a snapshot that is held for a while
            connection = store.connect(self.manager.store)
            connection.execute("BEGIN")
            before = connection.execute("SELECT count(*) FROM invocations").fetchone()[0]
            time.sleep(1)
            after = connection.execute("SELECT count(*) FROM invocations").fetchone()[0]
            connection.close()
            if before != after or not before:
                self.accounts.wrong("commands", f"a reader's snapshot changed from {before} to {after} records")
            return
        command = [("usage", "--by", "model"), ("verify",), ("status", "--json")][way - 1]
        self.command(*command)

    def command(self, *arguments: str, seconds: float = 120) -> str:
        done = subprocess.run([str(BUILD / "invlog"), *arguments, "--config", str(self.manager.configuration)], capture_output=True, text=True,
                              timeout=seconds, env=self.manager.environment)
        if done.returncode != 0:
            self.accounts.wrong("commands", f"invlog {' '.join(arguments)} ended with {done.returncode}: {(done.stdout + done.stderr)[-1500:]}")
        return done.stdout

    def pause(self) -> None:
        """Nobody calls, and what the agent still holds is looked at."""
        if not self.pacer.pause(40):
            self.accounts.wrong("accounting", "the applications did not come to rest")
        time.sleep(2.5)
        seen = self.metrics()
        self.accounts.tick()
        if any(seen[name] for name in BUSY):  # a busy machine
            time.sleep(3)
            seen = self.metrics()
            self.accounts.tick()
        self.life.quiet.append(Quiet(time.monotonic(), descriptors(self.life.process) - int(seen["invlog_upstream_idle_connections"]),
                                     file_size(f"{self.manager.store}-wal"), {name: seen[name] for name in BUSY if seen[name]}, seen["invlog_records_committed_total"],
                                     sum(value for name, value in seen.items() if name.startswith("invlog_calls_total")),
                                     self.accounts.last_record))
        self.pacer.go_on()

    # --- The plan ---

    def make_plan(self) -> None:
        """Restarts in the first 28 %, one long life, kills in the last 8 %."""
        total = self.seconds
        early, late = total * 0.28, total * 0.92
        gap = min(max(early / 6, 8), 150)
        moment = gap
        restarts = [self.restart, self.kill]
        for number in range(int(early / gap)):
            self.at(moment, restarts[number % 2])
            moment += gap
        for number in range(3):
            self.at(late + (total - late) * number / 3, self.kill)
        long_start = moment - gap
        self.at(long_start + 20, self.pause)
        self.at(late - 6, self.pause)
        slow = min(max(total / 300, 1), 6)
        for first, every, what in ((4, 5, self.scrape), (7, 6 * slow, self.query), (5, 8 * slow, self.reload), (24, 35 * slow, self.service_down),
                                   (3, 20 * slow, self.delivery_faults), (65, 70 + 20 * slow, self.check_off_delivered)):
            self.repeat(first, every, what, total)
        for moment in range(int(long_start + 75), int(late - 30), int(60 * slow)):
            self.at(moment, self.pause)

    def at(self, moment: float, what) -> None:
        heapq.heappush(self.plan, (moment, len(self.plan), what))

    def repeat(self, first: float, every: float, what, until: float) -> None:
        while first < until:
            self.at(first, what)
            first += every * self.random.uniform(0.8, 1.2)

    def run(self, progress) -> None:
        began, next_line = time.monotonic(), 0.0
        while (now := time.monotonic() - began) < self.seconds:
            self.alive()
            if self.plan and self.plan[0][0] <= now:
                heapq.heappop(self.plan)[2]()
            else:
                time.sleep(0.1)
            if now >= next_line:
                progress(now)
                next_line = now - now % 10 + 10
