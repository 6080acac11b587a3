#!/usr/bin/env python3
"""Make the vectors of tests/golden/smf by hand: records and data sets as docs/smf.md describes them, with nothing of the product.
The encoder must make the same records byte by byte, and the readers must read the data sets. `makesmf.py FOLDER` writes:

vectors.smf   RDW: a success, a failure by a refused right, an event of three records, a checkpoint
vectors.vb    the same in blocks of 1,000 bytes; vectors.vbs spanned over blocks of 100; vectors.ext in one extended block
vectors.bare  the same without RDWs
foreign.vbs   our records between others: types 2 and 3, a type 30 with subtype, one of 40 bytes without, another product's 83(6)
"""
import hashlib
import os
import struct
import sys

SWAPPED = {"[": 0xAD, "]": 0xBD, "^": 0x5F, "\u00AC": 0xB0, "\u00DD": 0xBA, "\u00A8": 0xBB}


def ebcdic(text):
    """Code page 1047 by way of 037, what it does not have as \\u{HEX}."""
    out = b""
    for at, char in enumerate(text):
        if ord(char) > 0xFF or text[at:at + 3] == "\\u{":
            out += f"\\u{{{ord(char):X}}}".encode("cp037")
        elif char in SWAPPED:
            out += bytes([SWAPPED[char]])
        else:
            out += char.encode("cp037")
    return out


def fixed(text, length):
    return ebcdic(text)[:length].ljust(length, b"\x40")


def packed(year, day):
    return bytes.fromhex(f"0{(year - 1900) // 100}{year % 100:02d}{day:03d}f")


def relocate(number, data):
    data = ebcdic(data) if isinstance(data, str) else data
    return struct.pack(">HH", number, len(data)) + data


def record(sections, when, subsystem, link, bits, event, qualifier, user):
    """Header, product and security section, then the relocate sections. when: hundredths, packed date."""
    body = b"".join(sections)
    security = (struct.pack(">IHBB", link, bits, event, qualifier) + fixed(user, 8) + fixed("", 8) + bytes(8) + fixed("", 8) +
                fixed("ISKLM", 8) + bytes(4) + bytes.fromhex("0000000f") + fixed("", 8) + bytes([8, 0]) + fixed("", 4) +
                fixed("", 8) + bytes(2) + fixed("", 8) + fixed("", 8))
    product = fixed("0100", 4) + fixed("KLMSRV", 8)
    assert len(security) == 96 and len(product) == 12
    triplets = struct.pack(">HHIHHIHHIHH", 3, 0, 52, 12, 1, 64, 96, 1, 160, len(body), len(sections))
    start = struct.pack(">BBI", 0xDE if subsystem else 0x5E, 83, when[0]) + when[1] + fixed("SYS1", 4) + fixed(subsystem, 4)
    data = start + struct.pack(">H", 6) + triplets + product + security + body
    return struct.pack(">HH", len(data) + 4, 0) + data


class Chain:
    def __init__(self):
        self.value, self.records = bytes(32), []

    def add(self, data):
        self.records.append(data)
        self.value = hashlib.sha256(data[4:]).digest()


JOURNAL = bytes(range(1, 33))


def common(chain, sequence, part, parts, verb, time, kind):
    return [relocate(100, "KLM1"), relocate(108, verb), relocate(113, time), relocate(115, struct.pack(">Q", sequence)),
            relocate(116, struct.pack(">HH", part, parts)), relocate(117, chain.value), relocate(118, JOURNAL), relocate(129, kind)]


def success(chain):
    time = "2026-11-22T01:02:03.000004Z+01:00"
    fields = [relocate(101, "drive7"), relocate(106, "WXY662"), relocate(109, "000007888422"), relocate(110, "keymgr"),
              relocate(111, "LABEL20"), relocate(111, "GR\u00DCN\u20AC")]
    lines = [relocate(114, line) for line in ("Runtime event:[", "  resource=[^name]", "  ]")]
    chain.add(record(common(chain, 17, 1, 1, "key-serve", time, "runtime") + fields + lines,
                     (((2 * 60 + 2) * 60 + 3) * 100, packed(2026, 326)), "KLM", 17, 0, 4, 0, "DRIVE7"))


