#!/usr/bin/env python3
"""Read a backup from backup/BACKUP.md alone, with nothing of the product: Python's library, OpenSSL's command line for AES-256-GCM's block
cipher (AES-CTR, the tag by hand) and zstd's for the frame.

    readbackup.py FILE PASSWORDFILE          list the sections
    readbackup.py FILE PASSWORDFILE DIR      and write each file section, and each table as lines of hex, into DIR
"""
import hashlib
import hmac
import os
import struct
import subprocess
import sys


def die(why):
    sys.exit(f"readbackup: {why}")


class Cursor:
    def __init__(self, data):
        self.data, self.at = data, 0

    def take(self, n):
        if self.at + n > len(self.data):
            die("cut short")
        self.at += n
        return self.data[self.at - n:self.at]

    def number(self, n):
        return int.from_bytes(self.take(n), "big")

    def lp(self, n):
        return self.take(self.number(n))

    def text(self):
        return self.lp(2).decode("utf-8")

    def left(self):
        return len(self.data) - self.at


def hkdf(key, info):
    """RFC 5869 without salt, 32 bytes."""
    prk = hmac.new(bytes(32), key, "sha256").digest()
    return hmac.new(prk, info + b"\x01", "sha256").digest()


def aes(key, data, mode, iv=None):
    command = ["openssl", "enc", "-d" if mode == "dec" else "-e", f"-aes-256-{'ctr' if iv else 'ecb'}", "-K", key.hex(), "-nopad"]
    return subprocess.run(command + (["-iv", iv.hex()] if iv else []), input=data, stdout=subprocess.PIPE, check=True).stdout


def table_of(h):
    """Multiples of H by each byte at each place, so that GHASH is sixteen look-ups a block (NIST SP 800-38D, 6.3)."""
    powers, v = [], int.from_bytes(h, "big")
    for _ in range(128):
        powers.append(v)
        v = (v >> 1) ^ (0xE1 << 120 if v & 1 else 0)
    tables = []
    for place in range(16):
        row = [0] * 256
        for byte in range(1, 256):
            low = byte & -byte
            bit = 7 - (low.bit_length() - 1)
            row[byte] = row[byte ^ low] ^ powers[8 * place + bit]
        tables.append(row)
    return tables


class Gcm:
    def __init__(self, key):
        self.key, self.table = key, table_of(aes(key, bytes(16), "enc"))

    def ghash(self, aad, text):
        y = 0
        padded = aad + bytes(-len(aad) % 16) + text + bytes(-len(text) % 16) + struct.pack(">QQ", 8 * len(aad), 8 * len(text))
        for at in range(0, len(padded), 16):
            block = (y ^ int.from_bytes(padded[at:at + 16], "big")).to_bytes(16, "big")
            y = 0
            for place in range(16):
                y ^= self.table[place][block[place]]
        return y.to_bytes(16, "big")

    def open(self, nonce, aad, text, tag):
        """The clear text, or None: the tag is wrong."""
        start = aes(self.key, nonce + b"\x00\x00\x00\x01", "enc")
        made = bytes(a ^ b for a, b in zip(start, self.ghash(aad, text)))
        if not hmac.compare_digest(made, tag):
            return None
        return aes(self.key, text, "dec", nonce + b"\x00\x00\x00\x02") if text else b""


def read_header(data):
    if data[:8] != b"KLM-BKUP":
        die("no backup")
    version, least, size = struct.unpack(">HHI", data[8:16])
    if least > 1 or not 80 <= size <= 65536 or size > len(data):
        die(f"version {version}, header of {size} bytes")
    if hashlib.sha256(data[:size - 64]).digest() != data[size - 64:size - 32]:
        die("the header is damaged")
    cur = Cursor(data[16:size - 64])
    header = {"bytes": data[:size], "product": cur.text(), "server": cur.text(), "id": cur.take(16), "store": cur.take(16),
              "created": cur.number(8), "compression": cur.number(1), "cipher": cur.number(1), "chunk": cur.number(4), "slots": []}
    for _ in range(cur.number(1)):
        kind = cur.number(1)
        header["slots"].append((kind, cur.lp(2)))
    if cur.left() or header["compression"] != 1 or header["cipher"] != 1:
        die("the header cannot be read")
    return header


def open_slot(header, password):
    for kind, body in header["slots"]:
        if kind != 1:
            continue
        cur = Cursor(body)
        log_n, r, p, salt, nonce, sealed, tag = cur.number(1), cur.number(4), cur.number(4), cur.take(16), cur.take(12), cur.take(32), cur.take(16)
        kek = hashlib.scrypt(password, salt=salt, n=1 << log_n, r=r, p=p, maxmem=1 << 30, dklen=32)
        key = Gcm(kek).open(nonce, b"klm backup slot" + header["id"] + body[:37], sealed, tag)
        if key:
            return key
    return die("wrong password")


def read_chunks(data, key):
    gcm, cur, number, out = Gcm(hkdf(key, b"klm backup chunks v1")), Cursor(data), 0, []
    while True:
        head = cur.take(4)
        word = int.from_bytes(head, "big")
        last, size = word >> 31, word & 0x7FFFFFFF
        text, tag = cur.take(size), cur.take(16)
        clear = gcm.open(bytes(3) + number.to_bytes(8, "big") + bytes([last]), head, text, tag)
        if clear is None:
            die(f"chunk {number} is damaged")
        out.append(clear)
        number += 1
        if last:
            break
    if cur.left():
        die("something stands behind the last chunk")
    return b"".join(out)


