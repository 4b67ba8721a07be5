"""What each life of the agent took: memory, descriptors, threads, log and store, once a second."""

import os
import pathlib
import re
import statistics
import threading
import time
from dataclasses import dataclass, field

WARM_UP = 30.0  # seconds, or a fifth of a life if that is longer
SHORTEST = 60.0  # seconds of a life that is compared
PAGE = os.sysconf("SC_PAGE_SIZE")
TICKS = os.sysconf("SC_CLK_TCK")


def processor_seconds(process: int) -> float:
    fields = pathlib.Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def descriptors(process: int) -> int:
    return len(os.listdir(f"/proc/{process}/fd"))


def file_size(path: object) -> int:
    try:
        return os.path.getsize(str(path))
    except FileNotFoundError:
        return 0


@dataclass
class Sample:
    at: float
    resident: int
    descriptors: int
    threads: int
    log: int
    size: int  # file and log


@dataclass
class Quiet:
    """A moment without clients."""

    at: float
    descriptors: int  # without idle connections to the service, which come and go
    log: int
    busy: dict[str, float]  # metrics that should be 0
    committed: float
    calls: float
    last_record: int


@dataclass
class Life:
    number: int
    durability: str
    process: int
    started: float = field(default_factory=time.monotonic)
    ended: float = 0
    end: str = "runs"
    samples: list[Sample] = field(default_factory=list)
    quiet: list[Quiet] = field(default_factory=list)

    def seconds(self) -> float:
        return (self.ended or time.monotonic()) - self.started

    def early_and_late(self, what: str) -> tuple[float, float] | None:
        """Medians after the warm-up and at the end; None: too short."""
        long = self.seconds()
        if long < SHORTEST or not self.samples:
            return None
        warm, window = max(WARM_UP, long * 0.2), max(12.0, long * 0.15)
        early = [getattr(one, what) for one in self.samples if warm <= one.at - self.started < warm + window]
        late = [getattr(one, what) for one in self.samples if one.at - self.started > long - window]
        return (statistics.median(early), statistics.median(late)) if early and late else None

    def most(self, what: str) -> int:
        return max((getattr(one, what) for one in self.samples), default=0)


class Sampler(threading.Thread):
    def __init__(self, store: pathlib.Path):
        super().__init__(daemon=True)
        self.store, self.life = store, None
        self.lives: list[Life] = []
        self.ending = threading.Event()

    def begin(self, life: Life) -> None:
        self.lives.append(life)
        self.life = life

    def end(self, how: str) -> None:
        self.life.ended, self.life.end, self.life = time.monotonic(), how, None

    def run(self) -> None:
        while not self.ending.wait(1):
            if life := self.life:
                try:
                    life.samples.append(self._sample(life.process))
                except (FileNotFoundError, ProcessLookupError, TypeError):
                    pass  # it has just ended

    def _sample(self, process: int) -> Sample:
        status = pathlib.Path(f"/proc/{process}/status").read_text()
        log = file_size(f"{self.store}-wal")
        return Sample(time.monotonic(), int(re.search(r"VmRSS:\s+(\d+)", status)[1]) * 1024, descriptors(process),
                      int(re.search(r"Threads:\s+(\d+)", status)[1]), log, file_size(self.store) + log)
