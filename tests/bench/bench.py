#!/usr/bin/env python3
"""Speed of the key server against what this machine could do at best, measured in the same minutes.

    bench.py BUILD_FOLDER

Each row runs the server and its ceiling in turn and takes the median of the ratios of those pairs; a row whose ratios differ by more than a
quarter is measured again, twice at most, and its last try counts. Prints a table, writes every single run to BUILD_FOLDER/bench.jsonl. Exit 1: an answer was wrong or
missing, or a target was not shown to be met while BENCH_STRICT is set. Environment, with defaults: BENCH_PAIRS 5, BENCH_SECONDS 2, BENCH_ROWS (only rows whose
name contains this word), BENCH_DRIVES 100000, BENCH_EVENTS 1000000, BENCH_RESTARTS 3, BENCH_OBJECTS 100000, BENCH_KEYS 1000000, BENCH_IDLE 10000, BENCH_KEEP (leave the servers' folders), BENCH_STRICT.
docs/performance.md explains rows and ceilings."""
import json
import os
import re
import shutil
import signal
import statistics
import subprocess
import sys
import time

import audit
import backup
import kmip_rows
import token_row

SOURCE = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.path.abspath(sys.argv[1] if len(sys.argv) > 1 else "build")
WORK = os.path.join(BUILD, "bench", "work")
PAIRS = int(os.environ.get("BENCH_PAIRS", "5"))
SECONDS = float(os.environ.get("BENCH_SECONDS", "2"))
ROWS = os.environ.get("BENCH_ROWS", "")
DRIVES = int(os.environ.get("BENCH_DRIVES", "100000"))
EVENTS = int(os.environ.get("BENCH_EVENTS", "1000000"))
RESTARTS = int(os.environ.get("BENCH_RESTARTS", "3"))
RUN_TIMEOUT = 60 + 10 * SECONDS
SPREAD = 1.25       # highest ratio of a row over its lowest; more is measured again
REPEATS = 2
DISTURBED = 0.3     # CPUs that others used; a row with more is marked

SETTINGS = ["Audit.event.types", "Audit.event.outcome", "Audit.eventQueue.max", "Audit.sync", "Audit.failure.action",
            "Audit.metadata.file.cachecount", "Audit.smf", "TransportListener.ssl.protocols", "TransportListener.ssl.clientauthentication",
            "server.threads.workers", "store.cache.megabytes"]

errors = []
results = []
log = None


def record(entry, **more):
    log.write(json.dumps({**entry, **more}) + "\n")
    log.flush()
    return entry


def program(name):
    return os.path.join(BUILD, "bench", name)


def measure(command, **more):
    """Run one of the programs beside this file and return the object that it prints."""
    done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, check=False,
                          timeout=RUN_TIMEOUT)
    try:
        entry = json.loads(done.stdout)
    except ValueError:
        raise SystemExit(f"bench: {' '.join(command)}: exit {done.returncode}\n{done.stderr}") from None
    if done.returncode:
        errors.append(f"{' '.join(command)}: exit {done.returncode}: {done.stderr.strip()}")
    return record(entry, **more)


def ceiling(what, *options, **more):
    return measure([program("ceiling"), what, *map(str, options)], **more)


# ---- The server


