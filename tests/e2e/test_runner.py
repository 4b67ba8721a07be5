"""The runner itself: a test whose process dies, or does not end, has failed, and the others go on."""

import pathlib
import shutil
import subprocess
import tempfile
import textwrap

SIDE_BY_SIDE = True
HERE = pathlib.Path(__file__).resolve().parent

# Indented, so that the runner takes none of them for a test of this file.
TESTS = """
    import __main__, os, pathlib, signal, time
    from harness.processes import Stack

    SIDE_BY_SIDE = {side_by_side}
    __main__.SECONDS["plain"], __main__.GRACE = 1, 1

    def test_1_dies():
        with Stack() as stack:
            pathlib.Path("{agent}").write_text(str(stack.agent.child.pid))
            os.kill(os.getpid(), signal.SIGKILL)

    def test_2_does_not_end():
        while True:
            try:
                time.sleep(60)
            except TimeoutError:
                pass

    def test_3_passes():
        pass
"""


def test_a_test_whose_process_dies_or_does_not_end_has_failed_and_the_others_go_on():
    for side_by_side in (False, True):
        with tempfile.TemporaryDirectory() as name:
            folder = pathlib.Path(name)
            shutil.copy(HERE / "run", folder)
            (folder / "harness").symlink_to(HERE / "harness")
            (folder / "test_of_three.py").write_text(textwrap.dedent(TESTS).format(side_by_side=side_by_side, agent=folder / "agent"))
            done = subprocess.run([folder / "run"], capture_output=True, text=True, timeout=30)
            said = done.stdout + done.stderr
            assert done.returncode == 1 and done.stdout.endswith("\n1 passed, 2 failed\n"), said
            assert "test_1_dies\n    its process died with signal 9" in done.stdout and "agent.stderr ends with" in done.stdout, said
            assert "test_2_does_not_end\n    it took more than 2 s" in done.stdout and "in test_2_does_not_end" in done.stderr, said
            assert "ok      test_of_three.test_3_passes" in done.stdout, said
            assert not pathlib.Path("/proc", (folder / "agent").read_text()).exists(), "what the dead test left still runs"
