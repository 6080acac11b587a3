"""Rows about audit: what sinks cost, how fast events go through them, how fast data sets are read."""
import glob
import hashlib
import mmap
import os
import re
import socket
import subprocess
import sys
import threading
import time

RECORDS = int(os.environ.get("BENCH_RECORDS", "1000000"))
ALL_ON = ["Audit.smf=true", "Audit.isSyslog=true", "Audit.syslog.transport=tcp", "Audit.syslog.server.host=127.0.0.1"]
ALL_OFF = ["Audit.smf=false", "Audit.isSyslog=false", "Audit.event.types=none"]


class Receiver(threading.Thread):
    """Takes what a syslog sink sends and looks at nothing."""

    def __init__(self):
        super().__init__(daemon=True)
        self.sock = socket.create_server(("127.0.0.1", 0))
        self.port = self.sock.getsockname()[1]
        self.bytes = 0
        self.start()

    def run(self):
        while True:
            try:
                peer, _ = self.sock.accept()
            except OSError:
                return
            with peer:
                try:
                    while got := peer.recv(1 << 20):
                        self.bytes += len(got)
                except ConnectionError:
                    pass


FEW = 50  # asking makes events, too


def backlog(server):
    """Records of the journal that a sink has not brought out yet, the worst of all sinks."""
    said = server.oper("status")
    behind = [int(n.replace(",", "")) for n in re.findall(r"(\d[\d,]*) (?:events |records )?(?:behind|waiting)", said)]
    return max(behind, default=0)


def whole_cost(server, op, **more):
    """A run whose CPU time is counted until the sinks have brought out what it made: they have the lowest priority, so on a busy machine they
    work after the keys were served."""
    begin = server.cpu_ns()
    run = server.load(op, 8, warm=0, **more)
    while backlog(server) > FEW:
        time.sleep(0.1)
    return {**run, "server_us_per_op": (server.cpu_ns() - begin) / run["ops"] / 1000}


def cost_rows(bench, on, off, always):
    """CPU time of the server for a key, with every sink and with none; the machine and the minute are the same."""
    for op in ("get", "create"):
        row = bench.Row(f"{op}@8, all sinks, server us/op", "the same with no sink", 1.10, 1.05, roof=True)

        def pair(op=op, row=row):
            bare = whole_cost(off, op, row=row.name, sinks="none")
            full = whole_cost(on, op, row=row.name, sinks="all")
            return full, full["server_us_per_op"] / bare["server_us_per_op"]

        if bench.wanted(row.name):
            row.fill(pair)
    for op in ("get", "create"):
        row = bench.Row(f"{op}@8, Audit.sync=always", "its rate with Audit.sync=normal")

        def pair_always(op=op, row=row):
            normal = on.load(op, 8, row=row.name, sync="normal")
            run = always.load(op, 8, row=row.name, sync="always")
            return run, run["ops_per_s"] / normal["ops_per_s"]

        if bench.wanted(row.name):
            row.fill(pair_always)


def through_row(bench, on):
    """Events a second, counted until the slowest sink has brought out the last of them."""
    row = bench.Row("events through all sinks", "events a second while they are made")

    def pair():
        begin = time.monotonic()
        run = on.load("verify", 64, row=row.name)
        made = time.monotonic() - begin
        while backlog(on) > FEW:
            time.sleep(0.01)
        out = time.monotonic() - begin
        return {**run, "ops_per_s": run["ops"] / out}, made / out

    if bench.wanted(row.name):
        row.fill(pair)


def grow(source, target, size):
    """A long series made of a short one: for speed alone, its chain begins again at each copy."""
    with open(source, "rb") as file:
        data = file.read()
    with open(target, "wb") as file:
        while file.tell() < size:
            file.write(data)


def timed(command):
    begin = time.monotonic()
    done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False)
    return time.monotonic() - begin, done


def sha_seconds(path):
    """SHA-256 of a file that is in memory, by the same library."""
    with open(path, "rb") as file, mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ) as view:
        begin = time.monotonic()
        hashlib.sha256(view).digest()
        return time.monotonic() - begin


def dump_rows(bench, path):
    out = path + ".out"
    size = os.path.getsize(path)
    copy = bench.Row("smfdump, binary to binary, MB/s", "cat of the same file", 0.25, 0.5)

    def pair():
        bare, _ = timed(["sh", "-c", f"cat '{path}' >'{out}'"])
        os.remove(out)
        seconds, done = timed([os.path.join(bench.BUILD, "bin", "smfdump"), "--type", "83(6)", "-o", out, path])
        if done.returncode or os.path.getsize(out) != size:
            bench.errors.append(f"smfdump: exit {done.returncode}: {done.stderr.decode(errors='replace')[-300:]}")
        os.remove(out)
        return bench.record({"bench": "smfdump", "value": size / seconds / 1e6, "cat_mb_s": size / bare / 1e6}), bare / seconds

    if bench.wanted(copy.name):
        copy.fill(pair)


def verify_row(bench, files):
    """Every byte is hashed once: the machine's SHA-256 over the same files is the limit."""
    row = bench.Row("smfdump --verify, MB/s", "SHA-256 of the same bytes", 0.5, 0.8)
    size = sum(map(os.path.getsize, files))

    def pair():
        bare = sum(map(sha_seconds, files))
        seconds, done = timed([os.path.join(bench.BUILD, "bin", "smfdump"), "--verify", *files])
        if done.returncode:
            bench.errors.append(f"smfdump --verify: exit {done.returncode}: {done.stderr.decode(errors='replace')[-300:]}")
        return bench.record({"bench": "smfverify", "value": size / seconds / 1e6, "sha_mb_s": size / bare / 1e6}), bare / seconds

    if bench.wanted(row.name):
        row.fill(pair)


def collect(bench, on):
    """A series of data sets with at least RECORDS records, made by the server under load."""
    folder = os.path.dirname(on.env["KLM_SMF_DATASET"])
    print(f"  making {RECORDS:,} audit records", flush=True)
    made = 0
    while made < RECORDS:
        made += int(on.load("verify", 64, seconds=10, row="records")["ops"])
    while backlog(on) > FEW:
        time.sleep(0.1)
    on.stop()
    return sorted(f for f in glob.glob(os.path.join(folder, "*MAN*")) if not f.endswith((".cursor", ".tmp")) and os.path.getsize(f))


def wanted(bench):
    names = ("get@8, all sinks, server us/op", "create@8, all sinks, server us/op", "get@8, Audit.sync=always", "create@8, Audit.sync=always",
             "events through all sinks", "smfdump, binary to binary, MB/s", "smfdump --verify, MB/s")
    return any(bench.wanted(name) for name in names)


def rows(bench, servers):
    receiver = Receiver()
    made = []
    for name, settings in (("sinks-on", ALL_ON + [f"Audit.syslog.server.port={receiver.port}"]), ("sinks-off", ALL_OFF),
                           ("sync-always", ["Audit.sync=always"])):
        made.append(bench.Server(name, settings))
        servers.append(made[-1])
    on, off, always = made
    cost_rows(bench, on, off, always)
    off.stop()
    always.stop()
    through_row(bench, on)
    if bench.wanted("smfdump, binary to binary, MB/s") or bench.wanted("smfdump --verify, MB/s"):
        files = collect(bench, on)
        verify_row(bench, files)
        large = os.path.join(bench.WORK, "large")
        grow(files[-1], large, 1 << 30)
        dump_rows(bench, large)
        os.remove(large)
    receiver.sock.close()


if __name__ == "__main__":
    sys.exit("bench.py runs these rows")
