"""Policy, from the configuration file to the record: what is denied, flagged and passed; and the source Region, which has
to be the instance's."""

import json
import pathlib
import shutil
import subprocess
import tempfile

from harness import store
from harness.aws import FakeAws
from harness.client import call, converse_body, target
from harness.processes import BUILD, SIGNING, Agent, FakeBedrock, Process, Stack

EU, GLOBAL, IN_REGION = "eu.amazon.nova-2-lite-v1:0", "global.amazon.nova-2-lite-v1:0", "amazon.nova-lite-v1:0"
NOBODY = "eu.vendor.unheard-of-v1:0"
SIX = "eu-central-1,eu-north-1,eu-south-1,eu-south-2,eu-west-1,eu-west-3"
POLICY = {"deny": ["global"], "allow": ["in-region", "geo:eu"], "rules": ["allow profile:global.* caller:nobody-has-this-name"]}


def say(stack: Stack, model: str, operation: str = "converse"):
    return call(stack.agent.url, target(operation, model), converse_body("Hello"))


def upstream_calls(stack: Stack) -> int:
    journal = stack.bedrock.journal_path
    return len(journal.read_text().splitlines()) if journal.exists() else 0


def residency(row: dict) -> tuple:
    return row["scope"], row["profile"], row["destinations"], row["decision"]


def test_each_call_is_judged_and_its_record_says_how():
    with Stack(tables={"policy": POLICY}) as stack:
        assert say(stack, EU).status == 200
        denied = say(stack, GLOBAL)
        assert denied.status == 403 and denied.header("x-amzn-ErrorType") == "AccessDeniedException"
        message = denied.json()["message"]
        assert 'deny = "global"' in message and GLOBAL in message and "any commercial Region" in message, message
        say(stack, IN_REGION)
        say(stack, NOBODY)
        rows = store.wait_for(stack.agent.store, 4)
        assert residency(rows[0]) == ("geographic", EU, SIX, "allow"), rows[0]
        assert residency(rows[1]) == ("global", GLOBAL, "*", "deny"), rows[1]
        assert (rows[1]["outcome"], rows[1]["status"]) == ("denied", 403)
        assert json.loads(rows[1]["details"])["rule"] == 'deny = "global"'
        assert json.loads(store.request(stack.agent.store, 2)) == converse_body("Hello")
        assert residency(rows[2]) == ("in-region", None, "eu-central-1", "allow"), rows[2]
        assert (rows[3]["scope"], rows[3]["destinations"], rows[3]["decision"]) == (None, None, "flag"), rows[3]
        assert json.loads(rows[3]["details"])["rule"] == 'unknown = "flag"'
        assert upstream_calls(stack) == 3
        # No record, and yet judged.
        assert say(stack, GLOBAL, "count-tokens").status == 403
        assert call(stack.agent.url, "/async-invoke", {"modelId": GLOBAL}).status == 403
        names = ",".join(f'"modelId":"vendor.model-{number}"' for number in range(20))
        for crowd in (f'{{{names},"modelId":"{GLOBAL}"}}', f'{{"modelId":"{GLOBAL}",{names}}}'):
            assert call(stack.agent.url, "/async-invoke", crowd.encode()).status == 403, crowd
        assert upstream_calls(stack) == 3
        stack.agent.stop()
        status = json.loads(store.invlog("status", "--config", stack.agent.configuration, "--json"))
        assert (status["agent"]["policy_denied"], status["agent"]["flagged"]) == (5, 1), status["agent"]
        assert status["agent"]["passed_through"] == 0, status["agent"]
        events = store.rows(stack.agent.store, "SELECT kind, details FROM event WHERE kind = 'policy-denied'")
        assert len(events) == 1 and "count-tokens" in events[0]["details"], events
        usage = [json.loads(line) for line in store.invlog("usage", "--by", "decision", "--json", "--store", stack.agent.store).splitlines()]
        assert {line["decision"]: line["calls"] for line in usage} == {"allow": 2, "deny": 1, "flag": 1}, usage
        assert "5 denied, 1 flagged" in store.invlog("status", "--config", stack.agent.configuration)
        store.prove(stack.agent.store)


def test_observe_denies_nothing():
    with Stack(tables={"policy": {"deny": ["global", "geo:ue"], "mode": "observe"}}) as stack:
        assert '"geo:ue" probably matches no call' in stack.agent.errors() and 'did you mean "geo:eu"?' in stack.agent.errors()
        assert say(stack, GLOBAL).status == 200
        row = store.wait_for(stack.agent.store, 1)[0]
        assert (row["outcome"], row["decision"], json.loads(row["details"])["rule"]) == ("complete", "flag", 'deny = "global"')


def test_the_command_line_explains():
    with Stack(tables={"policy": POLICY}) as stack:
        options = ("--config", stack.agent.configuration)
        said = store.invlog("policy", "test", "--model", GLOBAL, *options, code=1)
        assert "deny" in said and "any commercial Region" in said, said
        line = json.loads(store.invlog("policy", "test", "--model", EU, "--json", *options))
        assert line["decision"] == "allow" and line["rule"] == 'allow = "geo:eu"' and line["destinations"] == SIX.split(","), line
        line = json.loads(store.invlog("policy", "test", "--model", GLOBAL, "--caller", "nobody-has-this-name", "--json", *options))
        assert line["decision"] == "allow" and line["rule"].startswith("rules = "), line
        shown = store.invlog("policy", "show", *options)
        order = [shown.index(text) for text in ("rules = ", 'deny = "global"', 'allow = "in-region"', "unknown = ", "everything else")]
        assert order == sorted(order), shown
        wrong = stack.folder / "wrong.toml"
        wrong.write_text('[agent]\nregion = "eu-central-1"\n[policy]\ndeny = ["golbal"]\n')
        done = subprocess.run([BUILD / "invlog", "policy", "show", "--config", wrong], capture_output=True, text=True)
        assert done.returncode == 2 and f"{wrong}:4:8: deny: " in done.stderr and 'did you mean "global"?' in done.stderr, done