class Server:
    """A test server in a folder of its own; started the first time by tools/testserver, later from here, where starts can be timed."""

    def __init__(self, name, settings=()):
        self.home = os.path.join(WORK, name)
        self.child = None
        self.tool("start", *settings)
        self.env = self.read_env()
        self.pid = int(self.env["KLM_PID"])

    def tool(self, verb, *settings):
        env = {**os.environ, "KLM_BIN": os.path.join(BUILD, "bin")}
        done = subprocess.run([os.path.join(SOURCE, "tools", "testserver"), verb, self.home, *settings], env=env,
                              stdin=subprocess.DEVNULL, check=False, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, timeout=300)
        if done.returncode:
            raise SystemExit(f"bench: testserver {verb} failed: {done.stderr}")

    def oper(self, command):
        """What an operator is answered."""
        done = subprocess.run([os.path.join(BUILD, "bin", "oper"), f"F ISKLM,APPL='{command}'"], env={**os.environ, **self.env},
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=True, timeout=60)
        return done.stdout

    def racf(self, command):
        subprocess.run([os.path.join(BUILD, "bin", "racdcert"), command], env={**os.environ, **self.env},
                       stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, check=True, timeout=60)

    def read_env(self):
        text = open(os.path.join(self.home, "env"), encoding="utf-8").read()
        return {m[1]: m[2] for m in re.finditer(r"^export (\w+)='?([^'\n]*)'?$", text, re.M)}

    def properties(self):
        out = {}
        for line in open(self.env["KLM_CONFIG"], encoding="utf-8"):
            found = re.match(r"\s*([^#!\s=]+)\s*=\s*(.*?)\s*$", line)
            if found:
                out[found[1]] = re.sub(r"\\(.)", r"\1", found[2])
        return out

    def launch(self, limit=120):
        """Start and wait until it serves; milliseconds from the start of the program to its message."""
        console = os.path.join(self.home, "log", "console")
        with open(console, "ab") as out:
            before, begin = out.tell(), time.monotonic()
            self.child = subprocess.Popen([os.path.join(BUILD, "bin", "klmsrv"), self.env["KLM_CONFIG"]], stdin=subprocess.DEVNULL,
                                          stdout=out, stderr=subprocess.STDOUT)
        self.pid = self.child.pid
        with open(console, "rb") as lines:
            said = b""
            while b"Server is running" not in said:
                if self.child.poll() is not None or time.monotonic() - begin > limit:
                    self.kill()
                    raise SystemExit(f"bench: the server in {self.home} does not start:\n{said.decode(errors='replace')}")
                time.sleep(0.001)
                lines.seek(before)
                said = lines.read()
        return (time.monotonic() - begin) * 1000

    def stop(self):
        if self.child is None:
            self.tool("stop")
        else:
            self.child.terminate()
            self.child.wait(60)
        self.child = None
        self.pid = None

    def kill(self):
        """As kill -9 does."""
        os.kill(self.pid, signal.SIGKILL)
        if self.child:
            self.child.wait(60)

    def resident_mib(self):
        status = open(f"/proc/{self.pid}/status", encoding="ascii").read()
        return int(re.search(r"VmRSS:\s+(\d+)", status)[1]) / 1024

    def cpu_ns(self):
        """CPU time that all threads of the server have used."""
        total = 0
        for task in os.listdir(f"/proc/{self.pid}/task"):
            try:
                total += int(open(f"/proc/{self.pid}/task/{task}/schedstat", encoding="ascii").read().split()[0])
            except FileNotFoundError:
                pass  # a thread that ended
        return total

    def load_command(self, op, sessions, port, seconds, warm=0.3, device="KLM_DRIVE"):
        return [program("kxload"), "-p", self.env["KLM_SSL_PORT" if port == "ssl" else "KLM_TCP_PORT"], "-D", self.env[device],
                "-o", op, "-c", str(sessions), "-d", str(seconds), "-w", str(warm), "-i", str(self.pid), *(["-s"] if port == "ssl" else [])]

    def load(self, op, sessions, port="tcp", seconds=SECONDS, warm=0.3, device="KLM_DRIVE", **more):
        device = "KLM_LTO_DRIVE" if op.startswith("lto") else device
        entry = measure(self.load_command(op, sessions, port, seconds, warm, device), **more)
        if entry["errors"]:
            errors.append(f"{op} with {sessions} sessions: {entry['errors']} wrong answers")
        return entry


# ---- Ceilings


def echo(sessions, port):
    return ceiling("echo", "-c", sessions, "-d", SECONDS / 2, *(["-T"] if port == "ssl" else []))["ops_per_s"]


def create_cpu():
    """Seconds that the cryptography of one create takes: two public-key operations and a new key."""
    return (2 / ceiling("encrypt", "-d", SECONDS / 4)["ops_per_s"] + 1 / ceiling("random", "-d", SECONDS / 10)["ops_per_s"])


def get_alone(sessions, port):
    return 1 / (1 / echo(sessions, port) + 1 / ceiling("decrypt", "-d", SECONDS / 2)["ops_per_s"])


def get_all_cores(sessions, port):
    return ceiling("decrypt", "-t", 2, "-d", SECONDS)["ops_per_s"]


def create_alone(sessions, port):
    commits = ceiling("commit", "-f", WORK, "-t", 1, "-u", 2, "-d", SECONDS)["commits_per_s"]
    return 1 / (1 / echo(sessions, port) + create_cpu() + 1 / commits)


