#!/usr/bin/env python3
"""An independent reader of SMF type 83 subtype 6 records, from the description in docs/smf.md alone.

readsmf.py [--format rdw|vb|bare] FILE ...          one line of JSON a record: header, sections, relocates by name, text
readsmf.py --verify [--cert CERT] FILE ...          check the chain over all files and the checkpoints; print one line of JSON
readsmf.py --text FILE ...                          the lines of the text log, as they were

Files are read in the order given, as one series. --from HASH is the hash before the first record (zeros unless given; "any" takes
what the first record says). Exit 0 when all holds, 1 with a line that names file and record and says what does not.
"""
import argparse
import hashlib
import json
import os
import re
import struct
import subprocess
import sys
import tempfile


class Bad(Exception):
    pass


# ---- Text: code page 1047 is 037 with six characters at other places.
TABLE = [bytes([code]).decode("cp037") for code in range(256)]
for _code, _char in ((0xAD, "["), (0xBD, "]"), (0x5F, "^"), (0xB0, "\u00AC"), (0xBA, "\u00DD"), (0xBB, "\u00A8")):
    TABLE[_code] = _char


def plain(data):
    return "".join(TABLE[code] for code in data)


def text(data):
    return re.sub(r"\\u\{([0-9A-F]{1,6})\}", lambda found: chr(int(found.group(1), 16)), plain(data))


# ---- Data sets
def rdw_pieces(data, start, end):
    """Segment code and data of each descriptor between two offsets."""
    at = start
    while at < end:
        if end - at < 4:
            raise Bad(f"offset {at}: half a record descriptor")
        length, segment, zero = struct.unpack_from(">HBB", data, at)
        if length < 4 or length > end - at or segment > 3 or zero:
            raise Bad(f"offset {at}: no record descriptor")
        yield at, segment, data[at + 4:at + length]
        at += length


def block_pieces(data):
    at = 0
    while at < len(data):
        if len(data) - at < 8:
            raise Bad(f"offset {at}: half a block")
        (word,) = struct.unpack_from(">I", data, at)
        length = word & 0x7FFFFFFF if word >> 31 else word >> 16
        if length < 8 or length > len(data) - at or (not word >> 31 and (word & 0xFFFF or length > 32760)):
            raise Bad(f"offset {at}: no block descriptor")
        yield from rdw_pieces(data, at + 4, at + length)
        at += length


def joined(pieces):
    """Records of pieces, each with an RDW of its own, and where they begin."""
    begun = None
    for at, segment, part in pieces:
        if (begun is not None) != (segment in (2, 3)):
            raise Bad(f"offset {at}: segment {segment} does not belong here")
        if segment in (0, 1):
            begun = (at, b"")
        begun = (begun[0], begun[1] + part)
        if segment in (0, 2):
            yield begun[0], struct.pack(">HH", len(begun[1]) + 4, 0) + begun[1]
            begun = None
    if begun is not None:
        raise Bad(f"offset {begun[0]}: a spanned record without its end")


def bare_pieces(data):
    at = 0
    while at < len(data):
        if data[at + 1] in (2, 3):
            length = 14
        elif data[at + 1] == 83:
            offset, total = struct.unpack_from(">IH", data, at + 44 - 4)
            length = offset + total - 4
        else:
            raise Bad(f"offset {at}: length unknown")
        yield at, 0, data[at:at + length]
        at += length


def records(data, form):
    if form == "auto":
        try:
            return list(joined(block_pieces(data)))
        except (Bad, struct.error):
            form = "rdw"
    pieces = {"rdw": lambda: rdw_pieces(data, 0, len(data)), "vb": lambda: block_pieces(data), "bare": lambda: bare_pieces(data)}
    return list(joined(pieces[form]()))


