"""Holds the applications' calls, the service's journal and the store against each other, while all of them grow.

A record is found by the call's marker. What a call must have left behind follows from what its application saw, from
whether the service had the request whole, and from what happened to the agent and the service meanwhile.
"""

import array
import collections
import hashlib
import json
import random
import threading
import time
import traceback

from harness import store

from ledger import BEGAN, Call, Ledger

# Seconds by which a record may be behind its call's end when a kill comes. The agent commits within 20 ms; where others
# keep processors and disk busy, what it has to commit waits. How long that was at most is shown.
LAG = 5.0
SCHEDULING = 0.5  # within which an application notices that it has its answer
NOTICE = 3.0  # within which the agent has noticed that a client has gone
PATIENCE = 45.0  # a call without a record is given up after so long
BODIES_COMPARED = 0.1  # of the calls
QUIET_EVENTS = {"store-created", "recovered", "interrupted", "retention", "configuration-reloaded", "configuration-refused"}
NEW_ROWS = """SELECT record.id, invocations.request_id, invocations.sdk_invocation_id AS marker, invocations.outcome, invocations.status, invocations.error
              FROM record JOIN invocations USING (id) WHERE record.id > ? ORDER BY record.id LIMIT 2000"""


class Windows:
    """Spans of time in which something is not as usual."""

    def __init__(self):
        self.spans: list[list[float]] = []

    def open(self) -> None:
        self.spans.append([time.monotonic(), float("inf")])

    def close(self) -> None:
        self.spans[-1][1] = time.monotonic()

    def meets(self, start: float, end: float) -> bool:
        return any(start <= last and first <= end for first, last in reversed(self.spans))


class History:
    """What the run did to the agent and to the service."""

    def __init__(self):
        # A span of a kill begins before the signal and ends when the process has ended; of a stop, when the next is ready.
        self.group_kills, self.strict_kills, self.stops, self.down, self.private = Windows(), Windows(), Windows(), Windows(), Windows()
        self.kills = self.reloads = self.refusals = 0


