#!/usr/bin/env python3
"""EEDK test vectors from OpenSSL's command line and hashlib: none of the project's code takes part.

make_vectors.py          make tests/golden/exchange anew (keys that are there are kept)
make_vectors.py --check  open every EEDK there again, with its private key, and compare with data.key
exchange/PROTOCOL.md, section 5, is the layout."""
import hashlib
import os
import struct
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
GOLDEN = os.path.join(HERE, "..", "golden", "exchange")
CURVES = {"p256": (2, "P-256", 32), "p384": (3, "P-384", 48)}
# name, key, encoding, label (encoding L)
VECTORS = [
    ("rsa2048-L", "rsa2048", "L", "TAPEKEY1"),
    ("rsa2048-H", "rsa2048", "H", None),
    ("rsa3072-L", "rsa3072", "L", "Tape_Sol_Tst_Shr_Pvt_3072_Lbl_1"),
    ("p256-L", "p256", "L", "TAPEKEY2"),
    ("p256-H", "p256", "H", None),
    ("p384-L", "p384", "L", "TAPEKEY3"),
]


def openssl(*args, data=None):
    return subprocess.run(["openssl", *args], input=data, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          check=True).stdout


def path(name):
    return os.path.join(GOLDEN, name)


def read(name):
    with open(path(name), "rb") as f:
        return f.read()


def write(name, data):
    with open(path(name), "wb") as f:
        f.write(data)


def temp(folder, name, data):
    full = os.path.join(folder, name)
    with open(full, "wb") as f:
        f.write(data)
    return full


def make_key(name):
    if os.path.exists(path(name + ".key.pem")):
        return
    if name in CURVES:
        opts = ["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:" + CURVES[name][1]]
    else:
        opts = ["-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:" + name[3:]]
    write(name + ".key.pem", openssl("genpkey", *opts))


def public_der(key_pem):
    return openssl("pkey", "-in", key_pem, "-pubout", "-outform", "DER")


def ecb(key, block, decrypt=False):
    mode = "-d" if decrypt else "-e"
    return openssl("enc", "-aes-256-ecb", mode, "-nopad", "-K", key.hex(), data=block)


def wrap(kek, plain):
    """RFC 3394, 2.2.1."""
    a, r = b"\xa6" * 8, [plain[i:i + 8] for i in range(0, len(plain), 8)]
    for j in range(6):
        for i in range(len(r)):
            b = ecb(kek, a + r[i])
            a = (int.from_bytes(b[:8], "big") ^ (len(r) * j + i + 1)).to_bytes(8, "big")
            r[i] = b[8:]
    return a + b"".join(r)


def unwrap(kek, wrapped):
    """RFC 3394, 2.2.2."""
    a, r = wrapped[:8], [wrapped[i:i + 8] for i in range(8, len(wrapped), 8)]
    for j in reversed(range(6)):
        for i in reversed(range(len(r))):
            t = (int.from_bytes(a, "big") ^ (len(r) * j + i + 1)).to_bytes(8, "big")
            b = ecb(kek, t + r[i], decrypt=True)
            a, r[i] = b[:8], b[8:]
    if a != b"\xa6" * 8:
        raise SystemExit("key wrap: integrity value is wrong")
    return b"".join(r)


def x963(z, shared_info):
    return hashlib.sha256(z + b"\0\0\0\1" + shared_info).digest()


def context(key, encoding, label):
    der = public_der(path(key + ".key.pem"))
    ref = label.encode() if encoding == "L" else hashlib.sha256(der).digest()
    alg = CURVES[key][0] if key in CURVES else 1
    return b"EEDK" + struct.pack(">BBcB", 1, alg, encoding.encode(), len(ref)) + ref


def spki(curve, point):
    """DER SubjectPublicKeyInfo of an uncompressed point."""
    oid = {"p256": "06082a8648ce3d030107", "p384": "06052b81040022"}[curve]
    alg = bytes.fromhex("06072a8648ce3d0201" + oid)
    alg = b"\x30" + bytes([len(alg)]) + alg
    bits = b"\x03" + bytes([len(point) + 1]) + b"\0" + point
    return b"\x30" + bytes([len(alg) + len(bits)]) + alg + bits


def ec_point(der, curve):
    return der[-(1 + 2 * CURVES[curve][2]):]


def seal(folder, key, ctx, data_key):
    pem = path(key + ".key.pem")
    if key not in CURVES:
        pub = temp(folder, "pub.pem", openssl("pkey", "-in", pem, "-pubout"))
        return openssl("pkeyutl", "-encrypt", "-pubin", "-inkey", pub, "-pkeyopt", "rsa_padding_mode:oaep", "-pkeyopt",
                       "rsa_oaep_md:sha256", "-pkeyopt", "rsa_mgf1_md:sha256", "-pkeyopt", "rsa_oaep_label:" + ctx.hex(),
                       data=data_key)
    eph = temp(folder, "eph.pem", openssl("genpkey", "-algorithm", "EC", "-pkeyopt",
                                          "ec_paramgen_curve:" + CURVES[key][1]))
    peer = temp(folder, "peer.pem", openssl("pkey", "-in", pem, "-pubout"))
    z = openssl("pkeyutl", "-derive", "-inkey", eph, "-peerkey", peer)
    return ec_point(public_der(eph), key) + wrap(x963(z, ctx), data_key)


def unseal(folder, key, ctx, wrapped):
    pem = path(key + ".key.pem")
    if key not in CURVES:
        return openssl("pkeyutl", "-decrypt", "-inkey", pem, "-pkeyopt", "rsa_padding_mode:oaep", "-pkeyopt",
                       "rsa_oaep_md:sha256", "-pkeyopt", "rsa_mgf1_md:sha256", "-pkeyopt", "rsa_oaep_label:" + ctx.hex(),
                       data=wrapped)
    n = 1 + 2 * CURVES[key][2]
    der = temp(folder, "eph.der", spki(key, wrapped[:n]))
    peer = temp(folder, "eph.pem", openssl("pkey", "-pubin", "-inform", "DER", "-in", der, "-pubout"))
    z = openssl("pkeyutl", "-derive", "-inkey", pem, "-peerkey", peer)
    return unwrap(x963(z, ctx), wrapped[n:])


def make():
    os.makedirs(GOLDEN, exist_ok=True)
    for key in sorted({v[1] for v in VECTORS}):
        make_key(key)
    data_key = hashlib.sha256(b"klm exchange vectors: data key").digest()
    write("data.key", data_key)
    for name, key, encoding, label in VECTORS:
        ctx = context(key, encoding, label)
        with tempfile.TemporaryDirectory() as folder:
            write(name + ".context", ctx)
            write(name + ".eedk", ctx + seal(folder, key, ctx, data_key))


def check():
    data_key = read("data.key")
    for name, key, encoding, label in VECTORS:
        ctx, eedk = context(key, encoding, label), read(name + ".eedk")
        if read(name + ".context") != ctx or not eedk.startswith(ctx):
            raise SystemExit(name + ": the context is wrong")
        with tempfile.TemporaryDirectory() as folder:
            if unseal(folder, key, ctx, eedk[len(ctx):]) != data_key:
                raise SystemExit(name + ": another data key")
        print("ok", name)


if __name__ == "__main__":
    if sys.argv[1:] == ["--check"]:
        check()
    elif not sys.argv[1:]:
        make()
        check()
    else:
        raise SystemExit(__doc__)
