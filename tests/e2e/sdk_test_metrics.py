"""/metrics as Prometheus's own promtool sees it (Debian's, which `make check` installs): names, types, help and units."""

import subprocess

from harness.aws import eventually
from harness.client import call, converse_body, converse_stream, target
from harness.delivery import Delivery
from test_admin import ADMIN, metrics


def test_promtool_finds_nothing_to_say():
    with Delivery(s3={}, logs=None, more={"admin": ADMIN, "policy": {"deny": ["global"]}, "retention": {"max_size": "1GiB"}}) as stack:
        stack.call("one", "two")
        converse_stream(stack.agent.url, "three")
        assert call(stack.agent.url, target("converse", "global.amazon.nova-2-lite-v1:0"), converse_body("x")).status == 403
        assert call(stack.agent.url, target("converse"), converse_body("x"), {"Origin": "https://page.example"}).status == 403
        stack.arrived(4)

        def with_delivery():  # what is read of the store may be five seconds old
            text, seen = metrics(stack)
            assert seen.get('invlog_delivery_records_total{destination="s3"}') == 4, text
            return text
        text = eventually(with_delivery)
        done = subprocess.run(["promtool", "check", "metrics"], input=text, capture_output=True, text=True, timeout=30)
        assert done.returncode == 0 and not done.stdout + done.stderr, done
