"""SMF data sets made by hand, from docs/smf.md and the manuals of SMF alone: records of type 83 subtype 6 in a chain with signed checkpoints,
records of other types, blocks of VB and VBS. Nothing here asks the programs under test how it is done."""
import datetime
import hashlib
import os
import struct
import subprocess

EPOCH = datetime.datetime(1970, 1, 1)
KINDS = {"authentication": 1, "authorization": 2, "data_synchronization": 7, "runtime": 4, "resource_management": 7,
         "configuration_management": 6, "audit_management": 7}
NUMBERS = {"user": 101, "user_kind": 102, "address": 103, "client": 104, "wwn": 105, "volser": 106, "message_id": 107, "verb": 108, "drive": 109,
           "source": 110, "object": 112, "message": 119, "thread": 120, "action": 121, "resource": 122, "command": 124, "old": 125, "new": 126}
# Code page 1047 is 037 with six characters in other places.
TO_1047 = {0xBA: 0xAD, 0xBB: 0xBD, 0xB0: 0x5F, 0x5F: 0xB0, 0xAD: 0xBA, 0xBD: 0xBB}


def ebcdic(text, width=None):
    """Text in code page 1047; what it does not have is written as its number in braces."""
    text = "".join(c if ord(c) < 256 else f"\\u{{{ord(c):X}}}" for c in text)
    data = bytes(TO_1047.get(byte, byte) for byte in text.encode("cp037"))
    return data if width is None else data[:width].ljust(width, b"\x40")


def packed(day):
    """0cyydddF"""
    digits = f"0{1 if day.year >= 2000 else 0}{day.year % 100:02d}{day.timetuple().tm_yday:03d}"
    return bytes.fromhex(digits + "F")


def rdw(data, segment=0):
    return struct.pack(">HBB", len(data) + 4, segment, 0) + data


def header(kind, when, system, subtype=None):
    """Standard header after the RDW."""
    hundredths = ((when.hour * 60 + when.minute) * 60 + when.second) * 100 + when.microsecond // 10000
    data = struct.pack(">BBI", 0x1E | (0x40 if subtype is not None else 0), kind, hundredths) + packed(when) + ebcdic(system, 4)
    return data + (ebcdic("", 4) + struct.pack(">H", subtype) if subtype is not None else b"")


def foreign(kind, when, system="Z1", subtype=None, length=80):
    """A record of another type; its rest is bytes that count up."""
    head = header(kind, when, system, subtype)
    return rdw(head + bytes(i % 251 for i in range(max(0, length - 4 - len(head)))))


