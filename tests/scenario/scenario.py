"""What scenario scripts in Python share: @test registers a function, main() runs all of them and prints "ok NAME" or
"not ok NAME", as tests/run wants it. A test fails by an exception, as from expect() or assert."""
import gc
import os
import shutil
import subprocess
import sys
import tempfile
import traceback

BUILD = os.path.abspath(os.environ.get("KLM_BUILD", "build"))
SLOW = float(os.environ.get("KLM_TEST_SLOW", "1"))  # how much longer than usual things may take
SOURCE = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
_TESTS = []
gc.set_threshold(50000, 20, 50)  # messages of thousands of items are no cycles, and looking for some took a tenth of the time


def patience():
    """Seconds of a limit, where something must have gone wrong, are so many: more where others keep the machine busy, as in tests/run."""
    return SLOW * min(max(os.getloadavg()[0] / (os.cpu_count() + 2), 1), 4)


def test(function):
    _TESTS.append(function)
    return function


def expect(condition, what):
    if not condition:
        raise AssertionError(what)


def run(*command, status=0, **named):
    """Run a command and return what it printed; any other exit status than the expected one fails the test."""
    named.setdefault("timeout", 120 * patience())
    done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          errors="replace", check=False, **named)
    if status is not None and done.returncode != status:
        raise AssertionError(f"{' '.join(command)}: exit status {done.returncode}, not {status}\n{done.stdout}")
    return done.stdout


class Folder:
    """with Folder() as path: a folder that is gone afterwards."""

    def __enter__(self):
        self.path = tempfile.mkdtemp(prefix="s-")
        return self.path

    def __exit__(self, *_):
        shutil.rmtree(self.path, ignore_errors=True)


def main():
    failed = 0
    for function in _TESTS:
        if len(sys.argv) > 1 and sys.argv[1] not in function.__name__:
            continue
        try:
            function()
            print(f"ok {function.__name__}", flush=True)
        except Exception:  # whatever went wrong, the other tests still run
            failed += 1
            print(f"not ok {function.__name__}")
            print("".join(f"#   {line}\n" for line in traceback.format_exc().splitlines()), flush=True)
    return 1 if failed else 0
