"""What the tests of kills and of power loss share: a test server, its drive under load, the end of a process."""
import ctypes
import os
import re
import signal
import subprocess
import time

BUILD = os.path.abspath(os.environ.get("KLM_BUILD", "build"))
SOURCE = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
TESTSERVER = os.path.join(SOURCE, "tools/testserver")
WRITER = os.path.join(BUILD, "kill/kxwriter")
CHECKSTORE = os.path.join(BUILD, "kill/checkstore")
SERIAL, WWN = "000007888422", "500507630240FBCC"  # the drive that testserver makes
SLOW = float(os.environ.get("KLM_TEST_SLOW", "1"))
PR_SET_CHILD_SUBREAPER = 36
# Files roll over every moment, so that it happens under the eyes of the test.
SMALL = ["Audit.handler.file.size=64", "Audit.metadata.file.size=64", "Audit.metadata.file.cachecount=100", "Audit.smf.dataset.size=64",
         "Audit.checkpoint.records=100", "store.cache.megabytes=16"]


def adopt():
    """Servers are started by a script that ends: from now on they are our children, so that their end can be awaited."""
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


class Server:
    def __init__(self, home, programs=None):
        self.home, self.programs, self.env = home, programs or os.environ.get("KLM_BIN", os.path.join(BUILD, "bin")), {}

    def testserver(self, verb, *words, wrap="", **named):
        env = dict(os.environ, KLM_BIN=self.programs, KLM_WRAP=wrap, KLM_START_TENTHS=str(int(600 * SLOW)))
        return subprocess.Popen([TESTSERVER, verb, self.home, *words], env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                stderr=subprocess.STDOUT, text=True, errors="replace", **named)

    def call(self, verb, *words, **named):
        process = self.testserver(verb, *words, **named)
        said, _ = process.communicate(timeout=120 * SLOW)
        if process.returncode:
            raise AssertionError(f"testserver {verb}: status {process.returncode}\n{said}")
        with open(os.path.join(self.home, "env"), encoding="utf-8") as file:
            self.env = dict(os.environ, **dict(re.findall(r"^export (\w+)='?([^'\n]*)'?$", file.read(), re.M)))

    def pid(self):
        try:
            with open(os.path.join(self.home, "run/pid"), encoding="utf-8") as file:
                return int(file.read())
        except (OSError, ValueError):
            return 0

    def kill(self):
        """kill -9, and wait until it is gone."""
        pid = self.pid()
        os.kill(pid, signal.SIGKILL)
        _, status = os.waitpid(pid, 0)
        os.unlink(os.path.join(self.home, "run/pid"))
        if not os.WIFSIGNALED(status):
            raise AssertionError(f"the server had ended by itself, status {status}")

    def kill_in_start(self, after):
        """Start it, kill it so many seconds after its process began, while it is still the script's child."""
        starter = self.testserver("run")
        deadline = time.monotonic() + 20 * SLOW
        while not self.pid() and time.monotonic() < deadline:
            time.sleep(0.002)
        time.sleep(after)
        pid = self.pid()
        os.kill(pid, signal.SIGKILL)
        starter.communicate(timeout=120 * SLOW)
        try:
            os.waitpid(pid, 0)  # unless the script has seen its end
        except ChildProcessError:
            pass
        if self.pid() == pid:
            os.unlink(os.path.join(self.home, "run/pid"))

    def writer(self, verb, *words, **named):
        command = [WRITER, verb, "--drive", os.path.join(self.home, "drive"), "--serial", SERIAL, "--wwn", WWN,
                   "--tcp", self.env["KLM_TCP_PORT"], "--ssl", self.env["KLM_SSL_PORT"], *words]
        return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, **named)


class Notes:
    """The list of what was sent and acknowledged, each line one write."""

    def __init__(self, path, mark=None):
        self.path, self.mark = path, mark
        self.handle = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)

    def note(self, line):
        os.write(self.handle, line.encode())
        if self.mark:
            self.mark(line)

    def read(self):
        with open(self.path, encoding="utf-8") as file:
            return file.readlines()

    def close(self):
        os.close(self.handle)