def start(folder: pathlib.Path, region: str, *flags: str, **environment: str) -> subprocess.CompletedProcess:
    """An agent that must not start."""
    named = ["--region", region] if region else []
    return subprocess.run([BUILD / "invlog", "agent", *named, "--state-dir", folder / "state", "--listen", "127.0.0.1:0", *flags],
                          capture_output=True, text=True, timeout=20, env={"HOME": str(folder), **SIGNING, **environment})


def test_the_region_must_be_the_instances():
    folder = pathlib.Path(tempfile.mkdtemp(prefix="invlog-e2e-"))
    aws, bedrock = FakeAws(folder), FakeBedrock(folder)  # its metadata service says eu-central-1
    imds = {"AWS_EC2_METADATA_SERVICE_ENDPOINT": aws.url}
    try:
        done = start(folder, "eu-west-1", **imds)
        assert done.returncode == 2 and not done.stdout, done
        assert "eu-west-1" in done.stderr and "eu-central-1" in done.stderr and "region_mismatch" in done.stderr, done.stderr
        assert len(done.stderr.strip().splitlines()) == 1, done.stderr
        assert not (folder / "state/eu-west-1.db").exists()
        for name, environment, settings in (
                ("allowed", imds, {"region": "eu-west-1", "region_mismatch": "allow"}),
                ("silent", {"AWS_EC2_METADATA_SERVICE_ENDPOINT": "http://127.0.0.1:1"}, {"region": "eu-west-1"}),
                ("disabled", {**imds, "AWS_EC2_METADATA_DISABLED": "true"}, {"region": "eu-west-1"}),
                ("the same", imds, {"region": "eu-central-1"})):
            agent = Agent(folder / name.replace(" ", "-"), bedrock.url, credentials={**SIGNING, **environment}, **settings)
            assert agent.stop() == 0, name
        # No Region but the instance's.
        agent = Agent(folder / "taken", bedrock.url, credentials={**SIGNING, **imds}, region="eu-central-1")
        text = agent.configuration.read_text().replace('region = "eu-central-1"\n', "")
        agent.stop()
        (folder / "none.toml").write_text(text.replace(str(agent.state), str(folder / "of-instance")))
        agent = Process("agent", [BUILD / "invlog", "agent", "--config", folder / "none.toml"], folder,
                        {"HOME": str(folder), **SIGNING, **imds}, r"127\.0\.0\.1:(\d+)")
        assert b"region eu-central-1" in agent.output and agent.stop() == 0
        shutil.rmtree(folder / "of-instance")
        done = subprocess.run([BUILD / "invlog", "policy", "show", "--config", folder / "none.toml"], capture_output=True, text=True, timeout=20,
                              env={"HOME": str(folder), **SIGNING, **imds})
        assert done.returncode == 0 and not done.stderr, done
    finally:
        aws.kill()
        bedrock.kill()
        shutil.rmtree(folder, ignore_errors=True)


def test_store_and_upstream_of_another_region_are_refused():
    with Stack() as stack:
        say(stack, EU)
        store.wait_for(stack.agent.store, 1)
        stack.agent.stop()
        shutil.copy(stack.agent.store, stack.agent.state / "eu-west-1.db")
        no_instance = {"AWS_EC2_METADATA_DISABLED": "true"}
        done = start(stack.folder, "eu-west-1", **no_instance)
        assert done.returncode != 0 and "eu-central-1" in done.stderr and "eu-west-1" in done.stderr, done
        (stack.agent.state / "eu-west-1.db").unlink()
        for host in ("bedrock-runtime.us-east-1.amazonaws.com", "bedrock-runtime-fips.us-east-1.amazonaws.com",
                     "vpce-0a-1b.bedrock-runtime.us-east-1.vpce.amazonaws.com"):
            done = start(stack.folder, "eu-central-1", "--upstream", f"https://{host}", **no_instance)
            assert done.returncode == 2 and "us-east-1" in done.stderr and "eu-central-1" in done.stderr, done


def test_two_agents_serve_two_regions_side_by_side():
    """Each with a state directory of its own; one directory is one agent's."""
    with Stack() as stack:
        other = Agent(stack.folder / "other", stack.bedrock.url, region="eu-west-1")
        assert say(stack, EU).status == 200
        assert call(other.url, target("converse", EU), converse_body("Hello")).status == 200
        first, second = store.wait_for(stack.agent.store, 1)[0], store.wait_for(other.store, 1)[0]
        assert (first["source_region"], second["source_region"]) == ("eu-central-1", "eu-west-1")
        done = start(stack.folder, "eu-west-1", AWS_EC2_METADATA_DISABLED="true")
        assert done.returncode == 1 and str(stack.agent.state) in done.stderr, done
        assert other.stop() == 0
