#!/usr/bin/env python3
"""An independent reader (and maker) of disk arrays: plain Python, and OpenSSL's command line for the private key of a label and for AES-CTR.

readarray.py DIR show                       what array.state says, as NAME=VALUE lines
readarray.py DIR read VOLUME WAY VALUE      the content of a volume to standard output. WAY and VALUE:
     --label-key PEM      private key of a label that one of the EEDKs is for
     --data-key HEX       data key as a key manager gives it
     --recovery FILE      recovery key as it was shown
readarray.py --make DIR                     the golden array: EEDKs of tests/golden/exchange, one volume of 1,000 bytes, one that is empty
ios/ARRAY.md is the format; exchange/PROTOCOL.md, 5, that of EEDKs."""
import hashlib
import os
import re
import struct
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path += [os.path.join(HERE, "..", "keyring"), os.path.join(HERE, "..", "exchange")]
import aes  # noqa: E402
import make_vectors  # noqa: E402
from readcart import ghash, hkdf, pad  # noqa: E402

BLOCK = 65536


def fail(why):
    raise SystemExit("readarray: " + why)


class Cursor:
    def __init__(self, data):
        self.data, self.at = data, 0

    def take(self, n):
        if self.at + n > len(self.data):
            fail("it is cut")
        self.at += n
        return self.data[self.at - n:self.at]

    def number(self, n):
        return int.from_bytes(self.take(n), "big")


# ---- State


def parse_state(raw):
    if hashlib.sha256(raw[:-32]).digest() != raw[-32:]:
        fail("the digest of the state is wrong")
    cur = Cursor(raw[:-32])
    if cur.take(8) != b"KLMARRAY" or cur.number(2) != 1:
        fail("it is no state")
    state = {"change": cur.number(8), "serial": cur.take(12).decode(), "group": cur.take(cur.number(1)).decode(), "sets": []}
    for _ in range(cur.number(1)):
        one = {"made": cur.number(8), "labels": [], "eedks": []}
        for _ in range(cur.number(1)):
            one["labels"].append(cur.take(1).decode() + ":" + cur.take(cur.number(1)).decode())
            one["eedks"].append(cur.take(cur.number(2)))
        one["salt"], one["wrapped"] = cur.take(32), cur.take(40)
        state["sets"].append(one)
    state["recovery"], state["recovery_changed"] = cur.number(1), cur.number(8)
    state["recovery_salt"], state["recovery_wrapped"] = cur.take(32), cur.take(40)
    state["tries"], state["last_try"] = cur.number(4), cur.number(8)
    if cur.at != len(cur.data):
        fail("there is more behind the state")
    return state


def put_state(state):
    raw = b"KLMARRAY" + struct.pack(">HQ", 1, state["change"]) + state["serial"].encode()
    raw += bytes([len(state["group"])]) + state["group"].encode() + bytes([len(state["sets"])])
    for one in state["sets"]:
        raw += struct.pack(">QB", one["made"], len(one["eedks"]))
        for label, eedk in zip(one["labels"], one["eedks"]):
            raw += label[:1].encode() + bytes([len(label) - 2]) + label[2:].encode() + struct.pack(">H", len(eedk)) + eedk
        raw += one["salt"] + one["wrapped"]
    raw += struct.pack(">BQ", state["recovery"], state["recovery_changed"]) + state["recovery_salt"] + state["recovery_wrapped"]
    raw += struct.pack(">IQ", state["tries"], state["last_try"])
    return raw + hashlib.sha256(raw).digest()


# ---- Keys


def wrapping_key(use, state, under, salt):
    return hkdf(under, salt, f"klm array v1 {use}|{state['serial']}|{state['group']}".encode())


