#!/usr/bin/env python3
"""An independent maker and reader of key tokens (keyring/TOKEN.md).

  token_vector.py open TOKEN-FILE LABEL MASTER-HEX         prints the clear form in hex, or fails
  token_vector.py make TYPE BITS LABEL MASTER-HEX < CLEAR > TOKEN   with fixed salt and nonce, so that it comes out the same
"""
import hashlib
import struct
import sys

from aes import gcm, hkdf

HEAD = struct.Struct(">4sBBBH8s16s12sI")


def pattern(master):
    return hashlib.sha256(b"klm verification pattern" + master).digest()[:8]


def opened(token, label, master):
    head = token[:HEAD.size]
    magic, version, alg, kind, bits, vp, salt, nonce, n = HEAD.unpack(head)
    assert (magic, version, alg) == (b"KRTK", 1, 1), "no token"
    assert vp == pattern(master), "another master key"
    assert len(token) == HEAD.size + n + 16, "length"
    aad = head + struct.pack(">H", len(label)) + label
    clear, tag = gcm(hkdf(master, salt, b"klm key token v1"), nonce, aad, token[HEAD.size:-16], True)
    assert tag == token[-16:], "tag"
    return clear


def made(kind, bits, label, master, clear):
    salt, nonce = bytes(range(0x40, 0x50)), bytes(range(0x60, 0x6C))
    head = HEAD.pack(b"KRTK", 1, 1, kind, bits, pattern(master), salt, nonce, len(clear))
    aad = head + struct.pack(">H", len(label)) + label
    text, tag = gcm(hkdf(master, salt, b"klm key token v1"), nonce, aad, clear, False)
    return head + text + tag


def main():
    if sys.argv[1] == "open":
        token = open(sys.argv[2], "rb").read()
        print(opened(token, sys.argv[3].encode(), bytes.fromhex(sys.argv[4])).hex())
    else:
        kind, bits, label, master = int(sys.argv[2]), int(sys.argv[3]), sys.argv[4].encode(), bytes.fromhex(sys.argv[5])
        sys.stdout.buffer.write(made(kind, bits, label, master, sys.stdin.buffer.read()))


main()
