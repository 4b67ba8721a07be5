"""What the applications know of their calls, and the pace at which they make them."""

import random
import threading
import time
import uuid
from dataclasses import dataclass

BEGAN = time.monotonic()


@dataclass
class Call:
    marker: str  # a UUID, sent as amz-sdk-invocation-id: the record has it, and so has the fake's journal
    digest: str  # SHA-256 of the request's body, "" if nobody is to compare it
    fresh: bool  # on a connection of its own, over HTTP/1.1
    started: float
    ended: float = 0
    # complete: an answer, whole. broken: part of one. unanswered: none. cancelled: by RST_STREAM. The rest: it
    # went away, in-head, in-body, waiting (for the answer) or reading (it); `reset`: with a TCP reset.
    seen: str = ""
    reset: bool = False
    status: int = 0
    request_id: str = ""
    by_agent: bool = False  # the answer is the agent's own
    altered: bool = False  # the service was asked to damage what it answers
    in_journal: bool = False  # the fake had it whole
    record: dict | None = None


class Ledger:
    def __init__(self):
        self.lock = threading.Lock()
        self.calls: dict[str, Call] = {}  # not yet settled
        self.open = 0
        self.counts: dict[str, int] = {}
        self.problems: list[str] = []  # what no application should meet

    def begin(self, digest: str = "", fresh: bool = False) -> Call:
        call = Call(str(uuid.uuid4()), digest, fresh, time.monotonic())
        with self.lock:
            self.calls[call.marker] = call
            self.open += 1
        return call

    def end(self, call: Call, seen: str, status: int = 0, request_id: str = "", by_agent: bool = False, reset: bool = False) -> None:
        with self.lock:
            call.seen, call.status, call.request_id, call.by_agent, call.reset = seen, status, request_id, by_agent, reset
            call.ended = time.monotonic()
            self.open -= 1
            what = f"{seen} {status}".removesuffix(" 0")
            self.counts[what] = self.counts.get(what, 0) + 1

    def problem(self, text: str) -> None:
        with self.lock:
            self.problems.append(text)


class Pacer:
    """Bursts and lulls, and pauses on demand: who asks for leave to go on waits here."""

    BURST, LULL = (8.0, 66.0), (4.0, 10.0)  # seconds, calls a second
    LARGE = 0.9  # seconds between large bodies: how fast the store grows depends on no machine

    def __init__(self):
        self.condition = threading.Condition()
        self.next_large = time.monotonic()
        self.next, self.paused, self.ended, self.parked, self.users = time.monotonic(), False, False, 0, 0

    def wait(self, cost: float = 1.0) -> bool:
        """False: the application lets go of its connections and asks again, or, if `ended`, stops."""
        with self.condition:
            if self.ended or self.paused:
                return False
            now = time.monotonic()
            burst = now % (self.BURST[0] + self.LULL[0]) < self.BURST[0]
            self.next = max(self.next, now - 0.5) + cost / (self.BURST if burst else self.LULL)[1]
            until = self.next
        time.sleep(max(0.0, until - now))
        return not (self.paused or self.ended)

    def is_large(self) -> bool:
        """Whether the next body is to be large."""
        with self.condition:
            now = time.monotonic()
            large = now >= self.next_large
            if large:
                self.next_large = max(now, self.next_large + self.LARGE)
            return large

    def park(self) -> bool:
        """Until the pause ends. False: it was the end."""
        with self.condition:
            self.parked += 1
            self.condition.notify_all()
            self.condition.wait_for(lambda: self.ended or not self.paused)
            self.parked -= 1
            return not self.ended

    def pause(self, seconds: float) -> bool:
        """True as soon as everybody is parked."""
        with self.condition:
            self.paused = True
            return self.condition.wait_for(lambda: self.parked == self.users, seconds)

    def go_on(self) -> None:
        with self.condition:
            self.paused = False
            self.condition.notify_all()

    def end(self) -> None:
        with self.condition:
            self.ended = True
            self.condition.notify_all()


class Application(threading.Thread):
    """Makes calls until the end. A subclass says which (`step`), and how to let go of its connections (`leave`)."""

    def __init__(self, url: str, ledger: Ledger, pacer: Pacer, seed: int):
        super().__init__(daemon=True)
        self.url, self.ledger, self.pacer, self.random = url, ledger, pacer, random.Random(seed)
        pacer.users += 1

    def step(self) -> None:
        raise NotImplementedError

    def leave(self) -> None:
        pass

    def run(self) -> None:
        while True:
            if self.pacer.wait(self.cost()):
                try:
                    self.step()
                except Exception as error:  # the application itself is wrong
                    self.ledger.problem(f"{type(self).__name__}: {error!r}")
                    self.leave()
            else:
                self.leave()
                if not self.pacer.park():
                    return

    def cost(self) -> float:
        return 1.0
