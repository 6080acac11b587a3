#!/usr/bin/env python3
"""Each script in examples/ does what it says, and leaves nothing behind."""
# time-limit: 240
import glob
import os
import re
import subprocess
import sys

from keyserver import BIN
from scenario import SOURCE, Folder, expect, main, test

EXAMPLES = sorted(glob.glob(f"{SOURCE}/examples/[0-9]*.sh"))


def example(number):
    """Run one; its last line is "EXAMPLE OK: ...", its folders are gone."""
    path = next(path for path in EXAMPLES if os.path.basename(path).startswith(number))
    with Folder() as folder:
        done = subprocess.run([path], env=dict(os.environ, KLM_BIN=BIN, TMPDIR=folder), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True, check=False, timeout=200)
        expect(done.returncode == 0, done.stdout)
        expect(re.search(r"^EXAMPLE OK: .*\Z", done.stdout.rstrip("\n"), re.M), done.stdout)
        expect(os.listdir(folder) == [], f"left: {os.listdir(folder)}")
        return done.stdout


@test
def a_first_key_is_served_written_and_read():
    said = example("01")
    expect("WXY662" in said and "1 entry" in said and "no clear text" in said, said)


@test
def a_backup_server_reads_what_the_first_one_wrote():
    said = example("02")
    expect("KLM0950E" in said and said.count("CONNECTION IS GOOD") == 2, said)


@test
def a_pending_drive_is_refused_then_accepted():
    said = example("03")
    expect("EKM=05EF01" in said and "acceptdrive processed" in said, said)


@test
def the_audit_chain_checks_and_forgeries_are_found():
    said = example("04")
    expect(said.count("does not continue the chain") == 2 and "chain intact" in said, said)


@test
def a_storage_system_changes_its_key():
    said = example("05")
    expect(said.count("KLM2114I") == 2 and "KLM2113I" in said and "obsolete" in said and "Deactivated" in said, said)


@test
def a_disk_array_is_unlocked_by_either_key_server_and_by_its_recovery_key():
    said = example("06")
    expect(len(re.findall("KLM1811I .* primary", said)) == 1 and len(re.findall("KLM1811I .* secondary", said)) == 1, said)
    expect("KLM1814W" in said and "KLM1822E" in said and "KLM1853E" in said and "UNLOCKED BY the recovery key" in said, said)


@test
def every_example_is_in_the_readme_and_tested():
    with open(f"{SOURCE}/examples/README.md", encoding="utf-8") as file:
        readme = file.read()
    expect([os.path.basename(path) for path in EXAMPLES] == re.findall(r"^\| `([\w-]+\.sh)`", readme, re.M), readme)
    expect(len(EXAMPLES) == 6, "a new example needs a test here")


if __name__ == "__main__":
    sys.exit(main())
