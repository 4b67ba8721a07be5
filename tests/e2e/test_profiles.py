"""What the agent learns of inference profiles from Bedrock's control plane, what it does when that refuses, and `invlog
profiles`."""

import contextlib
import json
import pathlib
import shutil
import subprocess
import tempfile

from harness import store
from harness.aws import FakeAws, eventually
from harness.client import call, converse_body, target
from harness.processes import ACCESS_KEY, BUILD, REGION, SECRET_KEY, SIGNING, Stack

NOVA, NOVA_MODEL = "eu.amazon.nova-2-lite-v1:0", "amazon.nova-2-lite-v1:0"
EU6 = ["eu-central-1", "eu-north-1", "eu-south-1", "eu-south-2", "eu-west-1", "eu-west-3"]
APPLICATION = "1arbu5hu2sjr"


@contextlib.contextmanager
def control_plane():
    folder = pathlib.Path(tempfile.mkdtemp(prefix="invlog-e2e-aws-"))
    aws = FakeAws(folder, "--access-key", ACCESS_KEY, "--secret-key", SECRET_KEY)
    try:
        yield aws
    finally:
        aws.kill()
        shutil.rmtree(folder, ignore_errors=True)


def put(aws: FakeAws, identifier: str, model: str, regions: list[str], **more) -> None:
    aws.set(profile={"identifier": identifier, "model": model, "regions": regions, **more})


def agent_of(aws: FakeAws) -> Stack:
    return Stack(tables={"aws": {"bedrock_endpoint": aws.url}})


def profiles(stack: Stack, *arguments: str, code: int = 0) -> subprocess.CompletedProcess:
    done = subprocess.run([str(BUILD / "invlog"), "profiles", *arguments, "--config", str(stack.agent.configuration)], capture_output=True,
                          text=True, timeout=60, env={**stack.agent.environment, **SIGNING})
    assert done.returncode == code, f"ended with {done.returncode}: {done.stdout}{done.stderr}"
    return done


def known(stack: Stack) -> dict[str, dict]:
    """What `invlog profiles` says that the service said."""
    lines = map(json.loads, profiles(stack, "list", "--json").stdout.splitlines())
    return {line["profile"]: line for line in lines if line["origin"] == "service"}


def alarms(stack: Stack) -> list[dict]:
    return [json.loads(row["details"]) for row in store.rows(stack.agent.store, "SELECT details FROM event WHERE kind = 'profile-changed'")]


def test_profiles_are_learned_at_the_start_page_by_page():
    with control_plane() as aws:
        aws.set(profile_page=2)
        for number in range(5):
            put(aws, f"eu.vendor.model-{number}", f"vendor.model-{number}", EU6)
        put(aws, NOVA, NOVA_MODEL, EU6)
        put(aws, f"global.{NOVA_MODEL}", NOVA_MODEL, ["", REGION])
        put(aws, APPLICATION, NOVA_MODEL, EU6, application=True)
        put(aws, "2inregion", NOVA_MODEL, [REGION], application=True)
        with agent_of(aws) as stack:
            found = eventually(lambda: len(known(stack)) == 9 and known(stack))
            assert found[NOVA]["destinations"] == EU6 and found[NOVA]["scope"] == "geographic" and found[NOVA]["geography"] == "eu"
            assert found[f"global.{NOVA_MODEL}"]["scope"] == "global" and found[f"global.{NOVA_MODEL}"]["destinations"] == []
            assert found[APPLICATION]["kind"] == "application" and found[APPLICATION]["wraps"] == NOVA, found[APPLICATION]
            assert found["2inregion"]["scope"] == "in-region" and found["2inregion"]["wraps"] == ""
            calls = aws.calls("bedrock")
            assert len(calls) == 5 and all(line["status"] == 200 for line in calls), calls
            arn = f"arn:aws:bedrock:{REGION}:123456789012:application-inference-profile/{APPLICATION}"
            shown = json.loads(profiles(stack, "show", arn, "--json").stdout)
            assert shown["destinations"] == EU6 and shown["scope"] == "geographic" and shown["model"] == NOVA_MODEL, shown
            assert not alarms(stack)
            assert "eu-north-1" in profiles(stack).stdout