def create_batched(sessions, port):
    puts = ceiling("commit", "-f", WORK, "-t", 1, "-u", 32, "-d", SECONDS)["puts_per_s"]
    return 1 / (1 / echo(sessions, port) + create_cpu() + 2 / puts)


def lto_get(sessions, port):
    return 1 / (1 / echo(sessions, port) + 1 / ceiling("keywrap", "-d", SECONDS / 4)["ops_per_s"])


def lto_create(sessions, port):
    puts = ceiling("commit", "-f", WORK, "-t", 1, "-u", 32, "-d", SECONDS)["puts_per_s"]
    return 1 / (1 / lto_get(sessions, port) + 4 / puts)  # usage, mark, turn, outbox


def plain_commits(sessions, port):
    return ceiling("commit", "-f", WORK, "-t", 8, "-u", 3, "-d", SECONDS)["commits_per_s"]


def echo_only(sessions, port):
    return echo(sessions, "ssl")  # both ports speak TLS by the time


# ---- Rows


class Row:
    """One line of the table. Ratios above a floor, or below a roof, are targets; None: the row only informs."""

    def __init__(self, name, what, target=None, good=None, roof=False):
        self.name, self.what, self.target, self.good, self.roof = name, what, target, good, roof
        self.runs, self.ratios, self.attempts = [], [], 0

    def holds(self, limit):
        ratio = statistics.median(self.ratios)
        return ratio <= limit if self.roof else ratio >= limit

    def verdict(self):
        if self.target is None:
            return ""
        return "good" if self.holds(self.good) else "met" if self.holds(self.target) else "MISSED"

    def mark(self):
        """Why the row proves nothing: "*" others used the machine, "~" its ratios still differ too much."""
        return ("*" if (self.median("other_cpu") or 0) > DISTURBED else "") + ("" if self.steady() else "~")

    def steady(self):
        return len(self.ratios) < 2 or max(self.ratios) <= SPREAD * min(self.ratios)

    def median(self, field):
        values = [run[field] for run in self.runs if field in run]
        return statistics.median(values) if values else None

    def fill(self, pair, pairs=None):
        """pair() is one server run and its ratio to the ceiling measured next to it."""
        for _ in range(1 + REPEATS):
            self.runs, self.ratios = [], []
            self.attempts += 1
            for _ in range(pairs or PAIRS):
                run, ratio = pair()
                self.runs.append(run)
                self.ratios.append(ratio)
            if self.steady():
                break
        results.append(self)
        record({"bench": "row", "row": self.name, "ratios": self.ratios, "ratio": statistics.median(self.ratios),
                "attempts": self.attempts, "mark": self.mark(), "target": self.target, "good": self.good, "verdict": self.verdict()})
        print(f"  {self.name}: {statistics.median(self.ratios):.2f} ({min(self.ratios):.2f} to {max(self.ratios):.2f}) "
              f"of {self.what} {self.verdict()}", flush=True)


def wanted(name):
    return ROWS in name


def exchange_rows(server):
    plan = [("get", 1, get_alone, "echo and one RSA decrypt", None, None),
            ("get", 8, get_all_cores, "RSA decrypt, 2 threads", 0.70, 0.85),
            ("get", 64, get_all_cores, "RSA decrypt, 2 threads", None, None),
            ("create", 1, create_alone, "echo, crypto, one commit", None, None),
            ("create", 8, create_batched, "echo, crypto, puts in batches", 0.60, 1.0),
            ("create", 64, plain_commits, "plain commits of 3, 8 threads", 3, 5),
            ("verify", 8, echo_only, "echo under TLS", None, None),
            ("lto-get", 8, lto_get, "echo and key wrap", None, None),
            ("lto-create", 8, lto_create, "echo, key wrap, puts in batches", None, None)]
    server.oper("modkeygroup -groupID LTOKEYS -wrap")  # the group is shorter than the run
    for op, sessions, best, what, target, good in plan:
        for port in ("tcp", "ssl"):
            row = Row(f"{op}@{sessions} {port}", what, target, good)

            def pair(op=op, sessions=sessions, port=port, best=best, row=row):
                run = server.load(op, sessions, port, row=row.name)
                return run, run["ops_per_s"] / best(sessions, port)

            if wanted(row.name):
                row.fill(pair)


