#!/usr/bin/env python3
"""An independent reader (and maker) of cartridges, in plain Python: nothing of the project and no crypto library.

readcart.py FILE KEYHEX        check and list every file of the volume; print the content's SHA-256 of each
readcart.py --make FILE KEYHEX make the golden cartridge: two files, blocks of 64 bytes, no compression
readcart.py --make-lto FILE KEYHEX the same of an LTO drive: one file, with a key identifier instead of EEDKs
ios/CARTRIDGE.md is the format. AES-GCM is written out here after FIPS 197 and NIST SP 800-38D: slow, for small tapes.
Blocks that are compressed are checked but not decompressed."""
import hashlib
import hmac
import struct
import sys

# ---- AES-256 and GCM


def _sbox():
    box, p, q = [0] * 256, 1, 1
    while True:
        p = p ^ (p << 1) & 0xFF ^ (0x1B if p & 0x80 else 0)
        q ^= q << 1
        q ^= q << 2
        q ^= q << 4
        q &= 0xFF
        if q & 0x80:
            q ^= 0x09
        x = q ^ (q << 1 | q >> 7) & 0xFF ^ (q << 2 | q >> 6) & 0xFF ^ (q << 3 | q >> 5) & 0xFF ^ (q << 4 | q >> 4) & 0xFF
        box[p] = x ^ 0x63
        if p == 1:
            break
    box[0] = 0x63
    return box


SBOX = _sbox()


def xtime(a):
    return (a << 1 ^ (0x1B if a & 0x80 else 0)) & 0xFF


def expand(key):
    w, rcon = [list(key[i:i + 4]) for i in range(0, 32, 4)], 1
    for i in range(8, 60):
        t = list(w[i - 1])
        if i % 8 == 0:
            t = [SBOX[b] for b in t[1:] + t[:1]]
            t[0] ^= rcon
            rcon = xtime(rcon)
        elif i % 8 == 4:
            t = [SBOX[b] for b in t]
        w.append([a ^ b for a, b in zip(w[i - 8], t)])
    return [sum(w[4 * r:4 * r + 4], []) for r in range(15)]


def encrypt_block(rounds, block):
    s = [a ^ b for a, b in zip(block, rounds[0])]
    for r in range(1, 15):
        s = [SBOX[b] for b in s]
        s = [s[(i + 4 * (i % 4)) % 16] for i in range(16)]
        if r < 14:
            out = []
            for c in range(0, 16, 4):
                a = s[c:c + 4]
                t = a[0] ^ a[1] ^ a[2] ^ a[3]
                out += [a[i] ^ t ^ xtime(a[i] ^ a[(i + 1) % 4]) for i in range(4)]
            s = out
        s = [a ^ b for a, b in zip(s, rounds[r])]
    return bytes(s)


def gmul(x, y):
    z = 0
    for i in range(127, -1, -1):
        if x >> i & 1:
            z ^= y
        y = y >> 1 ^ (0xE1 << 120 if y & 1 else 0)
    return z


def ghash(h, data):
    y = 0
    for i in range(0, len(data), 16):
        y = gmul(y ^ int.from_bytes(data[i:i + 16], "big"), h)
    return y.to_bytes(16, "big")


def pad(data):
    return data + bytes(-len(data) % 16)


