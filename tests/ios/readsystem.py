#!/usr/bin/env python3
"""An independent reader of storage systems (ios/SYSTEM.md): the state, and volumes with a key that a KMIP client got.

readsystem.py DIR show                  what system.state says
readsystem.py DIR read VOLUME KEYHEX    the content of a volume to standard output
readsystem.py --make FILE               a state made from the description, for tests of the format"""
import hashlib
import os
import struct
import sys

sys.path.append(os.path.dirname(os.path.abspath(__file__)))
import readarray  # noqa: E402
from readarray import Cursor, fail  # noqa: E402
from readcart import hkdf  # noqa: E402

REKEYS = ["no", "preparing", "prepared", "committing"]
PLACES = {1: "prepared", 2: "current", 3: "obsolete", 4: "cancelled"}


def parse_state(raw):
    if hashlib.sha256(raw[:-32]).digest() != raw[-32:]:
        fail("the digest of the state is wrong")
    cur = Cursor(raw[:-32])
    if cur.take(8) != b"KLMSYSTM" or cur.number(2) != 1:
        fail("it is no state")

    def text():
        return cur.take(cur.number(1)).decode()

    state = {"change": cur.number(8), "serial": cur.take(12).decode(), "name": text()}
    state["servers"] = [(cur.number(1), text(), text(), cur.number(2)) for _ in range(cur.number(1))]
    state["primary"], state["enabled"], state["rekey"], state["request"] = cur.number(1), bool(cur.number(1)), REKEYS[cur.number(1)], text()
    state["keys"] = [{"number": cur.number(4), "place": PLACES[cur.number(1)], "uid": text(), "made": cur.number(8), "changed": cur.number(8),
                      "check": cur.take(16)} for _ in range(cur.number(2))]
    if cur.at != len(cur.data):
        fail("there is more behind the state")
    return state


def put_state(state):
    def text(value):
        return bytes([len(value)]) + value.encode()

    raw = b"KLMSYSTM" + struct.pack(">HQ", 1, state["change"]) + state["serial"].encode() + text(state["name"]) + bytes([len(state["servers"])])
    for number, name, host, port in state["servers"]:
        raw += bytes([number]) + text(name) + text(host) + struct.pack(">H", port)
    raw += bytes([state["primary"], state["enabled"], REKEYS.index(state["rekey"])]) + text(state["request"]) + struct.pack(">H", len(state["keys"]))
    for key in state["keys"]:
        place = next(number for number, name in PLACES.items() if name == key["place"])
        raw += struct.pack(">IB", key["number"], place) + text(key["uid"]) + struct.pack(">QQ", key["made"], key["changed"]) + key["check"]
    return raw + hashlib.sha256(raw).digest()


def check_value(serial, uid, key):
    return hkdf(key, serial.encode(), f"klm system v1 check|{uid}".encode())[:16]


def read_volume(folder, name, key):
    """The content of a volume; None: the key is another one."""
    with open(os.path.join(folder, "volumes", name + ".vol"), "rb") as file:
        raw = file.read()
    owner = {"serial": raw[16:28].decode(), "group": raw[28:34].decode().rstrip()}
    if not readarray.open_key("volume", owner, key, raw[58:90], raw[90:130]):
        return None
    return readarray.read_volume(raw, owner, name, key)


def sample():
    """All that can stand in a state: the vector of tests/unit/ios/test_system_state.c."""
    serial, key = "SY0123456789", bytes(range(32))
    keys = [{"number": n, "place": place, "uid": uid, "made": 1318966508000000 + n, "changed": 1318966509000000 + n, "check": check_value(serial, uid, key)}
            for n, place, uid in ((1, "obsolete", "019a9d2f-7c1e-7e02-8a6b-0123456789ab"), (2, "cancelled", "2"), (4, "current", "x" * 64), (5, "prepared", "5"))]
    return put_state({"change": 7, "serial": serial, "name": "SVC_1", "servers": [(0, "primary", "keys1.example.com", 5696), (2, "b", "::1", 1)],
                      "primary": 2, "enabled": True, "rekey": "committing", "request": "SVC_1-SY0123456789-K00005-0011223344556677", "keys": keys})


def main(words):
    if words[:1] == ["--make"] and len(words) == 2:
        with open(words[1], "wb") as file:
            file.write(sample())
        return
    if len(words) < 2:
        raise SystemExit(__doc__)
    if words[1] == "show":
        with open(os.path.join(words[0], "system.state"), "rb") as file:
            for name, value in parse_state(file.read()).items():
                print(f"{name}={value}")
    elif words[1] == "read" and len(words) == 4:
        content = read_volume(words[0], words[2], bytes.fromhex(words[3]))
        if content is None:
            fail("the key does not open the volume")
        sys.stdout.buffer.write(content)
    else:
        raise SystemExit(__doc__)


if __name__ == "__main__":
    main(sys.argv[1:])
