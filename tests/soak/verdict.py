"""The end of a run: what is still to come in is waited for, and everything is judged, shown and written down."""

import json
import pathlib

from harness import store
from harness.processes import BUILD

from director import Director
from ledger import Ledger
from measures import Life

MAX_SIZE = 16 << 20
LOG_LIMIT = max(MAX_SIZE // 128, 128 << 10)  # at which the write-ahead log is copied (storage/FORMAT.md, "Retention")
# It is copied between commits, and not while somebody reads: for moments it is as long as what is written meanwhile.
LOG_USUAL = 3 * LOG_LIMIT
RESIDENT_GROWTH = 8 << 20
MEBI = 1 << 20


class Verdict:
    def __init__(self, director: Director, ledger: Ledger, seconds: float, seed: int):
        self.director, self.ledger, self.seconds, self.seed = director, ledger, seconds, seed
        self.accounts, self.lives, self.history = director.accounts, director.sampler.lives, director.history
        self.processor: dict[str, float] = {}
        self.results: list[tuple[bool, str, list[str]]] = []

    def check(self, name: str, problems: list[str]) -> None:
        self.results.append((not problems, name, problems))

    def give(self, broken: str) -> bool:
        self.check("the run came to its end", [broken] if broken else [])
        if not broken:
            try:
                self._finish()
            except Exception as error:
                self.check("the agent could be stopped and what was left delivered", [repr(error)])
        self.director.sampler.ending.set()
        self.accounts.ending.set()
        self.accounts.tick(final=True)
        self._check_accounts()
        self._check_delivery()
        for life in self.lives:
            self._check_flat(life)
        self._check_length()
        self._show()
        return all(passed for passed, _, _ in self.results)

    def _finish(self) -> None:
        director = self.director
        director.stop()
        director.history.stops.close()
        director.aws.work()
        director.command("ship", "--once")
        director.check_off_delivered()
        director.command("verify")

    def _check_accounts(self) -> None:
        problems, history = self.accounts.problems, self.history
        for key, name in (("accounting", "the accounting itself worked"), ("missing", "each call that was answered, or had reached the service, is a record"),
                          ("outcomes", "each record has the outcome that its application saw"), ("twice", "no call is two records"),
                          ("known", "no record is of a call that nobody made"), ("ids", "records are consecutive"),
                          ("bodies", "the bodies that were read back are those that were sent"), ("answers", "each call was answered while the agent ran"),
                          ("dropped", "no record was dropped, and the store took all of them"), ("commands", "commands beside the agent, and verify, found nothing"),
                          ("events", "no event that should not be")):
            self.check(name, problems[key])
        self.check("applications met nothing else", self.ledger.problems)
        events = self.accounts.events
        counts = [(name, events[name], expected) for name, expected in (("configuration-reloaded", history.reloads),
                                                                       ("configuration-refused", history.refusals)) if events[name] != expected]
        self.check("each reload is one event", [f"{found} events {name}, not {expected}" for name, found, expected in counts])
        self.check("a kill is at most one recovery", [f"{events['recovered']} events of {history.kills} kills"] if events["recovered"] > history.kills else [])
        lacking = []
        if self.accounts.event_counts["interrupted"] > self.accounts.outcomes["interrupted"]:
            lacking.append(f"{self.accounts.event_counts['interrupted']} interrupted by events, {self.accounts.outcomes['interrupted']} records")
        for life in self.lives:
            for before, after in zip(life.quiet, life.quiet[1:]):
                records = after.last_record - before.last_record
                if not records == after.committed - before.committed == after.calls - before.calls:
                    lacking.append(f"life {life.number}: {records} records, {after.committed - before.committed:.0f} committed, "
                                   f"{after.calls - before.calls:.0f} calls by the metrics")
        self.check("the agent's counters are what the store has", lacking)

    def _check_delivery(self) -> None:
        director, records = self.director, self.accounts.last_record
        missing = records - len(director.delivered)
        # What retention takes from under a batch makes the rest come twice (FORMAT.md, "Retention").
        self.check("each record was delivered, or counted as taken by retention",
                   [f"{missing} of {records} records were not delivered, {self.accounts.undelivered} of them counted"]
                   if missing != self.accounts.undelivered else [])
        self.check("no record was delivered twice", [] if self.accounts.undelivered else self.accounts.problems["delivered twice"])
        self.check("retention took records all the time", [] if self.accounts.events["retention"] else ["it took none: too little load"])

    def _check_flat(self, life: Life) -> None:
        growth = life.early_and_late("resident")
        if growth:
            most = max(RESIDENT_GROWTH, growth[0] * 0.15)
            self.check(f"life {life.number}: memory is flat",
                       [f"it grew from {growth[0] / MEBI:.1f} to {growth[1] / MEBI:.1f} MiB"] if growth[1] - growth[0] > most else [])
            log = life.early_and_late("log")
            self.check(f"life {life.number}: the write-ahead log is flat", [f"medians of {log} bytes"] if max(log) > LOG_USUAL else [])
            threads = life.early_and_late("threads")
            self.check(f"life {life.number}: threads are as many as before", [f"{threads}"] if threads[1] > threads[0] + 1 else [])
        if life.quiet:
            first = life.quiet[0]
            self.check(f"life {life.number}: without clients, nothing of theirs is left",
                       [f"{quiet.busy} after {quiet.at - life.started:.0f} s" for quiet in life.quiet if quiet.busy])
            self.check(f"life {life.number}: descriptors are back where they were",
                       [f"{first.descriptors}, and {quiet.descriptors} after {quiet.at - life.started:.0f} s" for quiet in life.quiet
                        if quiet.descriptors > first.descriptors + 3])
            self.check(f"life {life.number}: without readers, the write-ahead log is short",
                       [f"{quiet.log} bytes after {quiet.at - life.started:.0f} s" for quiet in life.quiet if quiet.log > LOG_USUAL])
        if life.samples:
            self.check(f"life {life.number}: store and log are within max_size",
                       [f"{life.most('size')} bytes"] if life.most("size") > MAX_SIZE + MAX_SIZE // 20 else [])

    def _check_length(self) -> None:
        longest = max((life.seconds() for life in self.lives), default=0)
        self.check("one life was longer than half the run", [] if longest > self.seconds / 2 else [f"{longest:.0f} of {self.seconds:.0f} s"])
        answered = self.ledger.counts.get("complete 200", 0)
        self.check("there was load", [] if answered > 4 * self.seconds else [f"{answered} calls answered with 200 in {self.seconds:.0f} s"])

    def _row(self, life: Life) -> dict:
        resident, threads = life.early_and_late("resident"), life.early_and_late("threads")
        return {"life": life.number, "durability": life.durability, "seconds": round(life.seconds()), "end": life.end,
                "resident_mib": [round(value / MEBI, 1) for value in resident] if resident else [], "threads": list(threads or []),
                "resident_most_mib": round(life.most("resident") / MEBI, 1),
                "quiet_descriptors": [quiet.descriptors for quiet in life.quiet], "descriptors_most": life.most("descriptors"),
                "log_most_kib": life.most("log") >> 10, "store_most_mib": round(life.most("size") / MEBI, 2)}

    def _show(self) -> None:
        rows = [self._row(life) for life in self.lives]
        print("\n\nlife  durability  seconds  end      resident MiB: early, late, most  threads  descriptors: quiet, most  log KiB  store MiB")
        for row in rows:
            early, late = row["resident_mib"] or ("-", "-")
            quiet = f"{row['quiet_descriptors'][0]}..{row['quiet_descriptors'][-1]}" if row["quiet_descriptors"] else "-"
            threads = "-".join(f"{value:.0f}" for value in row["threads"]) or "-"
            print(f"{row['life']:<5} {row['durability']:<11} {row['seconds']:<8} {row['end']:<8} {early:>18} {late:>6} {row['resident_most_mib']:>6}"
                  f"  {threads:>7}  {quiet:>19} {row['descriptors_most']:>5}  {row['log_most_kib']:>7}  {row['store_most_mib']:>9}")
        figures = {"minutes": round(self.seconds / 60, 1), "seed": self.seed, "calls": dict(sorted(self.ledger.counts.items())),
                   "records": dict(sorted(self.accounts.outcomes.items())), "accounts": dict(sorted(self.accounts.verdicts.items())),
                   "events": dict(sorted(self.accounts.events.items())), "bodies_compared": self.accounts.bodies_compared,
                   "lost_in_kills": len(self.accounts.lost), "longest_lag_at_a_kill_ms": round(self.accounts.longest_lag * 1000),
                   "delivered": len(self.director.delivered), "undelivered_taken_by_retention": self.accounts.undelivered,
                   "kills": self.history.kills, "service_outages": self.director.outages, "queries": self.director.queries,
                   "scrapes": self.director.scrapes, "processor_seconds": {name: round(value, 1) for name, value in self.processor.items()}}
        for name, value in figures.items():
            print(f"{name:<31} " + (", ".join(f"{key} {count}" for key, count in value.items()) if isinstance(value, dict) else str(value)))
        checks = [{"check": name, "passed": passed, "problems": problems[:20]} for passed, name, problems in self.results]
        (BUILD / "soak.json").write_text(json.dumps({**figures, "lives": rows, "checks": checks}, indent=1) + "\n")
        failed = [result for result in self.results if not result[0]]
        if failed:
            self._show_what_was_said()
        # What failed comes last: a log's end is what is read.
        for passed, name, problems in [*(result for result in self.results if result[0]), *failed]:
            print(f"{'ok  ' if passed else 'FAIL'}  {name}")
            for text in problems[:8]:
                print("        " + text.replace("\n", "\n        "))
            if len(problems) > 8:
                print(f"        and {len(problems) - 8} more")
        print(f"{len(self.results) - len(failed)} passed, {len(failed)} failed", flush=True)

    def _show_what_was_said(self) -> None:
        folder: pathlib.Path = self.director.manager.folder
        lines = (folder / "agent.stderr").read_text(errors="replace").splitlines()
        print("the agent's log ends with:\n    " + "\n    ".join(lines[-30:]))
        print("the store's last events:")
        for row in store.rows(self.director.manager.store, "SELECT * FROM event ORDER BY id DESC LIMIT 20"):
            print(f"    {row}"[:160])
