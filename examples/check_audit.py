#!/usr/bin/env python3
"""Check the chain of an audit log: check_audit.py LOG [ACTIVE_LOG ...], oldest file first. Written from smf/JOURNAL.md alone.

Each record ends with "chain=", the SHA-256 of the chain value before it (32 zero bytes at first) and the record's text from its
first line to the end of its sequence line. Exit status 1 at the first record that does not fit.
"""
import hashlib
import re
import sys

END = re.compile(rb"^  chain=([0-9a-f]{64})\n  \]\n", re.M)


def check(paths):
    chain, last, count = bytes(32), 0, 0
    for path in paths:
        with open(path, "rb") as file:
            text = file.read()
        at = 0
        for found in END.finditer(text):
            record = text[at:found.start()]
            said = bytes.fromhex(found.group(1).decode())
            number = int(re.search(rb"^  sequence=(\d+)\n\Z", record, re.M).group(1))
            if hashlib.sha256(chain + record).digest() != said:
                return f"{path}: the record of sequence number {number} does not continue the chain (last good: {last})"
            chain, last, count, at = said, number, count + 1, found.end()
        if text[at:]:
            return f"{path}: {len(text) - at} bytes behind sequence number {last} are no record"
    print(f"{count} records, up to sequence number {last}: the chain is intact and ends with {chain.hex()}")
    return None


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    problem = check(sys.argv[1:])
    if problem:
        print(problem)
        sys.exit(1)
