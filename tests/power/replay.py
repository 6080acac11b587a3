#!/usr/bin/env python3
"""Record a program's writes, and check what it makes of every state that a power loss could leave.

  replay.py record --root DIR --trace FILE [--shim record.so] -- COMMAND ...   run a command recorded
  replay.py mark --trace FILE TEXT                       note an acknowledged fact
  replay.py complete --trace FILE                        check that the trace explains the folder as it is now
  replay.py crash --trace FILE --verify COMMAND [...]    check the states of many crash points
  replay.py make --trace FILE --point N --state NAME[:SEED] --to DIR           lay one state out, to look at it
  replay.py list --trace FILE                            print the trace

The verify command runs with a shell for each state: KLM_POWER_DIR is a folder in that state, KLM_POWER_MARKS a file with the
facts acknowledged before the crash, one a line, KLM_POWER_INODES one with the inode number that each file had; 0 says that all is well. Rules of the states are in disk.py.
"""
import argparse
import concurrent.futures
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import disk  # noqa: E402  (beside this file)
import records as tr  # noqa: E402

PLAIN_STATES = ["none", "all", "names", "data", "torn"]
SHOWN = int(os.environ.get("POWER_SHOWN", "10"))


def default_shim():
    return os.path.join(os.environ.get("KLM_BUILD", "build"), "power", "record.so")


def record(options):
    tr.start(options.root, options.trace)
    env = dict(os.environ, **tr.environment(options.root, options.trace, options.shim, options.marks))
    return subprocess.call(options.command, env=env)


def model_at(path, records, point, names, whole=None):
    model = disk.Disk(path, names, whole)
    for index in range(point):
        model.advance(index, records[index])
    return model


def files_of(folder):
    found = {}
    for top, folders, files in os.walk(folder):
        for name in folders:
            found[os.path.relpath(os.path.join(top, name), folder)] = None
        for name in files:
            full = os.path.join(top, name)
            if os.path.isfile(full):
                with open(full, "rb") as file:
                    found[os.path.relpath(full, folder)] = file.read()
    return found


def incomplete(path):
    """What the trace does not explain of the folder as it is now: a list of texts."""
    records = tr.read(path)
    model = model_at(path, records, len(records), "strict")
    problems = list(dict.fromkeys(model.unseen)) if records else ["nothing was recorded"]
    expected = {name: content and bytes(content) for name, _, content in model.tree(disk.Choice("all")) if name}
    actual = files_of(model.root)
    for name in sorted(expected.keys() | actual.keys()):
        if name not in actual:
            problems.append(f"{name} is in the trace only")
        elif name not in expected:
            problems.append(f"{name} is in the folder only")
        elif expected[name] != actual[name]:
            problems.append(f"{name} differs from the trace: something wrote it unseen")
    return problems


def complete(options):
    problems = incomplete(options.trace)
    print("\n".join(problems) or "the trace explains the folder")
    return 1 if problems else 0


