"""Rows of the KMIP port: the server against a KMIP server that does nothing (kmipnull), and creates against bare commits of Berkeley DB. Certificates are RSA-2048, both sides show one."""
import os
import subprocess
import time

OBJECTS = int(os.environ.get("BENCH_OBJECTS", "100000"))
IDLE = int(os.environ.get("BENCH_IDLE", "10000"))

# operation, connections, options of the load, target, good
NULL_ROWS = [("get", 1, [], 0.85, 0.95), ("get", 8, [], 0.75, 0.85), ("get", 64, [], 0.75, 0.85), ("get", 1000, [], 0.75, 0.90),
             ("locate", 8, ["-n", "1000"], 0.65, 0.75), ("mixed", 8, ["-n", "1000"], 0.60, 0.75)]
HANDSHAKES = [("full, TLS 1.2", ["-T", "12"], 0.95, 1), ("full, TLS 1.3", ["-T", "13"], 0.95, 1.1),
              ("resumed, TLS 1.2", ["-T", "12", "-r"], 0.95, 1), ("resumed, TLS 1.3", ["-T", "13", "-r"], 0.95, 1.1)]
CREATES = [(1, 1, 0.60, 0.85), (8, 8, 1.5, 3), (64, 8, 3, 5)]  # connections, threads that commit
NAMES = ([f"kmip {op}@{n}" for op, n, *_ in NULL_ROWS] + [f"kmip handshake {name}" for name, *_ in HANDSHAKES] +
         [f"kmip create@{n}" for n, *_ in CREATES] +
         ["kmip get@8, many objects", "kmip locate@8, many objects", "kmip idle connections, MiB", "kmip get@1 beside create@64, p99"])


def wanted(bench):
    return any(bench.wanted(name) for name in NAMES)


def openssl(*args):
    subprocess.run(["openssl", *args], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=True, timeout=60)


def make_certs(folder):
    """An authority, a server's and a client's certificate, by the names that tools/testserver takes."""
    os.makedirs(folder)
    path = lambda name: os.path.join(folder, name)
    openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "7", "-subj", "/CN=bench CA", "-keyout", path("rsa-ca.key"), "-out", path("rsa-ca.crt"))
    for name, ext in (("server", "subjectAltName=IP:127.0.0.1,DNS:localhost\nextendedKeyUsage=serverAuth"), ("client", "extendedKeyUsage=clientAuth")):
        with open(path(name + ".ext"), "w", encoding="ascii") as out:
            out.write(ext + "\n")
        openssl("req", "-newkey", "rsa:2048", "-nodes", "-subj", f"/CN=bench {name}", "-keyout", path(f"rsa-{name}.key"), "-out", path(name + ".csr"))
        openssl("x509", "-req", "-days", "7", "-in", path(name + ".csr"), "-CA", path("rsa-ca.crt"), "-CAkey", path("rsa-ca.key"), "-CAcreateserial",
                "-extfile", path(name + ".ext"), "-out", path(f"rsa-{name}.crt"))
    return folder