def unwrap(kek, wrapped):
    """RFC 3394, 2.2.2; None when the integrity value is wrong."""
    a, r = wrapped[:8], [wrapped[i:i + 8] for i in range(8, len(wrapped), 8)]
    for j in reversed(range(6)):
        for i in reversed(range(len(r))):
            t = (int.from_bytes(a, "big") ^ (len(r) * j + i + 1)).to_bytes(8, "big")
            b = aes.decrypt_block(kek, t + r[i])
            a, r[i] = b[:8], b[8:]
    return b"".join(r) if a == b"\xa6" * 8 else None


def open_key(use, state, under, salt, wrapped):
    return unwrap(wrapping_key(use, state, under, salt), wrapped)


def data_key_of(eedk, pem):
    """With the private key of its label, by OpenSSL; None when it is another label's."""
    alg, encoding, n = eedk[5], eedk[6:7], eedk[7]
    head, wrapped = eedk[:8 + n], eedk[8 + n:]
    name = {1: "rsa", 2: "p256", 3: "p384"}[alg]
    der = make_vectors.public_der(pem)
    if encoding == b"H" and hashlib.sha256(der).digest() != head[8:]:
        return None
    folder = os.path.dirname(os.path.abspath(pem))
    make_vectors.path = lambda name: os.path.join(folder, os.path.basename(pem))  # the key it is asked for is this one
    try:
        with tempfile.TemporaryDirectory() as work:
            return make_vectors.unseal(work, name, head, wrapped)
    except (subprocess.CalledProcessError, SystemExit):
        return None


def recovery_key(text):
    digits = re.sub(r"(?i)part [12]:|[-\s]", "", text)
    raw = bytes.fromhex(digits)
    key = b""
    for part in (0, 1):
        one = raw[part * 18:part * 18 + 18]
        if hashlib.sha256(f"klm array recovery part {part + 1}".encode() + one[:16]).digest()[:2] != one[16:]:
            fail("the recovery key is mistyped")
        key += one[:16]
    return key


def group_key(state, way, value):
    if way == "--recovery":
        key = recovery_key(open(value, encoding="ascii").read())
        return open_key("recovery key", state, key, state["recovery_salt"], state["recovery_wrapped"])
    for one in state["sets"]:
        keys = [bytes.fromhex(value)] if way == "--data-key" else [data_key_of(eedk, value) for eedk in one["eedks"]]
        for key in keys:
            opened = key and open_key("data key", state, key, one["salt"], one["wrapped"])
            if opened:
                return opened
    return None


# ---- Volumes


def ctr(key, iv, data):
    return subprocess.run(["openssl", "enc", "-aes-256-ctr", "-K", key.hex(), "-iv", iv.hex()], input=data, stdout=subprocess.PIPE, check=True).stdout


def gcm(key, iv, aad, data, decrypt):
    """Output and tag."""
    out = ctr(key, iv + struct.pack(">I", 2), data) if data else b""
    cipher = data if decrypt else out
    h = int.from_bytes(aes.encrypt_block(key, bytes(16)), "big")
    s = ghash(h, pad(aad) + pad(cipher) + struct.pack(">QQ", 8 * len(aad), 8 * len(cipher)))
    return out, bytes(a ^ b for a, b in zip(s, aes.encrypt_block(key, iv + b"\0\0\0\1")))


def nonce(i, last):
    return bytes([last, 0, 0, 0]) + struct.pack(">Q", i)


def read_volume(raw, state, name, under):
    cur = Cursor(raw)
    head = cur.take(130)
    if head[:16] != b"KLMARVOL" + struct.pack(">HBBI", 1, 1, 0, BLOCK) or head[16:28].decode() != state["serial"]:
        fail("it is no volume of this array")
    if head[28:34].decode().rstrip() != state["group"] or head[34:50].decode().rstrip() != name:
        fail("it is another volume")
    key = open_key("volume", state, under, head[58:90], head[90:130])
    if not key:
        fail("the group key does not open the volume")
    out, i, aad = b"", 0, hashlib.sha256(head).digest()
    while True:
        part = cur.take(min(BLOCK + 16, len(raw) - cur.at))
        last = cur.at == len(raw)
        plain, tag = gcm(key, nonce(i, last), aad, part[:-16], True)
        if len(part) < 16 or tag != part[-16:]:
            fail(f"block {i} is damaged")
        out, i = out + plain, i + 1
        if last:
            return out