def failure(chain):
    """Five hours and a half west of UTC, so still the year before; the user's name is longer than the field."""
    time = "2000-01-01T01:00:00.990000Z-05:30"
    fields = [relocate(101, "administrator"), relocate(102, "operator"), relocate(107, "KLM0900E"),
              relocate(119, "back\\slash \\u{41} \\u{1F511}".replace("\\u{1F511}", "\U0001F511"))]
    chain.add(record(common(chain, 0x100000002, 1, 1, "group-create", time, "resource_management") + fields,
                     (((19 * 60 + 30) * 60) * 100 + 99, packed(1999, 365)), "", 2, 0x8000, 7, 3, "ADMINIST"))


def split(chain):
    """The longest record may have 700 bytes: what each has is 339, and fields of 300 and lines of 200 go one to a record but the last."""
    time = "2026-11-22T01:02:03.000004Z+00:00"
    parts = [[relocate(112, "o" * 250)], [relocate(125, "a" * 300)], [relocate(126, "b" * 320)],
             [relocate(114, "1" * 200), relocate(114, "2" * 50)], [relocate(114, "3" * 200)]]
    for number, part in enumerate(parts, 1):
        chain.add(record(common(chain, 0x100000003, number, len(parts), "config-set", time, "configuration_management") + part,
                         (((1 * 60 + 2) * 60 + 3) * 100, packed(2026, 326)), "KLM", 3, 0x4000, 6, 0, "ISKLM"))


def checkpoint(chain):
    time = "2026-11-22T23:30:00.000000Z+01:00"
    sections = [relocate(100, "KLM1"), relocate(108, "checkpoint"), relocate(113, time), relocate(116, struct.pack(">HH", 1, 1)),
                relocate(117, chain.value), relocate(129, "audit_management"),
                relocate(131, struct.pack(">Q", len(chain.records))), relocate(132, "ECDSA-SHA256"),
                relocate(133, bytes(range(32, 64))), relocate(134, bytes(range(100, 170)))]
    chain.add(record(sections, (30 * 60 * 100, packed(2026, 327)), "KLM", 0, 0x4000, 7, 1, "ISKLM"))


def blocks(records, size):
    out, block = b"", b""
    for data in records + [None]:
        if data is None or 4 + len(block) + len(data) > size:
            out += struct.pack(">HH", len(block) + 4, 0) + block if block else b""
            block = b""
        block += data or b""
    return out


def spanned(records, size):
    """Each block is filled to its end, also with segments of a single byte."""
    out, block = b"", b""
    for data in records:
        rest, first = data[4:], True
        while rest or first:
            room = size - 4 - len(block) - 4
            if room < 1:
                out += struct.pack(">HH", len(block) + 4, 0) + block
                block = b""
                continue
            part, rest = rest[:room], rest[room:]
            code = {(True, True): 0, (True, False): 1, (False, True): 2, (False, False): 3}[first, not rest]
            block += struct.pack(">HBB", len(part) + 4, code, 0) + part
            first = False
    return out + struct.pack(">HH", len(block) + 4, 0) + block


def other(kind, body=b"", flags=0x1E):
    data = struct.pack(">BBI", flags, kind, 100) + packed(2026, 326) + fixed("SYS1", 4) + body
    return struct.pack(">HH", len(data) + 4, 0) + data


def foreign(records):
    stranger = bytearray(records[0])
    stranger[56:64] = fixed("TKLM", 8)
    return [other(2), records[0], other(30, fixed("JES2", 4) + struct.pack(">H", 5) + bytes(200), 0x5E), other(80, bytes(22)), records[1],
            bytes(stranger), *records[2:], other(3)]


def main():
    chain = Chain()
    success(chain)
    failure(chain)
    split(chain)
    checkpoint(chain)
    all_of_them = b"".join(chain.records)
    files = {"vectors.smf": all_of_them, "vectors.vb": blocks(chain.records, 1000), "vectors.vbs": spanned(chain.records, 100),
             "vectors.ext": struct.pack(">I", 0x80000000 | len(all_of_them) + 4) + all_of_them,
             "vectors.bare": b"".join(data[4:] for data in chain.records), "foreign.vbs": spanned(foreign(chain.records), 260)}
    for name, data in files.items():
        with open(os.path.join(sys.argv[1], name), "wb") as file:
            file.write(data)


if __name__ == "__main__":
    main()