class Null:
    """The server that does nothing."""

    def __init__(self, bench, certs):
        file = lambda name: os.path.join(certs, name)
        self.child = subprocess.Popen([bench.program("kmipnull"), "-A", file("rsa-ca.crt"), "-E", file("rsa-server.crt"), "-K", file("rsa-server.key")],
                                      stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
        self.port, self.pid = int(self.child.stdout.readline()), self.child.pid

    def stop(self):
        self.child.kill()
        self.child.wait(30)


class Load:
    def __init__(self, bench, certs):
        self.bench, self.certs = bench, certs

    def command(self, port, pid, op, connections, *options, seconds=None):
        file = lambda name: os.path.join(self.certs, name)
        return [self.bench.program("kmipload"), "-p", str(port), "-A", file("rsa-ca.crt"), "-E", file("rsa-client.crt"), "-K", file("rsa-client.key"),
                "-i", str(pid), "-o", op, "-c", str(connections), "-d", str(seconds or self.bench.SECONDS), *options]

    def run(self, port, pid, op, connections, *options, **more):
        entry = self.bench.measure(self.command(port, pid, op, connections, *options), **more)
        if entry["errors"]:
            self.bench.errors.append(f"kmip {op} with {connections} connections: {entry['errors']} wrong answers")
        return entry


def null_rows(bench, load, server, null):
    port = server.env["KLM_KMIP_PORT"]
    plan = ([(f"kmip {op}@{n}", op, n, options, target, good) for op, n, options, target, good in NULL_ROWS] +
            [(f"kmip handshake {name}", "handshake", 8, options, target, good) for name, options, target, good in HANDSHAKES])
    for name, op, connections, options, target, good in plan:
        row = bench.Row(name, "a server that does nothing", target, good)

        def pair(op=op, connections=connections, options=options, row=row):
            run = load.run(port, server.pid, op, connections, *options, row=row.name)
            return run, run["ops_per_s"] / load.run(null.port, null.pid, op, connections, *options, row=row.name, of="null")["ops_per_s"]

        if bench.wanted(name):
            row.fill(pair)


def create_rows(bench, load, server):
    for connections, threads, target, good in CREATES:
        row = bench.Row(f"kmip create@{connections}", f"commits of 3, {threads} threads", target, good)

        def pair(connections=connections, threads=threads, row=row):
            run = load.run(server.env["KLM_KMIP_PORT"], server.pid, "create", connections, row=row.name)
            return run, run["ops_per_s"] / bench.ceiling("commit", "-f", bench.WORK, "-t", threads, "-u", 3, "-d", bench.SECONDS)["commits_per_s"]

        if bench.wanted(row.name):
            row.fill(pair)


def flat_rows(bench, load, server):
    rows = [bench.Row(f"kmip {op}@8, many objects", f"its rate with 10 ({OBJECTS:,} here)", 0.80, 0.95) for op in ("get", "locate")]
    if not any(bench.wanted(row.name) for row in rows):
        return
    port, few, many = server.env["KLM_KMIP_PORT"], os.path.join(bench.WORK, "few"), os.path.join(bench.WORK, "many")
    print(f"  making {OBJECTS:,} keys", flush=True)
    for file, n in ((few, 10), (many, OBJECTS)):
        subprocess.run(load.command(port, server.pid, "get", 64, "-n", str(n), "-f", file, seconds=0.1), stdin=subprocess.DEVNULL,
                       stdout=subprocess.DEVNULL, check=True, timeout=3600)
    for row, op in zip(rows, ("get", "locate")):
        def pair(op=op, row=row):
            other = load.run(port, server.pid, op, 8, "-n", "10", "-f", few, row=row.name, objects="few")
            run = load.run(port, server.pid, op, 8, "-n", str(OBJECTS), "-f", many, row=row.name)
            return run, run["ops_per_s"] / other["ops_per_s"]

        if bench.wanted(row.name):
            row.fill(pair)


def idle_row(bench, load):
    """What so many connections hold that do nothing, on a server of their own, which nothing else has grown."""
    row = bench.Row("kmip idle connections, MiB", f"1 GiB, {IDLE:,} of them", 1, 0.5, roof=True)
    if not bench.wanted(row.name):
        return
    server = bench.Server("kmip-idle", ["--certs", load.certs, f"KMIPListener.connections.max={IDLE + 100}",
                                        f"KMIPListener.connections.per.address={IDLE + 100}"])
    try:
        held = subprocess.Popen(load.command(server.env["KLM_KMIP_PORT"], server.pid, "idle", IDLE, seconds=600), stdin=subprocess.DEVNULL,
                                stdout=subprocess.DEVNULL)
        begin = time.monotonic()
        while server_sessions(server) < IDLE and held.poll() is None and time.monotonic() - begin < 300:
            time.sleep(0.5)
        if server_sessions(server) < IDLE:
            bench.errors.append(f"{row.name}: only {server_sessions(server)} connections")
        mib = server.resident_mib()
        held.kill()
        held.wait(60)
        row.fill(lambda: ({"value": mib}, mib / 1024), pairs=1)
    finally:
        server.stop()


def server_sessions(server):
    for line in server.oper("status").splitlines():
        words = line.split()
        if words[:2] == ["KMIP", "sessions"] and words[-1].isdigit():
            return int(words[-1])
    return 0


def storm_row(bench, load, server):
    row = bench.Row("kmip get@1 beside create@64, p99", "its p99 alone", 3, 2, roof=True)

    def pair():
        port = server.env["KLM_KMIP_PORT"]
        alone = load.run(port, server.pid, "get", 1, row=row.name, beside="nothing")
        storm = subprocess.Popen(["nice", "-n", "5", *load.command(port, server.pid, "create", 64, seconds=bench.SECONDS + 2)], stdin=subprocess.DEVNULL,
                                 stdout=subprocess.DEVNULL)
        time.sleep(1)
        busy = load.run(port, server.pid, "get", 1, row=row.name, beside="create@64")
        if storm.wait(bench.RUN_TIMEOUT):
            bench.errors.append("the load beside get had errors")
        return busy, busy["p99_us"] / alone["p99_us"]

    if bench.wanted(row.name):
        row.fill(pair)


def rows(bench, servers):
    certs = make_certs(os.path.join(bench.WORK, "kmip-certs"))
    load = Load(bench, certs)
    server = bench.Server("kmip", ["--certs", certs])
    servers.append(server)
    null = Null(bench, certs)
    try:
        null_rows(bench, load, server, null)
        create_rows(bench, load, server)
        storm_row(bench, load, server)
        flat_rows(bench, load, server)
        idle_row(bench, load)
    finally:
        null.stop()