# ---- Records
NUMBERS = {"SEQUENCE": ">Q", "UNDER": ">Q", "PART": ">HH"}
NAMES = {100: "SERVER", 101: "USER", 102: "USER_KIND", 103: "ADDRESS", 104: "CLIENT", 105: "WWN", 106: "VOLSER", 107: "MESSAGE_ID",
         108: "OPERATION", 109: "DRIVE", 110: "SOURCE", 111: "LABEL", 112: "OBJECT", 113: "TIME", 114: "TEXT", 115: "SEQUENCE",
         116: "PART", 117: "PREVIOUS", 118: "JOURNAL", 119: "MESSAGE", 120: "THREAD", 121: "ACTION", 122: "RESOURCE",
         123: "RESOURCE_TYPE", 124: "COMMAND", 125: "OLD", 126: "NEW", 127: "AUTH_TYPE", 128: "KEY_ID", 129: "KIND", 130: "SESSION",
         131: "UNDER", 132: "ALGORITHM", 133: "FINGERPRINT", 134: "SIGNATURE", 135: "JOURNAL_SIGNATURE", 136: "JOURNAL_ALGORITHM",
         137: "JOURNAL_VALUE"}
BYTES = {"PREVIOUS", "JOURNAL", "FINGERPRINT", "SIGNATURE"}
MANY = {"LABEL", "TEXT"}


def packed_date(data):
    digits = data.hex()
    if not re.fullmatch(r"0[0-9]{6}f", digits):
        raise Bad(f"date {digits}")
    return f"{1900 + 100 * int(digits[1]) + int(digits[2:4])}.{digits[4:7]}"


def header(record):
    length, segment, flags, kind, time = struct.unpack_from(">HHBBI", record, 0)
    if length != len(record) or segment:
        raise Bad("RDW")
    found = {"length": length, "type": kind, "hundredths": time, "date": packed_date(record[10:14]), "system": plain(record[14:18])}
    if flags & 0x40:
        found.update(subsystem=plain(record[18:22]) if flags & 0x80 else None, subtype=struct.unpack_from(">H", record, 22)[0])
    return found


def section(record, triplet, least):
    offset, length, number = struct.unpack_from(">IHH", record, triplet)
    if number < 1 or offset < 52 or offset + length > len(record) or length < least:
        raise Bad(f"triplet at {triplet}")
    return record[offset:offset + length], number


def value(name, data):
    if name in BYTES:
        return data.hex()
    if name in NUMBERS:
        numbers = struct.unpack(NUMBERS[name], data)
        return numbers[0] if len(numbers) == 1 else list(numbers)
    return text(data)


def relocates(data, number):
    found, at = {}, 0
    for _ in range(number):
        code, length = struct.unpack_from(">HH", data, at)
        part = data[at + 4:at + 4 + length]
        if len(part) != length:
            raise Bad(f"relocate {code} is cut off")
        at += 4 + length
        name = NAMES.get(code)
        if name in MANY:
            found.setdefault(name, []).append(value(name, part))
        elif name in found:
            raise Bad(f"relocate {code} stands twice")
        elif name:
            found[name] = value(name, part)
    if at != len(data):
        raise Bad("relocate sections do not fill their length")
    return found


def parse(record):
    """A record of ours as a dictionary; others have a header alone."""
    found = header(record)
    if found["type"] != 83 or found.get("subtype") != 6:
        return found
    product, _ = section(record, 28, 12)
    if plain(product[4:12]) != "KLMSRV  ":
        return found
    part, _ = section(record, 36, 96)
    link, bits, event, qualifier = struct.unpack_from(">IHBB", part, 0)
    found.update(level=plain(product[:4]), link=link, violation=bool(bits & 0x8000), nouser=bool(bits & 0x4000), event=event,
                 qualifier=qualifier, user=plain(part[8:16]).rstrip(), job=plain(part[40:48]).rstrip())
    found["relocates"] = relocates(*section(record, 44, 0))
    return found


# ---- Chain and checkpoints
def signed_message(chain, server, number, digest):
    def counted(data):
        return struct.pack(">H", len(data)) + data
    return b"".join((counted(b"klmsrv checkpoint 1"), counted(chain.encode()), counted(server.encode()), struct.pack(">Q", number),
                     counted(digest)))