class Accounts(threading.Thread):
    def __init__(self, manager, ledger: Ledger, history: History, seed: int):
        super().__init__(daemon=True)
        self.manager, self.ledger, self.history, self.random = manager, ledger, history, random.Random(seed)
        self.last_record = self.last_event = 0
        self.journal_position, self.journal_rest = 0, b""
        self.recorded: set[bytes] = set()  # markers
        self.forgotten: set[bytes] = set()  # markers of calls that needed no record, settled without one
        self.outcomes: collections.Counter = collections.Counter()  # of records
        self.verdicts: collections.Counter = collections.Counter()  # of calls
        self.events: collections.Counter = collections.Counter()
        self.event_counts: collections.Counter = collections.Counter()
        self.undelivered = 0  # records that retention took before they were delivered
        self.bodies_compared = 0
        self.ends = array.array("d")  # of answered calls that are records
        self.lost: list[Call] = []  # answered, not recorded, with a kill right behind
        self.longest_lag = 0.0
        self.problems: dict[str, list[str]] = collections.defaultdict(list)  # by check
        self.ending = threading.Event()
        self.lock = threading.Lock()

    def run(self) -> None:
        while not self.ending.wait(1):
            self.tick()

    def tick(self, final: bool = False) -> None:
        with self.lock:
            try:
                self._read_journal()
                self._read_store()
                self._settle(final)
                if final:
                    self._judge_lost()
            except Exception:
                self.problems["accounting"].append(traceback.format_exc())

    def wrong(self, check: str, text: str) -> None:
        self.problems[check].append(text)

    def rotate_journal(self) -> None:
        """Only while the service is down."""
        with self.lock:
            self._read_journal()
            self.manager.bedrock.journal_path.unlink(missing_ok=True)
            self.journal_position, self.journal_rest = 0, b""

    def _read_journal(self) -> None:
        if not self.manager.bedrock.journal_path.exists():
            return
        with open(self.manager.bedrock.journal_path, "rb") as file:
            file.seek(self.journal_position)
            data = file.read()
        self.journal_position += len(data)
        *lines, self.journal_rest = (self.journal_rest + data).split(b"\n")
        for line in lines:
            marker = next((value for name, value in json.loads(line)["headers"] if name.lower() == "amz-sdk-invocation-id"), "")
            if call := self.ledger.calls.get(marker):
                call.in_journal = True

    def _read_store(self) -> None:
        connection = store.connect(self.manager.store, extension=True)
        try:
            while rows := connection.execute(NEW_ROWS, (self.last_record,)).fetchall():
                for row in rows:
                    self._take(dict(row), connection)
            self._read_events(connection)
        finally:
            connection.close()

    def _take(self, row: dict, connection) -> None:
        if row["id"] != self.last_record + 1:
            self.wrong("ids", f"after record {self.last_record} comes {row['id']}: it went before it was read, or there never was one")
        self.last_record = row["id"]
        self.outcomes[row["outcome"]] += 1
        marker = bytes.fromhex((row["marker"] or "").replace("-", ""))
        call = self.ledger.calls.get(row["marker"])
        if marker in self.recorded:
            self.wrong("twice", f"a second record of one call: {row}")
        elif call is None and marker not in self.forgotten:
            self.wrong("known", f"a record of no call: {row}")
        self.recorded.add(marker)
        if call is None:
            return
        call.record = row
        calm = not self.history.private.meets(call.started - 1, time.monotonic())
        if call.digest and row["outcome"] == "complete" and calm and self.random.random() < BODIES_COMPARED:
            body = connection.execute("SELECT invlog_request(?)", (row["id"],)).fetchone()[0]
            self.bodies_compared += 1
            if hashlib.sha256(store.as_bytes(body)).hexdigest() != call.digest:
                self.wrong("bodies", f"another request than was sent: {row}")

    def _read_events(self, connection) -> None:
        for row in connection.execute("SELECT id, kind, count, details FROM event WHERE id > ? ORDER BY id", (self.last_event,)):
            self.last_event = row["id"]
            self.events[row["kind"]] += 1
            self.event_counts[row["kind"]] += row["count"] or 0
            if row["kind"] == "retention":
                self.undelivered += sum((json.loads(row["details"]).get("undelivered") or {}).values())
            if row["kind"] not in QUIET_EVENTS:
                self.wrong("events", f"event {row['kind']}, count {row['count']}: {(row['details'] or '')[:500]}")

    def _settle(self, final: bool) -> None:
        now = time.monotonic()
        with self.ledger.lock:
            ended = [call for call in self.ledger.calls.values() if call.ended]
        for call in ended:
            # A record may come before the application has read the last byte; a journal's line comes after that.
            if call.record or final or call.ended + PATIENCE < now:
                self._judge(call)
                if not call.record:
                    self.forgotten.add(bytes.fromhex(call.marker.replace("-", "")))
                with self.ledger.lock:
                    del self.ledger.calls[call.marker]

    def _judge(self, call: Call) -> None:
        kind = call.seen + (f" {call.status // 100}xx" if call.status else "")
        self.verdicts[kind + (": recorded" if call.record else ": no record")] += 1
        # A stop may meet a request on a kept connection, which closes; it answers all on new ones. A connection that a kill has
        # closed may have been looked at just before.
        if call.seen == "unanswered" and not (self._killed(call) or not call.fresh and (self._stopped(call) or self._killed(call, SCHEDULING))):
            self.wrong("answers", f"the agent gave no answer: {describe(call)}")
        if not call.record:
            if self._required(call):
                self.wrong("missing", f"no record of a call: {describe(call)}")
            return
        if call.seen == "complete":
            self.ends.append(call.ended)
        allowed = self._allowed(call)
        if call.record["outcome"] not in allowed:
            self.wrong("outcomes", f"not one of {sorted(allowed)}: {describe(call)}")
        elif call.seen == "complete" and call.record["outcome"] != "interrupted" and (call.record["status"] != call.status or call.request_id != (call.record["request_id"] or call.request_id)):
            self.wrong("outcomes", f"another answer than the application's: {describe(call)}")

    def _judge_lost(self) -> None:
        """The agent commits in the order of the calls' ends: what is lost is the last before a kill."""
        before = 0.0
        for killed, _ in self.history.group_kills.spans:
            lost = [call for call in self.lost if before < call.ended <= killed]
            before = killed
            newest = max((end for end in self.ends if end <= killed), default=0)
            for call in lost:
                self.longest_lag = max(self.longest_lag, killed - call.ended)
                if call.ended < newest - SCHEDULING:
                    self.wrong("missing", f"no record of a call, but later ones: {describe(call)}, kill {killed - BEGAN:.2f}")

    def _killed(self, call: Call, before: float = 0.0) -> bool:
        times = call.started - before, call.ended + LAG
        return self.history.group_kills.meets(*times) or self.history.strict_kills.meets(*times)

    def _stopped(self, call: Call) -> bool:
        return self.history.stops.meets(call.started, call.ended + NOTICE)

    def _required(self, call: Call) -> bool:
        if call.seen == "in-head":
            return False
        if self.history.group_kills.meets(call.started, call.ended + LAG):
            if call.seen == "complete":
                self.lost.append(call)
            return False
        if call.seen == "complete":
            return not (call.by_agent and self._killed(call))  # what never left the host waits for no commit
        if call.in_journal:
            return True
        if call.seen == "unanswered" or self._killed(call) or self._stopped(call):
            return False
        # A reset takes away what the agent has not read yet: it may never have known of the request.
        return call.seen in ("broken", "reading") or not call.reset

    def _allowed(self, call: Call) -> set[str]:
        if call.seen == "complete":
            if not call.by_agent:
                return {"complete", "upstream-closed"} if call.altered else {"complete"}
            return {{403: "denied", 502: "upstream-closed", 504: "timeout"}.get(call.status, "error"), *(["interrupted"] if self._killed(call) else [])}
        if self._killed(call):
            return {"complete", "interrupted", "client-closed", "upstream-closed", "timeout", "denied"}
        if call.seen == "cancelled":  # it may have been over by then
            return {"complete", "interrupted", "client-closed", "upstream-closed", "timeout", "denied"}
        stopped = {"interrupted"} if self._stopped(call) else set()
        if call.seen == "broken":
            return {"upstream-closed", "timeout"} | stopped
        if call.seen == "unanswered":
            return {"client-closed", "upstream-closed", "timeout"} | stopped
        down = {"upstream-closed", "timeout"} if self.history.down.meets(call.started, call.ended + NOTICE) else set()
        # The service closes kept connections unannounced (hang_up): one that this request was on its way on, too.
        met_close = {"upstream-closed"} if call.seen == "waiting" and call.record["status"] == 502 and not call.in_journal else set()
        return {"client-closed"} | stopped | down | met_close


def describe(call: Call) -> str:
    return (f"{call.marker}: application saw {call.seen} {call.status or ''}{' (reset)' if call.reset else ''}"
            f"{' from the agent' if call.by_agent else ''}, service {'had it' if call.in_journal else 'did not log it'}, "
            f"record {call.record}, second {call.started - BEGAN:.2f} to {call.ended - BEGAN:.2f} of the run")