class Chain:
    """The records of one server, one behind the other."""

    def __init__(self, server="KLM1", system="Z1", start=datetime.datetime(2026, 11, 22, 1, 2, 3, 40000)):
        self.server, self.system, self.now = server, system, start
        self.value, self.records, self.seq = bytes(32), 0, 0

    def close(self, code, qualifier, link, user, relocates):
        at = 52 + 12 + 96
        body = b"".join(struct.pack(">HH", number, len(data)) + data for number, data in relocates)
        head = header(83, self.now, self.system, 6)
        head += struct.pack(">HHIHHIHHIHH", 3, 0, 52, 12, 1, 64, 96, 1, at, len(body), len(relocates))
        product = ebcdic("0100", 4) + ebcdic("KLMSRV", 8)
        security = struct.pack(">IHBB", link, 0, code, qualifier) + ebcdic(user.upper(), 8) + ebcdic("", 8) + bytes(8) + ebcdic("", 8) + ebcdic("ISKLM", 8)
        security += bytes(4) + b"\0\0\0\x0f" + ebcdic("", 8) + b"\x08\0" + ebcdic("", 12) + bytes(2) + ebcdic("", 16)
        assert len(head) == 48 and len(security) == 96, (len(head), len(security))
        record = rdw(head + product + security + body)
        self.value = hashlib.sha256(record[4:]).digest()
        self.records += 1
        return record

    def common(self, kind, part, parts):
        stamp = self.now.strftime("%Y-%m-%dT%H:%M:%S.%fZ") + "+00:00"
        return [(100, ebcdic(self.server)), (113, ebcdic(stamp)), (116, struct.pack(">HH", part, parts)), (117, self.value), (129, ebcdic(kind))]

    def event(self, kind="runtime", failed=False, seconds=1.0, labels=(), text=True, skip=0, parts=1, **fields):
        """One event; its lines may go into several records. Returns the records and the text."""
        self.seq += 1 + skip
        self.now += datetime.timedelta(seconds=seconds)
        fields.setdefault("source", "km.test")
        lines = text if isinstance(text, list) else self.lines(kind, failed, fields) if text else []
        rest = [(NUMBERS[name], ebcdic(value)) for name, value in fields.items()] + [(111, ebcdic(label)) for label in labels]
        rest += [(114, ebcdic(line)) for line in lines]
        out, size = [], (len(rest) + parts - 1) // parts
        for part in range(parts):
            relocates = self.common(kind, part + 1, parts) + [(115, struct.pack(">Q", self.seq)), (118, hashlib.sha256(b"%d" % self.seq).digest())]
            out.append(self.close(KINDS[kind], 3 if failed else 0, self.seq & 0xFFFFFFFF, fields.get("user", "ISKLM"),
                                  relocates + rest[part * size:(part + 1) * size]))
        return out, "".join(line + "\n" for line in lines)

    def lines(self, kind, failed, fields):
        return [f"{kind.capitalize()} event:[", f"  timestamp={self.now:%a %b %d %H:%M:%S} GMT {self.now:%Y}", f"  event source={fields['source']}",
                f"  outcome=[result={'un' if failed else ''}successful]", f"  action={fields.get('verb', '')}", f"  user={fields.get('user', '')}",
                f"  sequence={self.seq}", f"  chain={hashlib.sha256(b'c%d' % self.seq).hexdigest()}", "  ]"]

    def checkpoint(self, key, certificate, algorithm="ECDSA-SHA256", number=None):
        """A record that signs the chain so far; key and certificate are files in PEM."""
        number = self.records if number is None else number
        message = b"".join(struct.pack(">H", len(part)) + part for part in (b"klmsrv checkpoint 1", b"smf", self.server.encode()))
        message += struct.pack(">Q", number) + struct.pack(">H", 32) + self.value
        signature = sign(key, message, algorithm)
        relocates = self.common("audit_management", 1, 1)
        relocates += [(131, struct.pack(">Q", number)), (132, ebcdic(algorithm)), (133, fingerprint(certificate)), (134, signature)]
        return self.close(7, 1, 0, "ISKLM", relocates)


def sign(key, message, algorithm):
    options = ["-sigopt", "rsa_padding_mode:pss", "-sigopt", "rsa_pss_saltlen:digest"] if algorithm.startswith("RSA") else []
    return subprocess.run(["openssl", "dgst", "-" + algorithm[-6:].lower(), "-sign", key, *options], input=message, stdout=subprocess.PIPE, check=True).stdout


def fingerprint(certificate):
    der = subprocess.run(["openssl", "x509", "-in", certificate, "-outform", "DER"], stdout=subprocess.PIPE, check=True).stdout
    return hashlib.sha256(der).digest()


def make_key(folder, name, kind="EC"):
    """Files of a key and its certificate."""
    key, certificate = os.path.join(folder, name + ".key"), os.path.join(folder, name + ".crt")
    new = ["ec", "-pkeyopt", "ec_paramgen_curve:P-256"] if kind == "EC" else ["rsa:2048"]
    subprocess.run(["openssl", "req", "-x509", "-newkey", *new, "-nodes", "-keyout", key, "-out", certificate, "-subj", f"/CN={name}", "-days", "30"],
                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=True)
    return key, certificate


def vb(records, size=32760):
    """Blocks with BDW, records whole."""
    out, block = b"", b""
    for record in records:
        if block and len(block) + len(record) + 4 > size:
            out += struct.pack(">HH", len(block) + 4, 0) + block
            block = b""
        block += record
    return out + (struct.pack(">HH", len(block) + 4, 0) + block if block else b"")


def vbs(records, size=600):
    """Blocks with BDW, records divided wherever a block is full."""
    blocks, block = [], b""
    for record in records:
        data, first = record[4:], True
        while data or first:
            room = size - 4 - len(block) - 4
            if room < 1:
                blocks.append(block)
                block = b""
                continue
            piece, data = data[:room], data[room:]
            segment = (0 if not data else 1) if first else (2 if not data else 3)
            block += rdw(piece, segment)
            first = False
    return b"".join(struct.pack(">HH", len(b) + 4, 0) + b for b in blocks + ([block] if block else []))