def choose_points(records, idle, wanted, seed):
    """Crash points, best first: right behind each mark and each end of a sync, then any change. All of them when there is
    room; but not those behind records that change nothing (idle)."""
    changes = [index + 1 for index, item in enumerate(records) if item.what not in (tr.SYNC_BEGIN, tr.UNSEEN) and index not in idle]
    telling = [index + 1 for index, item in enumerate(records) if item.what in (tr.MARK, tr.SYNC_END, tr.RENAME)]
    dice = random.Random(seed)
    if wanted and wanted < len(changes):
        first = dice.sample(telling, min(len(telling), wanted // 2))
        rest = [point for point in changes if point not in set(first)]
        changes = first + dice.sample(rest, min(len(rest), wanted - len(first)))
    return sorted(set(changes))


class Verifier:
    """Runs the verify command on states, each state of the same marks once."""

    def __init__(self, options):
        self.options, self.seen, self.tried = options, set(), 0
        self.own, self.servers = threading.local(), []
        self.tmp = tempfile.mkdtemp(prefix="power-", dir=options.scratch)

    def start(self, pool, point, state, model, tree):
        marks = [text for index, text in model.marks if index < point]
        key = (disk.digest(tree), len(marks))
        if key in self.seen:
            return None
        self.seen.add(key)
        self.tried += 1
        folder = os.path.join(self.tmp, str(self.tried))
        disk.write_tree(tree, os.path.join(folder, "state"))
        with open(os.path.join(folder, "marks"), "w", encoding="utf-8") as file:
            file.write("".join(text if text.endswith("\n") else text + "\n" for text in marks))
        with open(os.path.join(folder, "inodes"), "w", encoding="utf-8") as file:
            file.write("".join(f"{content.inode} {path}\n" for path, _, content in tree if content))
        return pool.submit(self.verify, point, state, folder)

    def verify(self, point, state, folder):
        names = {"KLM_POWER_DIR": os.path.join(folder, "state"), "KLM_POWER_MARKS": os.path.join(folder, "marks"),
                 "KLM_POWER_INODES": os.path.join(folder, "inodes")}
        status, output = self.asked(names) if self.options.serve else self.run(dict(os.environ, **names))
        if not (status and self.options.keep):
            shutil.rmtree(folder, ignore_errors=True)
        return point, state, status, output, folder

    def run(self, env):
        process = subprocess.Popen(self.options.verify, shell=True, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                   stderr=subprocess.STDOUT, start_new_session=True)
        try:
            output, _ = process.communicate(timeout=self.options.limit)
            status = process.returncode
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            output, status = process.communicate()[0], "no end in time"
        return status, output.decode(errors="replace")

    def asked(self, names):
        """Of a verify command that goes on running: one for each thread, a new one where one ended."""
        server = getattr(self.own, "server", None)
        if server is None or server.poll() is not None:
            server = self.own.server = subprocess.Popen(self.options.verify, shell=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True)
            self.servers.append(server)
        watch = threading.Timer(self.options.limit, os.killpg, (server.pid, signal.SIGKILL))
        watch.start()
        try:
            server.stdin.write(json.dumps(names).encode() + b"\n")
            server.stdin.flush()
            answer = server.stdout.readline()
        except OSError:
            answer = b""
        watch.cancel()
        if not answer:
            server.wait()
            return "ended without an answer", ""
        return json.loads(answer)

    def end(self):
        for server in self.servers:
            server.stdin.close()
            server.wait()


def states(options):
    return [(name, 0) for name in PLAIN_STATES] + [("random", seed) for seed in range(options.random)]


def crash(options):
    records = tr.read(options.trace)
    idle = model_at(options.trace, records, len(records), options.names).idle
    points = [point for point in choose_points(records, idle, options.points, options.seed) if point > options.begin]
    deadline = time.monotonic() + options.seconds if options.seconds else None
    verifier, failures, reached = Verifier(options), [], 0
    model, at = disk.Disk(options.trace, options.names, options.whole), 0
    with concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
        waiting = set()
        for number, point in enumerate(spread(points, options, deadline)):
            if at > point:
                model, at = disk.Disk(options.trace, options.names, options.whole), 0
            while at < point:
                model.advance(at, records[at])
                at += 1
            for name, seed in states(options):
                job = verifier.start(pool, point, f"{name}:{seed}", model, model.tree(disk.Choice(name, f"{options.seed}/{point}/{seed}")))
                waiting |= {job} if job else set()
                waiting = collect(waiting, failures, records, options.jobs * 2)
            reached = number + 1
            in_time = not deadline or time.monotonic() <= deadline or reached < options.least
            if not in_time or len(failures) >= options.failures:
                break
        collect(waiting, failures, records, 0)
    verifier.end()
    if not options.keep:
        shutil.rmtree(verifier.tmp, ignore_errors=True)
    for problem in dict.fromkeys(model.unseen):
        print(f"not seen: {problem}")
    print(f"power: {reached} of {len(points)} crash points, {verifier.tried} different states, {len(failures)} failed")
    return 1 if failures or model.unseen or not verifier.tried else 0


def spread(points, options, deadline):
    """In order when all are to be done; else in passes over the whole trace, each finer than the one before."""
    if not deadline:
        return points
    order, step = [], max(1, len(points) // 16)
    left = set(points)
    while left:
        chosen = [point for point in points[::step] if point in left]
        order += chosen
        left -= set(chosen)
        step = max(1, step // 2)
    return order


def collect(waiting, failures, records, most):
    """Take results until at most so many jobs wait; failures are printed as they come."""
    while len(waiting) > most:
        done, waiting = concurrent.futures.wait(waiting, return_when=concurrent.futures.FIRST_COMPLETED)
        for job in done:
            point, state, status, output, folder = job.result()
            if status:
                failures.append(point)
                if len(failures) <= SHOWN:
                    print(f"FAILED: crash point {point} (after: {records[point - 1]}), state {state}: {status}; {folder}")
                    print("".join(f"    | {line}\n" for line in output.splitlines()[-20:]), end="", flush=True)
    return waiting


def make(options):
    records = tr.read(options.trace)
    name, _, seed = options.state.partition(":")
    model = model_at(options.trace, records, options.point, options.names, options.whole)
    disk.write_tree(model.tree(disk.Choice(name, f"{options.seed}/{options.point}/{seed or 0}")), options.to)
    print("".join(text if text.endswith("\n") else text + "\n" for _, text in model.marks), end="")
    return 0


def options_of():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    verbs = parser.add_subparsers(dest="verb", required=True)
    for name in ("record", "mark", "complete", "crash", "make", "list"):
        verb = verbs.add_parser(name)
        verb.add_argument("--trace", required=True)
        if name == "record":
            verb.add_argument("--root", required=True)
            verb.add_argument("--shim", default=default_shim())
            verb.add_argument("--marks", help="file whose writes are marks")
            verb.add_argument("command", nargs=argparse.REMAINDER)
        if name == "mark":
            verb.add_argument("text")
        if name in ("crash", "make"):
            verb.add_argument("--names", choices=("strict", "file"), default="strict",
                              help="file: a sync of a file keeps all names so far, as ext4 and xfs do")
            verb.add_argument("--whole", help="expression that finds files that reach the disk in whole pages, never torn")
            verb.add_argument("--seed", default="1")
        if name == "crash":
            verb.add_argument("--verify", required=True, help="shell command")
            verb.add_argument("--serve", action="store_true", help="the verify command goes on: it reads a line of JSON with the variables of a state and answers with one "
                              "of its status and what it has to say")
            verb.add_argument("--points", type=int, default=0, help="sample so many crash points; 0: all")
            verb.add_argument("--begin", type=int, default=0, help="only crash points behind this record")
            verb.add_argument("--seconds", type=float, default=0, help="stop after so many seconds; 0: never")
            verb.add_argument("--least", type=int, default=1, help="crash points to be done whatever --seconds says")
            verb.add_argument("--random", type=int, default=3, help="random states for each crash point")
            verb.add_argument("--limit", type=float, default=60, help="seconds that one verify may take")
            verb.add_argument("--failures", type=int, default=20, help="stop after so many")
            verb.add_argument("--keep", action="store_true", help="keep the states that failed")
            verb.add_argument("--scratch", help="folder that states are laid out in; one in memory is faster")
            verb.add_argument("--jobs", type=int, default=len(os.sched_getaffinity(0)))
        if name == "make":
            verb.add_argument("--point", type=int, required=True)
            verb.add_argument("--state", default="all")
            verb.add_argument("--to", required=True)
    return parser.parse_args()


def main():
    options = options_of()
    if options.verb == "record":
        options.command = options.command[1:] if options.command[:1] == ["--"] else options.command
        return record(options)
    if options.verb == "mark":
        tr.mark(options.trace, options.text)
    if options.verb == "list":
        for index, item in enumerate(tr.read(options.trace)):
            print(f"{index + 1:6} {item}")
    return {"complete": complete, "crash": crash, "make": make}.get(options.verb, lambda _: 0)(options)


if __name__ == "__main__":
    sys.exit(main())