def items(stream):
    cur = Cursor(stream)
    while cur.left():
        kind = cur.number(1)
        yield kind, cur.lp(4)


def records(data):
    cur = Cursor(data)
    while cur.left():
        key = cur.lp(2)
        form = cur.number(1)
        yield key, form, cur.lp(4)


def read_sections(stream):
    """Sections as (type, name, data, end item), manifest, signature."""
    found, current, manifest, signature = [], None, None, None
    for kind, payload in items(stream):
        if kind == 1:
            current = [payload[0], Cursor(payload[1:]).text(), []]
        elif kind == 2:
            current[2].append(payload)
        elif kind == 3:
            found.append((current[0], current[1], b"".join(current[2]), payload))
        elif kind == 4:
            manifest = payload
        elif kind == 5:
            signature = payload
        else:
            die(f"item of kind {kind}")
    return found, manifest, signature


def check_manifest(manifest, header, found):
    cur = Cursor(manifest)
    if cur.number(2) != 1 or cur.take(32) != hashlib.sha256(header["bytes"]).digest():
        die("the manifest is of another backup")
    told = {"number": cur.number(8), "vp": cur.text(), "journal": cur.text(), "last": cur.number(8), "value": cur.take(32).hex()}
    if cur.number(2) != len(found):
        die("the manifest has other sections")
    for kind, name, data, end in found:
        row = (cur.number(1), cur.text(), cur.take(24), cur.take(32))
        if row != (kind, name, end, hashlib.sha256(data).digest()):
            die(f"section {name} is not what the manifest says")
    return told


def check_signature(signature, manifest, folder):
    """By OpenSSL's command line; needs a folder for its files."""
    cur = Cursor(signature)
    algorithm, cert, made = cur.text(), cur.lp(2), cur.lp(2)
    if not algorithm:
        return "none"
    title = b"klmsrv backup manifest 1"
    paths = {name: os.path.join(folder, f".{name}") for name in ("cert", "sig", "message", "key")}
    for name, data in (("cert", cert), ("sig", made),
                       ("message", struct.pack(">H", len(title)) + title + hashlib.sha256(manifest).digest())):
        with open(paths[name], "wb") as file:
            file.write(data)
    key = subprocess.run(["openssl", "x509", "-inform", "DER", "-in", paths["cert"], "-noout", "-pubkey"], stdout=subprocess.PIPE, check=True).stdout
    with open(paths["key"], "wb") as file:
        file.write(key)
    padding = ["-sigopt", "rsa_padding_mode:pss", "-sigopt", "rsa_pss_saltlen:32"] if algorithm.startswith("RSA") else []
    done = subprocess.run(["openssl", "dgst", "-sha384" if algorithm.endswith("384") else "-sha256", *padding, "-verify", paths["key"],
                           "-signature", paths["sig"], paths["message"]], stdout=subprocess.PIPE, check=False)
    for path in paths.values():
        os.unlink(path)
    return algorithm if done.returncode == 0 else die("the signature is wrong")


def check_tokens(found, key):
    """Each token is under the backup's own master key: its pattern says so (keyring/TOKEN.md)."""
    pattern = hashlib.sha256(b"klm verification pattern" + hkdf(key, b"klm backup tokens v1")).digest()[:8]
    for kind, name, data, _ in found:
        for label, form, record in (records(data) if kind == 1 else ()):
            if (form != 0) != (name == "token") or (form == 1 and (record[:4] != b"KRTK" or record[9:17] != pattern)):
                die(f"token {label!r} is not under the key of the backup")


def main():
    if len(sys.argv) not in (3, 4):
        sys.exit(__doc__)
    with open(sys.argv[1], "rb") as file:
        data = file.read()
    with open(sys.argv[2], "rb") as file:
        password = file.readline().rstrip(b"\n")
    header = read_header(data)
    key = open_slot(header, password)
    n = len(header["bytes"])
    if hmac.new(hkdf(key, b"klm backup header v1"), data[:n - 32], "sha256").digest() != data[n - 32:n]:
        die("the header was changed")
    stream = subprocess.run(["zstd", "-dc"], input=read_chunks(data[n:], key), stdout=subprocess.PIPE, check=True).stdout
    found, manifest, signature = read_sections(stream)
    told = check_manifest(manifest, header, found)
    check_tokens(found, key)
    folder = sys.argv[3] if len(sys.argv) == 4 else os.path.dirname(os.path.abspath(sys.argv[1]))
    print(f"server {header['server']} release {header['product']} change {told['number']} journal {told['journal']} {told['last']} "
          f"signed {check_signature(signature, manifest, folder)}")
    for kind, name, section, end in found:
        print(f"{'table' if kind == 1 else 'file'} {name} {int.from_bytes(end[:8], 'big')} {len(section)}")
        if len(sys.argv) == 4:
            with open(os.path.join(folder, name), "wb") as file:
                file.write(section if kind == 2 else b"".join(b"%s %d %s\n" % (k.hex().encode(), f, r.hex().encode()) for k, f, r in records(section)))


main()
