#!/usr/bin/env python3
"""An independent maker of one managed object's record (metadata/object_record.c) and of its index rows (metadata/object_int.h).

  object_vector.py record > tests/golden/metadata/object.bin
  object_vector.py rows   > tests/golden/metadata/object.rows    the keys of its rows in hexadecimal, sorted
"""
import hashlib
import struct
import sys

UID, GROUP, OWNER = b"01331a2b-3c4d-7e5f-8a6b-7c8d9eafb0c1", b"TAPES.A", b"ab" * 32
SYMMETRIC_KEY = 2
STRUCTURE, INTEGER, ENUMERATION, TEXT, BYTES, DATE_TIME = 1, 2, 5, 7, 8, 9
TAGS = {"ActivationDate": 0x01, "Attribute": 0x08, "AttributeName": 0x0A, "AttributeValue": 0x0B, "CryptographicUsageMask": 0x2C,
        "Digest": 0x34, "DigestValue": 0x35, "HashingAlgorithm": 0x38, "Name": 0x53, "NameType": 0x54, "NameValue": 0x55,
        "ObjectGroup": 0x56, "State": 0x8D, "VendorIdentification": 0x9D, "Attributes": 0x125}


def item(tag, kind, value):
    if kind == STRUCTURE:
        body = b"".join(value)
    elif kind in (INTEGER, ENUMERATION):
        body = struct.pack(">I", value)
    elif kind == DATE_TIME:
        body = struct.pack(">q", value)
    else:
        body = value
    head = struct.pack(">I", 0x420000 + TAGS[tag])[1:] + bytes([kind]) + struct.pack(">I", len(body))
    return head + body + b"\0" * (-len(body) % 8)


def name(text):
    return item("Name", STRUCTURE, [item("NameValue", TEXT, text), item("NameType", ENUMERATION, 1)])


def vendors(vendor, label, value):
    return item("Attribute", STRUCTURE, [item("VendorIdentification", TEXT, vendor), item("AttributeName", TEXT, label), value])


DIGEST = hashlib.sha256(b"key").digest()
# Index of the instance, and value.
ATTRIBUTES = [
    (0, item("State", ENUMERATION, 2)),
    (0, name(b"first")),
    (2, name("zw\u00f6lf".encode())),
    (0, item("CryptographicUsageMask", INTEGER, 12)),
    (0, item("ActivationDate", DATE_TIME, 1318966508)),
    (0, item("ObjectGroup", TEXT, b"cartridges")),
    (0, vendors(b"x", b"Volume", item("AttributeValue", TEXT, b"VOL001"))),
    (0, vendors(b"x", b"Count", item("AttributeValue", INTEGER, 7))),
    (0, item("Digest", STRUCTURE, [item("HashingAlgorithm", ENUMERATION, 6), item("DigestValue", BYTES, DIGEST)])),
]


def s8(text):
    return bytes([len(text)]) + text


def record():
    values = item("Attributes", STRUCTURE, [value for _, value in ATTRIBUTES])
    return (bytes([1, 1 | 2]) + struct.pack(">IQ", SYMMETRIC_KEY, 1318970108) + s8(UID) + s8(GROUP) + s8(OWNER) +
            struct.pack(">H", len(ATTRIBUTES)) + b"".join(struct.pack(">I", index) for index, _ in ATTRIBUTES) + values)


def row(what):
    archived = b"\2"
    return what + GROUP + b"\0" + archived + UID


def term(attribute, field, kind, value, vendor=None, label=None):
    head = struct.pack(">III", 0x420000 + TAGS[attribute], 0x420000 + TAGS[field], kind)
    if vendor is not None:
        head += struct.pack(">II", len(vendor), len(label)) + vendor + label
    return row(b"A" + hashlib.sha256(head + value).digest()[:16])


def rows():
    return [row(b"G"), row(b"T" + struct.pack(">I", SYMMETRIC_KEY)), row(b"O" + hashlib.sha256(OWNER).digest()[:16]),
            term("Name", "NameValue", TEXT, b"first"), term("Name", "NameValue", TEXT, "zw\u00f6lf".encode()),
            term("ObjectGroup", "ObjectGroup", TEXT, b"cartridges"), term("Digest", "DigestValue", BYTES, DIGEST),
            term("Attribute", "AttributeValue", TEXT, b"VOL001", b"x", b"Volume"),
            term("Attribute", "AttributeValue", INTEGER, struct.pack(">q", 7), b"x", b"Count")]


if __name__ == "__main__":
    if sys.argv[1:] == ["record"]:
        sys.stdout.buffer.write(record())
    elif sys.argv[1:] == ["rows"]:
        print("\n".join(sorted(key.hex() for key in rows())))
    else:
        sys.exit(__doc__)