def gcm(key, iv, aad, data, decrypt):
    """Output and tag; the caller compares tags."""
    rounds = expand(key)
    h = int.from_bytes(encrypt_block(rounds, bytes(16)), "big")
    out = b""
    for i in range(0, len(data), 16):
        stream = encrypt_block(rounds, iv + struct.pack(">I", 2 + i // 16))
        out += bytes(a ^ b for a, b in zip(data[i:i + 16], stream))
    cipher = data if decrypt else out
    s = ghash(h, pad(aad) + pad(cipher) + struct.pack(">QQ", 8 * len(aad), 8 * len(cipher)))
    tag = bytes(a ^ b for a, b in zip(s, encrypt_block(rounds, iv + b"\0\0\0\1")))
    return out, tag


def hkdf(key, salt, info):
    prk = hmac.new(salt, key, hashlib.sha256).digest()
    return hmac.new(prk, info + b"\1", hashlib.sha256).digest()


# ---- AWSTAPE


def records(raw):
    """Blocks as bytes, tape marks as None."""
    at, previous = 0, 0
    while at < len(raw):
        length, before, flags, zero = struct.unpack_from("<HHBB", raw, at)
        if before != previous or zero != 0 or at + 6 + length > len(raw):
            raise SystemExit("block header at %d is wrong" % at)
        if flags == 0x40 and length == 0:
            yield None
        elif flags == 0xA0 and length > 0:
            yield raw[at + 6:at + 6 + length]
        else:
            raise SystemExit("flags at %d are wrong" % at)
        at, previous = at + 6 + length, length


class Tape:
    def __init__(self):
        self.raw, self.previous = b"", 0

    def add(self, block):
        n = len(block) if block is not None else 0
        self.raw += struct.pack("<HHBB", n, self.previous, 0xA0 if n else 0x40, 0) + (block or b"")
        self.previous = n


# ---- Labels (cp1047's characters that labels use are the same in cp037)


def text(block):
    if len(block) != 80:
        raise SystemExit("a label of %d bytes" % len(block))
    return block.decode("cp037")


def label1(kind, name, volser, seq, blocks):
    s = "%s1%-17s%-6s%04d%04d%6s%6s%6s0%06d%-13s   %04d" % (kind, name, volser, 1, seq, "", "026325", "000000",
                                                         blocks % 10**6, "KLMSRV", blocks // 10**6)
    return s.encode("cp037")


def label2(kind):
    s = "%s2U3276000000%s%s%-8s/%-8s" % (kind, "0", "0", "GOLDEN", "STEP1")
    return s.ljust(80).encode("cp037")


# ---- Encrypted files


class KeyId(bytes):
    """Identifier of a stored key (exchange/PROTOCOL.md, 6.1): three characters and 18 digits, or 12 characters."""

    def aliases(self):
        plain = self.rstrip(b" ")
        out = [self[:3].decode() + self[3:].hex()] if self[:3].isalnum() and self[:3].isascii() else []
        return out + ([plain.decode()] if plain and all(0x20 < c < 0x7F for c in plain) else [])


def header(block):
    magic, version, cipher, compression, chunk, salt, n = struct.unpack_from(">8sHBBI32sH", block)
    if magic != b"KLMCART\0" or cipher != 1 or compression > 1:
        raise SystemExit("no header block")
    if version == 2:
        if len(block) != 60:
            raise SystemExit("header block is %d bytes, not 60" % len(block))
        return chunk, salt, KeyId(block[48:])
    if version != 1 or not 1 <= n <= 2:
        raise SystemExit("no header block")
    at, eedks = 50, []
    for _ in range(n):
        size, = struct.unpack_from(">H", block, at)
        eedks.append(block[at + 2:at + 2 + size])
        at += 2 + size
    if at != len(block):
        raise SystemExit("header block is %d bytes, not %d" % (len(block), at))
    return chunk, salt, eedks


def subkey(key, salt, block):
    return hkdf(key, salt, b"klm cartridge v1" + hashlib.sha256(block).digest())


def nonce(number, last):
    return struct.pack(">BBBBQ", last, 0, 0, 0, number)


def open_file(blocks, key):
    chunk, salt, eedks = header(blocks[0])
    k, file_id = subkey(key, salt, blocks[0]), hashlib.sha256(blocks[0]).digest()[:8]
    content, packed, last = b"", False, 0
    for number, block in enumerate(blocks[1:]):
        magic, flags, zero, plain, said, ident = struct.unpack_from(">2sBBIQ8s", block)
        if magic != b"KB" or flags > 3 or zero or plain > chunk or said != number or ident != file_id or last:
            raise SystemExit("data block %d: head" % number)
        last = flags & 1
        out, tag = gcm(k, nonce(number, last), block[:24], block[24:-16], True)
        if tag != block[-16:]:
            raise SystemExit("data block %d: tag" % number)
        if flags & 2:
            packed = True
        elif len(out) != plain:
            raise SystemExit("data block %d: length" % number)
        else:
            content += out
    if not last:
        raise SystemExit("the last block is missing")
    return None if packed else content, eedks


def seal_file(content, key, salt, eedks, chunk):
    if isinstance(eedks, KeyId):
        block = struct.pack(">8sHBBI32s12s", b"KLMCART\0", 2, 1, 0, chunk, salt, eedks)
    else:
        block = struct.pack(">8sHBBI32sH", b"KLMCART\0", 1, 1, 0, chunk, salt, len(eedks))
        block += b"".join(struct.pack(">H", len(e)) + e for e in eedks)
    k, file_id, out = subkey(key, salt, block), hashlib.sha256(block).digest()[:8], [block]
    pieces = [content[i:i + chunk] for i in range(0, len(content), chunk)] or [b""]
    for number, piece in enumerate(pieces):
        last = int(number == len(pieces) - 1)
        head = struct.pack(">2sBBIQ8s", b"KB", last, 0, len(piece), number, file_id)
        data, tag = gcm(k, nonce(number, last), head, piece, False)
        out.append(head + data + tag)
    return out


def read(path, key):
    with open(path, "rb") as f:
        groups, group = [], []
        for r in records(f.read()):
            if r is None:
                groups.append(group)
                group = []
            else:
                group.append(r)
    if group or groups[-1]:
        raise SystemExit("the volume does not end with two tape marks")
    vol1 = text(groups[0].pop(0))
    if vol1[:4] != "VOL1":
        raise SystemExit("no VOL1")
    print("volume", vol1[4:10].strip())
    for seq in range((len(groups) - 1) // 3):
        heads, blocks, ends = groups[3 * seq:3 * seq + 3]
        hdr1, hdr2, eof1, eof2 = [text(x) for x in heads + ends]
        if (hdr1[:4], hdr2[:4], eof1[:4], eof2[:4]) != ("HDR1", "HDR2", "EOF1", "EOF2"):
            raise SystemExit("labels of file %d" % (seq + 1))
        if hdr1[4:54] != eof1[4:54] or hdr2[4:] != eof2[4:] or int(hdr1[31:35]) != seq + 1:
            raise SystemExit("labels of file %d disagree" % (seq + 1))
        if int(eof1[76:80] + eof1[54:60]) != len(blocks):
            raise SystemExit("block count of file %d" % (seq + 1))
        content, eedks = open_file(blocks, key)
        digest = hashlib.sha256(content).hexdigest() if content is not None else "compressed"
        named = eedks.aliases() if isinstance(eedks, KeyId) else [len(e) for e in eedks]
        print("file", seq + 1, hdr1[4:21].strip(), len(blocks), named, digest)


def golden_content():
    return bytes((i * 7 + i // 64) & 0xFF for i in range(150))


GOLDEN = [("GOLDEN.ONE", golden_content(), [b"first eedk", b"second"]), ("GOLDEN.EMPTY", b"", [b"only one"])]
GOLDEN_LTO = [("GOLDEN.LTO", golden_content(), KeyId(b"des" + bytes(8) + b"\x1f"))]


def make(path, key, files):
    tape = Tape()
    tape.add(("VOL1%-6s0" % "GOLD01").ljust(41).encode("cp037") + "KLMSRV".ljust(39).encode("cp037"))
    for seq, (name, content, eedks) in enumerate(files, 1):
        salt = hashlib.sha256(b"golden salt %d" % seq).digest()
        blocks = seal_file(content, key, salt, eedks, 64)
        for kind, count in (("HDR", 0), ("EOF", len(blocks))):
            tape.add(label1(kind, name, "GOLD01", seq, count))
            tape.add(label2(kind))
            tape.add(None)
            if kind == "HDR":
                for block in blocks:
                    tape.add(block)
                tape.add(None)
    tape.add(None)
    with open(path, "wb") as f:
        f.write(tape.raw)


def self_test():
    """NIST's GCM example 16 (AES-256, with associated data)."""
    key = bytes.fromhex("feffe9928665731c6d6a8f9467308308" * 2)
    data = bytes.fromhex("d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a72"
                         "1c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39")
    aad = bytes.fromhex("feedfacedeadbeeffeedfacedeadbeefabaddad2")
    out, tag = gcm(key, bytes.fromhex("cafebabefacedbaddecaf888"), aad, data, False)
    if tag.hex() != "76fc6ece0f4e1768cddf8853bb2d551b" or out[:4].hex() != "522dc1f0":
        raise SystemExit("this reader's own AES-GCM is wrong")


if __name__ == "__main__":
    self_test()
    args = sys.argv[1:]
    if len(args) == 3 and args[0] == "--make":
        make(args[1], bytes.fromhex(args[2]), GOLDEN)
    elif len(args) == 3 and args[0] == "--make-lto":
        make(args[1], bytes.fromhex(args[2]), GOLDEN_LTO)
    elif len(args) == 2:
        read(args[0], bytes.fromhex(args[1]))
    else:
        raise SystemExit(__doc__)
