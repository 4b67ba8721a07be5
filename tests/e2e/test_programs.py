"""Programs that know nothing of the agent and whose environment leads them to it: `invlog env`, `invlog exec`."""

import json
import os
import signal
import subprocess
import time

from harness import store
from harness.aws import eventually
from harness.processes import BUILD, PYTHON, Stack

INVLOG = str(BUILD / "invlog")
# Calls where its environment says. urllib takes proxies from the environment, as SDKs do.
CLIENT = """
import json, os, urllib.request
url = os.environ["AWS_ENDPOINT_URL_BEDROCK_RUNTIME"] + "/model/eu.amazon.nova-2-lite-v1%3A0/converse"
body = json.dumps({"messages": [{"role": "user", "content": [{"text": os.environ["AWS_REGION"]}]}]}).encode()
print(urllib.request.urlopen(urllib.request.Request(url, body, {"Content-Type": "application/json"})).status)
"""
A_PROXY = {"http_proxy": "http://127.0.0.1:9", "NO_PROXY": "example.com"}


def run(command: list, environment: dict | None = None, code: int = 0) -> subprocess.CompletedProcess:
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, timeout=30,
                          env={"PATH": f"{BUILD}:{os.environ['PATH']}", "HOME": "/nonexistent", **(environment or {})})
    assert done.returncode == code, f"{command} ended with {done.returncode}:\n{done.stdout}{done.stderr}"
    return done


def texts(path) -> list[str]:
    return [json.loads(store.request(path, row["id"]))["messages"][0]["content"][0]["text"] for row in store.rows(path)]


def test_a_shell_takes_what_env_prints():
    with Stack() as stack:  # on a port that only status.json says
        script = f'eval "$(invlog env --config {stack.agent.configuration})" && exec {PYTHON} -c "$CLIENT"'
        assert run(["sh", "-c", script], {"CLIENT": CLIENT, **A_PROXY}).stdout == "200\n"
        by_curl = ('eval "$(invlog env --config "$1")" && curl --silent --show-error --fail -H "Content-Type: application/json" '
                   '-d \'{"messages":[{"role":"user","content":[{"text":"curl"}]}]}\' '
                   '"$AWS_ENDPOINT_URL_BEDROCK_RUNTIME/model/eu.amazon.nova-2-lite-v1%3A0/converse"')
        assert json.loads(run(["sh", "-c", by_curl, "sh", stack.agent.configuration], A_PROXY).stdout)["output"]
        store.wait_for(stack.agent.store, 2)
        assert texts(stack.agent.store) == ["eu-central-1", "curl"]

        as_json = json.loads(run([INVLOG, "env", "--config", stack.agent.configuration, "--json"]).stdout)
        lines = run([INVLOG, "env", "--config", stack.agent.configuration, "--format", "docker"]).stdout.splitlines()
        assert dict(line.split("=", 1) for line in lines) == as_json
        assert as_json["ANTHROPIC_BEDROCK_BASE_URL"] == stack.agent.url


def test_exec_becomes_the_program():
    with Stack() as stack:
        execute = [INVLOG, "exec", "--config", stack.agent.configuration, "--"]
        assert run([*execute, PYTHON, "-c", CLIENT], A_PROXY).stdout == "200\n"
        store.wait_for(stack.agent.store, 1)
        assert texts(stack.agent.store) == ["eu-central-1"]
        # Options behind -- are the program's, and so are brackets, which a parser might take apart.
        said = run([*execute, "printf", "%s|", "--config", "--", "[a,b]", "", "x y"])
        assert (said.stdout, said.stderr) == ("--config|--|[a,b]||x y|", "")
        assert run([*execute, "sh", "-c", "exit 7"], code=7).stderr == ""
        assert "no such program" in run([*execute, "no-such-program"], code=127).stderr
        assert "cannot be executed: Permission denied" in run([*execute, "/etc/passwd"], code=126).stderr
        child = subprocess.Popen([*map(str, execute), "sh", "-c", "echo $$; exec sleep 60"], stdout=subprocess.PIPE, text=True)
        assert int(child.stdout.readline()) == child.pid, "the program has the process that was started"
        child.send_signal(signal.SIGTERM)
        assert child.wait(10) == -signal.SIGTERM
        child.stdout.close()
        # A service's program ignores SIGPIPE from the start, unless it says otherwise.
        masks = ["sh", "-c", "trap '' PIPE; grep SigIgn /proc/self/status; exec \"$@\"", "sh"]
        direct, through = run([*masks, *execute, "grep", "SigIgn", "/proc/self/status"]).stdout.splitlines()
        assert direct == through and int(direct.split()[1], 16) & 1 << signal.SIGPIPE - 1


def test_closed_descriptors_are_not_given_to_files():
    with Stack() as stack:
        stack.agent.stop()
        script = 'exec "$0" agent --config "$1" >&- 2>&- <&-'
        child = subprocess.Popen(["sh", "-c", script, INVLOG, stack.agent.configuration], env=stack.agent.environment)
        try:
            eventually(lambda: (stack.agent.state / "agent.lock").exists() and len(os.listdir(f"/proc/{child.pid}/fd")) > 8)
            assert [os.readlink(f"/proc/{child.pid}/fd/{number}") for number in range(3)] == ["/dev/null"] * 3
        finally:
            child.terminate()
            assert child.wait(20) == 0


def test_exec_says_that_nobody_listens_and_waits_for_the_agent():
    with Stack() as stack:
        stack.agent.stop()
        address = stack.agent.url[7:]
        here = [INVLOG, "exec", "--state-dir", stack.agent.state, "--listen", address]
        done = run([*here, "--", "echo", "started"])
        assert done.stdout == "started\n" and f"nobody listens on {address}" in done.stderr
        done = run([*here, "--wait", "300ms", "--", "echo", "started"], code=1)
        assert done.stdout == "" and "was not started" in done.stderr
        waiting = subprocess.Popen([*map(str, here), "--wait", "20s", "--", "echo", "started"], stdout=subprocess.PIPE, text=True)
        time.sleep(0.2)
        assert waiting.poll() is None
        stack.agent_options["listen"] = address
        stack.start_agent()
        assert waiting.communicate(timeout=20)[0] == "started\n"


def test_with_a_certificate_authority_programs_get_proxy_mode():
    with Stack() as stack:
        here = ["--config", stack.agent.configuration]
        run([INVLOG, "ca", "init", *here])
        said = json.loads(run([INVLOG, "env", *here, "--json"], {"AWS_ENDPOINT_URL_BEDROCK_RUNTIME": stack.agent.url}).stdout)
        assert said["HTTPS_PROXY"] == "http://127.0.0.1:4181" and said["AWS_ENDPOINT_URL_BEDROCK_RUNTIME"] is None
        assert said["NODE_EXTRA_CA_CERTS"] == f"{stack.agent.state}/ca.pem"
        # The program's own TLS library takes the bundle.
        script = "import os, ssl; print(len(ssl.create_default_context(cafile=os.environ['AWS_CA_BUNDLE']).get_ca_certs()) > 1)"
        done = run([INVLOG, "exec", *here, "--", PYTHON, "-c", script])
        assert done.stdout == "True\n" and "nobody listens on 127.0.0.1:4181" in done.stderr
        endpoint = ["--mode", "endpoint", "--", "sh", "-c", "echo $AWS_ENDPOINT_URL_BEDROCK_RUNTIME$HTTPS_PROXY"]
        assert run([INVLOG, "exec", *here, *endpoint]).stdout == stack.agent.url + "\n"
