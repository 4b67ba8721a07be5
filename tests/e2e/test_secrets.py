"""No credential is ever kept: the store's files, the agent's output and its answers are searched byte by byte."""

import json
import re

from harness import store
from harness.client import call, claude_body, converse, converse_body, converse_stream, target
from harness.processes import BEARER_KEY, SECRET_KEY, SIGNING, Stack

TOKEN = "FwoGZXIvYXdzSECRETsessionTOKEN//////////EXAMPLE=="


def test_no_secret_in_store_logs_or_answers():
    with Stack(bedrock_options=("--session-token", TOKEN), credentials={**SIGNING, "AWS_SESSION_TOKEN": TOKEN}, log_level="trace") as stack:
        url, bearer = stack.agent.url, {"Authorization": f"Bearer {BEARER_KEY}"}
        client = {"Authorization": "AWS4-HMAC-SHA256 Credential=AKIACLIENT/20260101/eu-central-1/bedrock/aws4_request, SignedHeaders=host, "
                                   "Signature=c11e47c11e47", "X-Amz-Security-Token": "clientTOKEN", "X-Api-Key": "clientAPIKEY",
                  "Cookie": "session=clientCOOKIE", "Proxy-Authorization": "Basic clientPROXY"}
        answers = [converse(url, "signed"), converse(url, "bearer", bearer), converse(url, "client", client), converse_stream(url, "s", bearer),
                   call(url, target("invoke", "nope"), claude_body("x"), bearer), converse(url, "x", {**bearer, "x-fake": "close=1"}),
                   converse(url, "x", {**bearer, "x-fake": "cut=0:5"}), converse(url, "x", {"Authorization": "Bearer wrongKEY123456"}),
                   call(url, target("converse") + "?X-Amz-Signature=querySIGNATURE&X-Amz-Credential=queryCREDENTIAL", converse_body("q")),
                   call(url, "/not/recorded", b"", bearer, method="GET")]
        stack.bedrock.kill()
        answers.append(converse(url, "nobody there", bearer))
        store.wait_for(stack.agent.store, len(answers) - 1)
        journal = stack.bedrock.journal_path.read_text()
        secrets = {SECRET_KEY, TOKEN, BEARER_KEY, "wrongKEY123456", "c11e47c11e47", "clientTOKEN", "clientAPIKEY", "clientCOOKIE", "clientPROXY",
                   "querySIGNATURE", "queryCREDENTIAL", *re.findall(r"Signature=([0-9a-f]{64})", journal)}
        assert len(secrets) > 12, "the service saw no signature"
        exports = store.invlog("export", "--store", stack.agent.store) + json.dumps(
            store.rows(stack.agent.store, "SELECT *, invlog_request(id), invlog_response(id) FROM invocations", True), default=str)
        where = {"answer": b"".join(answer.body + str(answer.headers).encode() for answer in answers), "export": exports.encode()}
        # While it runs (with the -wal) and after its end.
        where |= {f"running {file.name}": file.read_bytes() for file in stack.agent.state.iterdir() if file.is_file()}
        stack.agent.stop()
        where |= {f"stopped {file.name}": file.read_bytes() for file in stack.agent.state.iterdir() if file.is_file()}
        where |= {"stdout": stack.agent.output, "stderr": stack.agent.errors().encode()}
        found = [(name, secret) for name, content in where.items() for secret in secrets if secret.encode() in content]
        assert not found, f"secrets are kept: {found}"
