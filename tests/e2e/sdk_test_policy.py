"""A call that policy denies, as real SDKs see it: their own AccessDeniedException, with the rule and the profile."""

import json

from harness import store
from harness.processes import SIGNING, Stack
from harness.sdks import python
from sdk_test_views import SDK, node, run

GLOBAL = "global.amazon.nova-2-lite-v1:0"


def check(command: list, cases: int, records: int) -> None:
    with Stack(tables={"policy": {"deny": ["global"]}}) as stack:
        raised = json.loads(run([*command, stack.agent.url], SIGNING))
        assert len(raised) == cases, raised
        for name, error in raised.items():
            assert (error["kind"], error["code"]) == ("AccessDeniedException", "AccessDeniedException"), (name, error)
            assert 'deny = "global"' in error["message"] and GLOBAL in error["message"], (name, error)
        rows = store.wait_for(stack.agent.store, records)  # one each: an SDK does not try a denied call again
        assert {(row["outcome"], row["decision"], row["profile"]) for row in rows} == {("denied", "deny", GLOBAL)}
        journal = stack.bedrock.journal_path
        assert not journal.exists() or not journal.read_text(), journal.read_text()


def test_boto3_raises_access_denied():
    check([python(), SDK / "policy_cases.py"], 6, 4)


def test_aws_sdk_for_javascript_throws_access_denied():
    check(node("policy_cases.mjs"), 5, 3)
