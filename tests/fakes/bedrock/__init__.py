"""A fake Amazon Bedrock runtime endpoint for tests, demos and benchmarks.

It speaks HTTP/1.1 and HTTP/2 (prior knowledge, or ALPN with TLS) on one port, enforces the real service's rules on
signatures, paths, content types and bodies, answers deterministically in the real shapes, and fails on request. It
shares no code with the agent: what both get right, they got right independently. `python3 -m bedrock --help` (from
tests/fakes) tells how to run it and how to ask for failures.

Needs Python 3.11 or newer and python3-h2; nothing else.
"""