def disk_rows(server):
    """An array that asks for its data key again and again: an RSA decrypt each, and a usage event that is on disk before the answer."""
    rows = [Row(f"disk unlock@8 {port}", "RSA decrypt, 2 threads", 0.50, 0.70) for port in ("tcp", "ssl")]
    if not any(wanted(row.name) for row in rows):
        return
    server.tool("array")
    for row in rows:
        port = row.name.split()[-1]

        def pair(port=port, row=row):
            run = server.load("get", 8, port, device="KLM_ARRAY", row=row.name)
            return run, run["ops_per_s"] / get_all_cores(8, port)

        if wanted(row.name):
            row.fill(pair)


def loop_row(server):
    """A drive that only verifies, alone and while 64 sessions get keys: is the loop ever kept?"""
    # What the probe itself waits for a CPU is no wait for the server, nor is it one at a drive; both figures are shown.
    loop_pairs(server, Row("verify@1 beside get@64, p99", "its p99 when idle", 5, 2, roof=True), "p99_us")
    loop_pairs(server, Row("verify@1 beside get@64, p99 less own waits", "the same when idle", 5, 2, roof=True), "p99_served_us")


def loop_pairs(server, row, field):
    def pair():
        idle = server.load("verify", 1, row=row.name, beside="nothing")
        # The 64 give way to the one on this side of the wire: its wait for their program would not be the server's.
        others = subprocess.Popen(["nice", "-n", "5", *server.load_command("get", 64, "tcp", SECONDS + 2)], stdin=subprocess.DEVNULL,
                                  stdout=subprocess.DEVNULL)
        time.sleep(1)
        busy = server.load("verify", 1, row=row.name, beside="get@64")
        if others.wait(RUN_TIMEOUT):
            errors.append("the load beside verify had errors")
        return {**busy, "p99_us": busy[field]}, busy[field] / idle[field]

    if wanted(row.name):
        row.fill(pair)


def resident_row(server):
    row = Row("resident, idle, empty store, MiB", "64 MiB", 1, 0.75, roof=True)
    if wanted(row.name):
        time.sleep(1)
        mib = server.resident_mib()
        row.fill(lambda: ({"value": mib}, mib / 64), pairs=1)


def flat_row(small, big):
    for op in ("create", "get"):
        row = Row(f"{op}@8, big store", "its rate with a small store", 0.80, 0.95)

        def pair(op=op, row=row):
            other = small.load(op, 8, row=row.name, store="small")
            run = big.load(op, 8, row=row.name, store="big")
            return run, run["ops_per_s"] / other["ops_per_s"]

        if wanted(row.name):
            row.fill(pair)


def fill_store(server):
    server.stop()
    command = [program("fillstore"), "-s", os.path.join(server.home, "store"), "-m", server.properties()["config.masterkey.file"],
               "-d", str(DRIVES), "-e", str(EVENTS)]
    print(f"  filling a store with {DRIVES:,} drives and {EVENTS:,} usage events", flush=True)
    done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True, check=True, timeout=1800)
    record(json.loads(done.stdout))
    server.launch()
    server.stop()


def bare_open(server, row):
    """Recovery and open of a copy of the store, by Berkeley DB alone."""
    copy = os.path.join(WORK, "copy")
    shutil.rmtree(copy, ignore_errors=True)
    shutil.copytree(os.path.join(server.home, "store"), copy)
    entry = ceiling("open", "-f", copy, row=row.name)
    shutil.rmtree(copy)
    return entry["ms"]


def timed_start(server, row):
    bare = bare_open(server, row)
    ms = server.launch()
    entry = record({"bench": "start", "row": row.name, "value": ms, "bare_ms": bare})
    return entry, ms / bare


def start_rows(server):
    """The server is down when this begins, and up when it ends."""
    clean = Row("start, ms, after a clean end", "bare open", 15, 5, roof=True)
    killed = Row("start, ms, after kill -9", "bare open", 15, 5, roof=True)

    def after_clean():
        if server.child:
            server.stop()
        return timed_start(server, clean)

    def after_kill():
        others = subprocess.Popen(server.load_command("create", 64, "tcp", 30), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                  stderr=subprocess.DEVNULL)
        time.sleep(max(SECONDS, 1))
        server.kill()
        others.wait(RUN_TIMEOUT)
        return timed_start(server, killed)

    if wanted(clean.name):
        clean.fill(after_clean, RESTARTS)
    if not server.child:
        server.launch()
    if wanted(killed.name):
        killed.fill(after_kill, RESTARTS)