def openssl(*arguments):
    done = subprocess.run(["openssl", *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False)
    return done.returncode, done.stdout


def check_signed(message, algorithm, fingerprint, signature, cert):
    """Does the signature hold, by the openssl command, and is it of this certificate?"""
    with tempfile.TemporaryDirectory() as folder:
        def kept(name, data):
            with open(os.path.join(folder, name), "wb") as file:
                file.write(data)
            return os.path.join(folder, name)
        status, der = openssl("x509", "-in", cert, "-outform", "DER")
        if status or hashlib.sha256(der).hexdigest() != fingerprint.lower():
            raise Bad("the checkpoint is signed by another certificate")
        _, public = openssl("x509", "-in", cert, "-noout", "-pubkey")
        how = {"RSA-PSS-SHA256": ["-sha256", "-sigopt", "rsa_padding_mode:pss", "-sigopt", "rsa_pss_saltlen:32"],
               "ECDSA-SHA256": ["-sha256"], "ECDSA-SHA384": ["-sha384"]}[algorithm]
        status, _ = openssl("dgst", *how, "-verify", kept("key", public), "-signature", kept("sig", signature), kept("message", message))
        if status:
            raise Bad("the signature of the checkpoint does not hold")


def check_signature(found, cert):
    message = signed_message("smf", found["SERVER"], found["UNDER"], bytes.fromhex(found["PREVIOUS"]))
    check_signed(message, found["ALGORITHM"], found["FINGERPRINT"], bytes.fromhex(found["SIGNATURE"]), cert)


class Verifier:
    def __init__(self, before, cert):
        self.before, self.cert = before, cert
        self.records = self.events = self.checkpoints = 0
        self.sequence, self.open = 0, None

    def checkpoint(self, found):
        if self.open:
            raise Bad("a checkpoint between the records of an event")
        if self.cert:
            check_signature(found, self.cert)
        self.checkpoints += 1

    def event(self, record, found):
        number, part, parts = found["SEQUENCE"], *found["PART"]
        if record["link"] != number & 0xFFFFFFFF:
            raise Bad("link value")
        if (part == 1) == bool(self.open) or (part > 1 and self.open != (number, part - 1, parts)):
            raise Bad(f"record {part} of {parts} of event {number} does not belong here")
        if part == 1:
            if number <= self.sequence:
                raise Bad(f"event {number} after {self.sequence}")
            self.events += 1
        self.sequence, self.open = number, (number, part, parts) if part < parts else None

    def record(self, data, record):
        found = record["relocates"]
        if self.before == "any":
            self.before = found["PREVIOUS"]
            self.records = found.get("UNDER", 0)
        if found["PREVIOUS"] != self.before:
            raise Bad("the chain does not go on from the record before")
        if "UNDER" in found:
            if self.records and found["UNDER"] != self.records:
                raise Bad(f"the checkpoint counts {found['UNDER']} records, there are {self.records}")
            self.checkpoint(found)
        else:
            self.event(record, found)
        self.before = hashlib.sha256(data[4:]).hexdigest()
        self.records += 1


def walk(options):
    """File, number and bytes of each record."""
    for name in options.files:
        with open(name, "rb") as file:
            data = file.read()
        try:
            found = records(data, options.format)
        except (Bad, struct.error) as error:
            raise Bad(f"{name}: {error}") from error
        for number, (at, record) in enumerate(found, 1):
            yield f"{name}, record {number} at {at}", record


def run(options):
    verifier = Verifier(getattr(options, "from"), options.cert)
    for where, data in walk(options):
        try:
            record = parse(data)
            if options.text:
                sys.stdout.buffer.write("".join(f"{line}\n" for line in record.get("relocates", {}).get("TEXT", [])).encode())
            elif not options.verify:
                print(json.dumps(record, ensure_ascii=False))
            elif "relocates" in record:
                verifier.record(data, record)
        except (Bad, struct.error, KeyError) as error:
            raise Bad(f"{where}: {error!r}" if isinstance(error, KeyError) else f"{where}: {error}") from error
    if options.verify:
        if verifier.open:
            raise Bad(f"the records of event {verifier.sequence} are not complete")
        print(json.dumps({"records": verifier.records, "events": verifier.events, "checkpoints": verifier.checkpoints,
                          "sequence": verifier.sequence, "hash": verifier.before}))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--format", choices=["auto", "rdw", "vb", "bare"], default="auto")
    parser.add_argument("--verify", action="store_true")
    parser.add_argument("--text", action="store_true")
    parser.add_argument("--cert")
    parser.add_argument("--from", default="00" * 32)
    parser.add_argument("files", nargs="+")
    try:
        run(parser.parse_args())
    except Bad as error:
        print("bad:", error)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
