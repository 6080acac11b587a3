"""Rows of backup and restore: a store of keys that is at rest, against zstd and AES-256-GCM over the same bytes and nothing else, and of restore against Berkeley DB's bulk load of
the same records and nothing else. Half of the keys are stored keys that were
given out, half are objects of KMIP clients, each with all that belongs to it."""
import json
import os
import subprocess

KEYS = int(os.environ.get("BENCH_KEYS", "1000000"))
DRIVES = 1000
ROWS = ((f"backup, {KEYS:,} keys", "backup", "pack", "zstd and AES-GCM"),
        (f"restore, {KEYS:,} keys", "restore", "unpack", "AES-GCM and zstd, back"),
        (f"restore, {KEYS:,} keys, trees", "restore", "bulk", "Berkeley DB's bulk load"))


def wanted(bench):
    return any(bench.wanted(name) for name, *_ in ROWS)


def run(bench, command):
    done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True, check=True, timeout=3600)
    return bench.record({"bench": "backup", **json.loads(done.stdout)})


def fill(bench, server):
    server.stop()
    print(f"  filling a store with {KEYS:,} keys", flush=True)
    run(bench, [bench.program("fillstore"), "-s", f"{server.home}/store", "-m", server.properties()["config.masterkey.file"],
                "-d", str(DRIVES), "-k", str(KEYS - KEYS // 2), "-o", str(KEYS // 2)])


def rows(bench, servers):
    """Both figures of a pair come from one run; the store is the same for each."""
    server = bench.Server("keys")
    servers.append(server)
    fill(bench, server)
    runs = []
    for name, ours, best, what in ROWS:
        row, at = bench.Row(name, what, 0.5, 0.8), iter(range(1 << 30))

        def pair(ours=ours, best=best, at=at):
            i = next(at)
            if i == len(runs):
                runs.append(run(bench, [bench.program("backupbench"), f"{server.home}/etc/ISKLMConfig.properties.zos", server.home, "1"])["pairs"][0])
            return {"value": runs[i][ours]}, runs[i][best] / runs[i][ours]

        row.fill(pair)
