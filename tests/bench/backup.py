"""Rows of backup and restore: a big store that is at rest, against zstd and AES-256-GCM over the same bytes and nothing else."""
import json
import subprocess

ROWS = (("backup, big store", "backup", "pack", "zstd and AES-GCM"),
        ("restore, big store", "restore", "unpack", "AES-GCM and zstd, back"))


def wanted(bench):
    return any(bench.wanted(name) for name, *_ in ROWS)


def measure(bench, server):
    command = [bench.program("backupbench"), f"{server.home}/etc/ISKLMConfig.properties.zos", server.home, "1"]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True, check=True, timeout=3600)
    return bench.record({"bench": "backup", **json.loads(done.stdout)})


def rows(bench, server):
    """The server is up when this begins and down when it ends."""
    server.stop()
    for name, ours, best, what in ROWS:
        row = bench.Row(name, what, 0.5, 0.8)

        def pair(ours=ours, best=best):
            run = measure(bench, server)["pairs"][0]
            return {"value": run[ours]}, run[best] / run[ours]

        row.fill(pair)
