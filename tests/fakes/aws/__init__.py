"""A fake of what records are delivered to, for tests: CloudWatch Logs, S3 and STS, and the two places on a host that
hand out credentials (IMDSv2 and a container's endpoint).

One port serves all of them and tells them apart as their requests differ. It enforces the real services' rules on
signatures, order, sizes, ages and checksums, keeps every version of every object, and fails on request. It shares no
code with the agent: what both get right, they got right independently. `python3 tests/fakes/aws --help` tells how to
run it and how to ask for failures.

Needs Python 3.11 or newer; nothing else.
"""
