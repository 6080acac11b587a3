#!/usr/bin/env python3
"""An independent reader of the audit journal and of the text log, from the description in smf/JOURNAL.md.

readjournal.py journal FOLDER      check frames, numbers and hash chain; print "seq event_no verb" a record
readjournal.py taken FOLDER        the same; print "seq" of each record that sinks get
readjournal.py text FOLDER NAME    check the chain over all files of a text log; print "seq" a record
readjournal.py signed FOLDER NAME CERT   the same, and the checkpoints of NAME.checkpoints; print "seq" a checkpoint
Exit 0 when all holds, 1 with a line saying what does not.
"""
import base64
import hashlib
import os
import re
import struct
import sys

import readsmf


class Bad(Exception):
    pass


def fields(event):
    version, kind, outcome, zero, _time = struct.unpack_from(">BBBBQ", event)
    if version != 1 or zero != 0 or kind > 6 or outcome > 1:
        raise Bad("event header")
    at, found = 12, {}
    while at < len(event):
        number, length = struct.unpack_from(">HH", event, at)
        found[number] = event[at + 4:at + 4 + length].decode("utf-8")
        at += 4 + length
    if at != len(event):
        raise Bad("event length")
    return found


LEFT_OUT = 1


def flagged(folder):
    """Sequence number, outbox number, event bytes and flags of each record, checked on the way."""
    names = [n for n in os.listdir(folder) if re.fullmatch(r"journal\.\d{10,}", n)]
    names.sort(key=lambda n: int(n.split(".")[1]))
    seq, chain = None, bytes(32)
    for name in names:
        with open(os.path.join(folder, name), "rb") as file:
            data = file.read()
        first, at = int(name.split(".")[1]), 0
        if seq is not None and first != seq + 1:
            raise Bad(f"{name} does not follow {seq}")
        seq = first - 1
        while at < len(data):
            magic, length, version, flags = struct.unpack_from(">4sIHH", data, at)
            record = data[at:at + length]
            if magic != b"KLMJ" or version != 1 or flags & ~LEFT_OUT or len(record) != length:
                raise Bad(f"{name} offset {at}: no record")
            number, event_no, _time, synced, keep = struct.unpack_from(">QQQQQ", record, 12)
            prev = record[52:84]
            (id_length,) = struct.unpack_from(">H", record, 84)
            (event_length,) = struct.unpack_from(">I", record, 86 + id_length)
            event = record[90 + id_length:90 + id_length + event_length]
            if 90 + id_length + event_length + 32 != length:
                raise Bad(f"{name} offset {at}: lengths")
            if number != seq + 1 or synced >= number or not 0 < keep <= number:
                raise Bad(f"{name} offset {at}: numbers")
            if prev != chain and not (number == first and names[0] == name and first != 1):
                raise Bad(f"record {number}: does not continue the chain")
            if hashlib.sha256(record[:-32]).digest() != record[-32:]:
                raise Bad(f"record {number}: hash")
            seq, chain, at = number, record[-32:], at + length
            yield number, event_no, event, flags


def events(folder):
    """Sequence number, outbox number and event bytes of each record."""
    return (record[:3] for record in flagged(folder))


def taken(folder):
    """Sequence numbers of the records that every sink holds."""
    return ((number,) for number, _, _, flags in flagged(folder) if not flags & LEFT_OUT)


def records(folder):
    for number, event_no, event in events(folder):
        yield number, event_no, fields(event).get(1, "")


TITLE = re.compile(r"[A-Z][a-z ]+ event:\[")


def text_values(folder, name):
    """Number and chain value of each record."""
    names = sorted(n for n in os.listdir(folder) if re.fullmatch(re.escape(name) + r"\.\d{17}", n)) + [name]
    chain, seq = bytes(32), 0
    for part in names:
        with open(os.path.join(folder, part), encoding="utf-8") as file:
            data = file.read()
        if data and not data.endswith("\n  ]\n"):
            raise Bad(f"{part} ends within a record")
        for record in data.split("\n  ]\n")[:-1]:
            lines = record.split("\n")
            if not TITLE.fullmatch(lines[0]) or any(not line.startswith("  ") for line in lines[1:]):
                raise Bad(f"{part} after {seq}: form")
            if not lines[-2].startswith("  sequence=") or not lines[-1].startswith("  chain="):
                raise Bad(f"{part} after {seq}: last lines")
            body = "\n".join(lines[:-1]) + "\n"
            chain = hashlib.sha256(chain + body.encode()).digest()
            if lines[-1][8:] != chain.hex():
                raise Bad(f"{part} after {seq}: chain")
            number = int(lines[-2][11:])
            if number <= seq:
                raise Bad(f"{part}: {number} after {seq}")
            seq = number
            yield number, chain


def text_records(folder, name):
    return ((number,) for number, _ in text_values(folder, name))


CHECKPOINT = re.compile(r"Checkpoint:\[\n  server=(.*)\n  sequence=(\d+)\n  chain=([0-9a-f]{64})\n  algorithm=([A-Z0-9-]+)\n"
                        r"  certificate=([0-9a-f]{64})\n  signature=([A-Za-z0-9+/=]+)\n  \]\n")


def signed(folder, name, cert):
    values = [(0, bytes(32)), *text_values(folder, name)]
    with open(os.path.join(folder, name + ".checkpoints"), encoding="utf-8") as file:
        data = file.read()
    at = 0
    while at < len(data):
        found = CHECKPOINT.match(data, at)
        if not found:
            raise Bad(f"no checkpoint at {at}")
        server, number, chain, algorithm, fingerprint, signature = found.groups()
        value = max(one for one in values if one[0] <= int(number))[1]
        if value.hex() != chain:
            raise Bad(f"checkpoint {number}: another chain")
        readsmf.check_signed(readsmf.signed_message("text", server, int(number), value), algorithm, fingerprint, base64.b64decode(signature), cert)
        at = found.end()
        yield (int(number),)


def main(argv):
    walk = {"journal": records, "taken": taken, "text": text_records, "signed": signed}[argv[1]]
    try:
        for row in walk(*argv[2:]):
            print(*row)
    except (Bad, readsmf.Bad, struct.error) as error:
        print("bad:", error)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv))
