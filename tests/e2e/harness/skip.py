"""How a test says that it cannot run here, and why."""


class Skipped(Exception):
    pass