# ---- The table


def number(value, form):
    return "" if value is None else format(value, form)


def cells(row):
    return [row.name, number(row.median("ops_per_s") or row.median("value"), ",.0f"), number(row.median("p50_us"), ",.0f"),
            number(row.median("p99_us"), ",.0f"), number(row.median("server_us_per_op"), ",.1f"),
            number(row.median("client_us_per_op"), ",.1f"), number(row.median("other_cpu"), ".2f"),
            f"{statistics.median(row.ratios):.2f}", f"{min(row.ratios):.2f} to {max(row.ratios):.2f}", str(row.attempts), row.what,
            "" if row.target is None else f"{'<=' if row.roof else '>='} {row.target:g} ({row.good:g})", row.verdict() + row.mark()]


def print_table():
    lines = [["operation@sessions", "ops/s", "p50 us", "p99 us", "server us/op", "client us/op", "others' CPUs", "ratio", "from, to", "tries", "of",
              "target (good)", ""]] + [cells(row) for row in results]
    widths = [max(len(line[i]) for line in lines) for i in range(len(lines[0]))]
    lines.insert(1, ["-" * width for width in widths])
    for line in lines:
        print("| " + " | ".join(cell.ljust(width) for cell, width in zip(line, widths)) + " |")
    if any(row.mark() for row in results):
        print(f"* something else used more than {DISTURBED:g} CPUs, ~ the ratios of the last try differ by more than a quarter:\n"
              "  such a row shows neither that its target is met nor that it is missed; measure again when the machine is quiet")


def print_settings(server):
    properties = server.properties()
    print("Audit and durability in force (the shipped sample):")
    print("  a create's usage event and audit event are on disk before its answer; one writer commits up to 32 changes at once")
    for name in SETTINGS:
        print(f"  {name}={properties.get(name, '(default)')}")


def print_machine():
    info = open("/proc/cpuinfo", encoding="utf-8").read()
    model = re.search(r"^model name\s*:\s*(.*)$", info, re.M)
    print(f"{time.strftime('%Y-%m-%d')}, {os.cpu_count()} x {model[1] if model else os.uname().machine}, Linux {os.uname().release}; "
          f"{PAIRS} pairs of {SECONDS:g} s; load average at the start {os.getloadavg()[0]:.1f}")


def big_wanted():
    return any(wanted(name) for name in ("start, ms, after a clean end", "start, ms, after kill -9", "create@8, big store",
                                         "get@8, big store"))


def run(servers):
    small = Server("small")
    servers.append(small)
    print_settings(small)
    print("\nRatios, as they come:")
    resident_row(small)
    exchange_rows(small)
    disk_rows(small)
    loop_row(small)
    if big_wanted():
        big = Server("big")
        servers.append(big)
        fill_store(big)
        start_rows(big)
        flat_row(small, big)
    bench = sys.modules[__name__]
    if token_row.wanted(bench):
        token_row.rows(bench, servers)
    if kmip_rows.wanted(bench):
        kmip_rows.rows(bench, servers)
    if audit.wanted(bench):
        audit.rows(bench, servers)
    if backup.wanted(bench):
        backup.rows(bench, servers)


def main():
    global log
    shutil.rmtree(WORK, ignore_errors=True)
    os.makedirs(WORK)
    log = open(os.path.join(BUILD, "bench.jsonl"), "w", encoding="utf-8")
    servers = []
    print_machine()
    try:
        run(servers)
    finally:
        for server in servers:
            if server.pid:
                server.stop()
        if not os.environ.get("BENCH_KEEP"):
            shutil.rmtree(WORK, ignore_errors=True)
    print()
    print_table()
    aimed = [row for row in results if row.target is not None]
    unsure = [row.name for row in aimed if row.mark()]
    missed = [row.name for row in aimed if row.verdict() == "MISSED" and not row.mark()]
    for line in errors[:20]:
        print(f"error: {line}")
    print(f"\n{len(aimed) - len(missed) - len(unsure)} targets met; {len(missed)} missed: {', '.join(missed) or 'none'}; "
          f"{len(unsure)} not shown either way: {', '.join(unsure) or 'none'}; {len(errors)} errors")
    return 1 if errors or ((missed or unsure) and os.environ.get("BENCH_STRICT")) else 0


if __name__ == "__main__":
    sys.exit(main())