def test_a_changed_geographic_profile_is_an_alarm():
    with control_plane() as aws:
        put(aws, NOVA, NOVA_MODEL, EU6)
        put(aws, f"global.{NOVA_MODEL}", NOVA_MODEL, ["", REGION])
        with agent_of(aws) as stack:
            eventually(lambda: len(known(stack)) == 2)
            assert profiles(stack, "refresh").stdout == "2 profiles known from the service\n"
            put(aws, NOVA, NOVA_MODEL, [REGION, "us-east-1"])
            put(aws, "eu.vendor.new", "vendor.new", [REGION, "eu-west-1"])
            said = profiles(stack, "refresh", code=1).stdout
            assert f"CHANGED  {NOVA}" in said and "new      eu.vendor.new: eu-central-1,eu-west-1" in said, said
            assert alarms(stack) == [{"profile": NOVA, "before": ",".join(EU6), "after": "eu-central-1,us-east-1", "known_from": "service"}]
            put(aws, NOVA, NOVA_MODEL, EU6)
            stack.restart_agent()  # which asks, too
            eventually(lambda: len(alarms(stack)) == 2)
            assert f"profile {NOVA}: its destinations were eu-central-1,us-east-1" in stack.agent.errors()
            stack.agent.stop()
            store.prove(stack.agent.store)


def test_a_control_plane_that_refuses_takes_nothing_away():
    with control_plane() as aws:
        aws.set(profiles_denied=True)
        with agent_of(aws) as stack:
            eventually(lambda: "inference profiles could not be asked for" in stack.agent.errors())
            assert call(stack.agent.url, target("converse"), converse_body("Hello")).status == 200
            store.wait_for(stack.agent.store, 1)
            shown = json.loads(profiles(stack, "show", NOVA, "--json").stdout)
            assert shown["destinations"] == EU6 and shown["known_by"] == "the catalogue (built in)", shown
            assert "bedrock:ListInferenceProfiles" in profiles(stack, "refresh", code=1).stderr
            doctor = subprocess.run([str(BUILD / "invlog"), "doctor", "--config", str(stack.agent.configuration)], capture_output=True, text=True,
                                    timeout=60, env={**stack.agent.environment, **SIGNING})
            assert "warning  bedrock:ListInferenceProfiles: " in doctor.stdout, doctor.stdout
            aws.set(profiles_denied=False)
            put(aws, NOVA, NOVA_MODEL, EU6)
            assert profiles(stack, "refresh").stdout == "1 profile known from the service\n"


def test_a_private_setup_asks_nobody():
    with Stack() as stack:
        assert "inference profiles are not asked for" in stack.agent.errors()
        assert "not AWS's own" in profiles(stack, "refresh", code=2).stderr


def test_a_profile_that_a_call_names_is_asked_for_and_the_next_call_knows_it():
    with control_plane() as aws:
        with agent_of(aws) as stack:
            eventually(lambda: len(aws.calls("bedrock", "ListInferenceProfiles")) == 2)
            put(aws, APPLICATION, NOVA_MODEL, EU6, application=True, listed=False)
            arn = f"arn:aws:bedrock:{REGION}:123456789012:application-inference-profile/{APPLICATION}"
            assert call(stack.agent.url, target("converse", arn), converse_body("Hello")).status == 200
            found = eventually(lambda: known(stack).get(APPLICATION))
            assert found["destinations"] == EU6 and found["wraps"] == NOVA, found
            assert call(stack.agent.url, target("converse", arn), converse_body("Hello")).status == 200
            store.wait_for(stack.agent.store, 2)
            rows = store.rows(stack.agent.store, "SELECT scope, profile, destinations, decision FROM invocations ORDER BY id")
            assert rows[0]["scope"] is None and rows[0]["decision"] == "allow", rows
            assert dict(rows[1]) == {"scope": "geographic", "profile": APPLICATION, "destinations": ",".join(EU6), "decision": "allow"}, rows