# ---- The golden array


def seal_key(use, state, under, key, salt):
    return aes.key_wrap(wrapping_key(use, state, under, salt), key)


def make(folder):
    golden = os.path.join(HERE, "..", "golden", "exchange")
    read = lambda name: open(os.path.join(golden, name), "rb").read()
    data, group, recovery = read("data.key"), bytes(range(100, 132)), bytes(range(200, 232))
    state = {"change": 1, "serial": "75DS8GOLDEN1", "group": "EG0001", "tries": 0, "last_try": 0, "recovery": 2, "recovery_changed": 1318966508000000,
             "recovery_salt": bytes([2]) * 32}
    salt = bytes([1]) * 32
    state["sets"] = [{"made": 1318966508000000, "labels": ["L:TAPEKEY1", "H:TAPEKEY2"], "eedks": [read("rsa2048-L.eedk"), read("p256-H.eedk")],
                      "salt": salt, "wrapped": seal_key("data key", state, data, group, salt)}]
    state["recovery_wrapped"] = seal_key("recovery key", state, recovery, group, state["recovery_salt"])
    os.makedirs(os.path.join(folder, "volumes"), exist_ok=True)
    with open(os.path.join(folder, "array.state"), "wb") as file:
        file.write(put_state(state))
    with open(os.path.join(folder, "recovery"), "w", encoding="ascii") as file:
        for part in (0, 1):
            one = recovery[16 * part:16 * part + 16]
            one += hashlib.sha256(f"klm array recovery part {part + 1}".encode() + one).digest()[:2]
            hexed = one.hex().upper()
            file.write(f"PART {part + 1}: " + "-".join(hexed[i:i + 4] for i in range(0, 36, 4)) + "\n")
    for number, (name, content) in enumerate((("GOLDEN", bytes(i % 251 for i in range(1000))), ("EMPTY", b""))):
        key, salt = bytes([10 + number]) * 32, bytes([20 + number]) * 32
        head = b"KLMARVOL" + struct.pack(">HBBI", 1, 1, 0, BLOCK) + state["serial"].encode() + state["group"].ljust(6).encode()
        head += name.ljust(16).encode() + struct.pack(">Q", 1318966508000000) + salt + seal_key("volume", state, group, key, salt)
        out, tag = gcm(key, nonce(0, True), hashlib.sha256(head).digest(), content, False)
        with open(os.path.join(folder, "volumes", name + ".vol"), "wb") as file:
            file.write(head + out + tag)


def show(state):
    for name in ("serial", "group", "change", "recovery", "tries"):
        print(f"{name}={state[name]}")
    for i, one in enumerate(state["sets"]):
        print(f"labels{i}=" + ",".join(one["labels"]))
        for k, eedk in enumerate(one["eedks"]):
            print(f"eedk{i}.{k}=" + eedk.hex())


def main(args):
    if len(args) == 2 and args[0] == "--make":
        make(args[1])
        return
    if len(args) < 2:
        raise SystemExit(__doc__)
    with open(os.path.join(args[0], "array.state"), "rb") as file:
        state = parse_state(file.read())
    if args[1] == "show":
        show(state)
        return
    if len(args) != 5 or args[1] != "read":
        raise SystemExit(__doc__)
    under = group_key(state, *args[3:])
    if not under:
        fail("the group key cannot be opened so")
    with open(os.path.join(args[0], "volumes", args[2] + ".vol"), "rb") as file:
        sys.stdout.buffer.write(read_volume(file.read(), state, args[2], under))


if __name__ == "__main__":
    main(sys.argv[1:])
