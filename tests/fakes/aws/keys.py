"""Access keys: the one that is known from the start, and the temporary ones that STS, IMDS and the container endpoint
hand out. A key that has expired stays known as expired."""

import secrets
from dataclasses import dataclass

ACCESS_KEY = "AKIAFAKE000000EXAMPLE"
SECRET_KEY = "fakeSecret/Key+0123456789abcdefEXAMPLE00"


@dataclass
class Key:
    access: str
    secret: str
    token: str
    arn: str
    expires: float | None  # Unix time on this fake's clock
    expired: bool = False  # by a test's wish


class KeyRing:
    def __init__(self, account: str, clock):
        self.account, self.clock = account, clock
        self.keys: dict[str, Key] = {}
        self.lifetime = 3600.0  # seconds, of the temporary keys to come

    def add(self, access: str, secret: str, token: str = "") -> None:
        self.keys[access] = Key(access, secret, token, f"arn:aws:iam::{self.account}:user/invlog", None)

    def issue(self, arn: str, lifetime: float | None = None) -> Key:
        key = Key("ASIAFAKE" + secrets.token_hex(6).upper(), secrets.token_urlsafe(30), secrets.token_urlsafe(60), arn,
                  self.clock() + (lifetime or self.lifetime))
        self.keys[key.access] = key
        return key

    def current(self, arn: str) -> Key:
        """The newest key of this identity that is still good, or a new one: what IMDS answers until it rotates."""
        good = [key for key in self.keys.values() if key.arn == arn and not self.is_expired(key)]
        return good[-1] if good else self.issue(arn)

    def is_expired(self, key: Key) -> bool:
        return key.expired or (key.expires is not None and key.expires <= self.clock())

    def expire(self, which: str) -> None:
        """`which`: static, temporary, all, or an access key."""
        for key in self.keys.values():
            if which in ("all", key.access) or which == ("static" if key.expires is None else "temporary"):
                key.expired = True

    def restore(self) -> None:
        """The static keys are good again."""
        for key in self.keys.values():
            key.expired = key.expired and key.expires is not None
