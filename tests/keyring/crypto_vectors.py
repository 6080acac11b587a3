#!/usr/bin/env python3
"""Makes tests/golden/keyring/crypto.txt: what ciphers, hashes, MACs and signatures must give. Modes, paddings and MACs are written down here in plain Python over
one block of a cipher; the block is plain Python's for AES and OpenSSL's command line's for the others, hashes are Python's, signatures and RSA the command line's. Those have random parts,
so a new file differs from the old one. Usage: tests/keyring/crypto_vectors.py > tests/golden/keyring/crypto.txt, in the project's folder.

Lines, fields between blanks, - for none, bytes in hex, names KMIP's:
  cipher ALGORITHM MODE PADDING KEY IV AAD DATA OUT TAG
  hash HASH DATA OUT
  mac ALGORITHM HASH KEY DATA OUT       (HASH: of an HMAC that only a hash names)
  key NAME FORMAT PRIVATE-KEY
  sign KEY SIGNATURE PADDING HASH MASK-HASH SALT DATA OUT
  rsa PADDING HASH MASK-HASH P-SOURCE DATA OUT"""
import functools
import hashlib
import hmac
import os
import struct
import subprocess
import tempfile

import aes

HASHES = {"MD5": "md5", "SHA_1": "sha1", "SHA_224": "sha224", "SHA_256": "sha256", "SHA_384": "sha384", "SHA_512": "sha512", "RIPEMD_160": "ripemd160",
          "SHA_512_224": "sha512-224", "SHA_512_256": "sha512-256", "SHA3_224": "sha3-224", "SHA3_256": "sha3-256", "SHA3_384": "sha3-384", "SHA3_512": "sha3-512"}
# Algorithm, bytes of the key, openssl's name, modes beyond those of blocks.
FAMILIES = [("AES", 16, None, "CTR GCM CCM NISTKeyWrap AESKeyWrapPadding"), ("AES", 24, None, "CTR GCM CCM NISTKeyWrap AESKeyWrapPadding"),
            ("AES", 32, None, "CTR GCM CCM NISTKeyWrap AESKeyWrapPadding"), ("DES3", 16, "des-ede-ecb", ""), ("DES3", 24, "des-ede3-ecb", ""),
            ("Camellia", 16, "camellia-128-ecb", "CTR"), ("Camellia", 24, "camellia-192-ecb", "CTR"), ("Camellia", 32, "camellia-256-ecb", "CTR"),
            ("ARIA", 16, "aria-128-ecb", "CTR GCM CCM"), ("ARIA", 24, "aria-192-ecb", "CTR GCM CCM"), ("ARIA", 32, "aria-256-ecb", "CTR GCM CCM"),
            ("SM4", 16, "sm4-ecb", "CTR"), ("DES", 8, "des-ecb", ""), ("SEED", 16, "seed-ecb", ""), ("Blowfish", 16, "bf-ecb", ""), ("CAST5", 16, "cast5-ecb", "")]


def stuff(label, n):
    """Bytes that differ from label to label and are the same each time."""
    return hashlib.shake_128(label.encode()).digest(n)


def openssl(*args, data=b""):
    return subprocess.run(["openssl", *args], input=data, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=True).stdout


def line(*fields):
    print(*((f.hex() or "-") if isinstance(f, bytes) else f for f in fields))


def xor(a, b):
    return bytes(x ^ y for x, y in zip(a, b))


# ---- One block

@functools.lru_cache(None)
def by_openssl(name, key, block):
    return openssl("enc", "-" + name, "-nopad", "-K", key.hex(), "-provider", "default", "-provider", "legacy", data=block)


def cipher_of(name, key):
    if name:
        return lambda block: by_openssl(name, key, block)
    return functools.lru_cache(None)(lambda block: aes.encrypt_block(key, block))


def blocks(data, size):
    return [data[i:i + size] for i in range(0, len(data), size)]


# ---- Modes

def ecb(e, size, iv, data):
    return b"".join(e(b) for b in blocks(data, size))


def cbc(e, size, iv, data):
    out = []
    for b in blocks(data, size):
        iv = e(xor(b, iv))
        out.append(iv)
    return b"".join(out)


def pcbc(e, size, iv, data):
    out = []
    for b in blocks(data, size):
        out.append(e(xor(b, iv)))
        iv = xor(b, out[-1])
    return b"".join(out)


def cfb(e, size, iv, data):
    out = []
    for b in blocks(data, size):
        iv = xor(b, e(iv))
        out.append(iv)
    return b"".join(out)


def ofb(e, size, iv, data):
    out = []
    for b in blocks(data, size):
        iv = e(iv)
        out.append(xor(b, iv))
    return b"".join(out)


def ctr(e, size, iv, data, width=None):
    out, width = [], width or size
    for i, b in enumerate(blocks(data, size)):
        count = (int.from_bytes(iv[size - width:], "big") + i) % (1 << 8 * width)
        out.append(xor(b, e(iv[:size - width] + count.to_bytes(width, "big"))))
    return b"".join(out)


def ghash(h, data):
    """SP 800-38D, 6.4."""
    y, h = 0, int.from_bytes(h, "big")
    for b in blocks(data, 16):
        x, y, v = y ^ int.from_bytes(b, "big"), 0, h
        for i in range(127, -1, -1):
            y ^= v if x >> i & 1 else 0
            v = v >> 1 ^ (0xE1 << 120 if v & 1 else 0)
    return y.to_bytes(16, "big")


def padded(data):
    return data + bytes(-len(data) % 16)


def gcm(e, iv, aad, data, tag):
    h = e(bytes(16))
    first = iv + b"\0\0\0\1" if len(iv) == 12 else ghash(h, padded(iv) + struct.pack(">QQ", 0, 8 * len(iv)))
    start = first[:12] + ((int.from_bytes(first[12:], "big") + 1) % (1 << 32)).to_bytes(4, "big")
    out = ctr(e, 16, start, data, 4)
    s = ghash(h, padded(aad) + padded(out) + struct.pack(">QQ", 8 * len(aad), 8 * len(out)))
    return out, xor(s, e(first))[:tag]


def ccm(e, iv, aad, data, tag):
    """SP 800-38C, appendix A."""
    q = 15 - len(iv)
    head = bytes([(64 if aad else 0) | (tag - 2) // 2 << 3 | q - 1]) + iv + len(data).to_bytes(q, "big")
    more = padded(struct.pack(">H", len(aad)) + aad) if aad else b""
    mac = cbc(e, 16, bytes(16), head + more + padded(data))[-16:]
    count = bytes([q - 1]) + iv + bytes(q)
    return ctr(e, 16, count[:15] + b"\1", data), xor(mac, e(count))[:tag]


def xts(e1, e2, iv, data):
    """IEEE 1619, 5.3."""
    t, out, full = int.from_bytes(e2(iv), "little"), [], blocks(data, 16)
    for b in full:
        if len(b) < 16:
            last = out.pop()
            b, cut = b + last[len(b):], last[:len(b)]
            out.append(xor(e1(xor(b, t.to_bytes(16, "little"))), t.to_bytes(16, "little")))
            out.append(cut)
        else:
            out.append(xor(e1(xor(b, t.to_bytes(16, "little"))), t.to_bytes(16, "little")))
        t = t << 1 ^ (0x87 if t >> 127 else 0)
        t &= (1 << 128) - 1
    return b"".join(out)


def wrap(e, iv, data):
    """RFC 3394, 2.2.1."""
    a, r = iv, blocks(data, 8)
    for j in range(6):
        for i in range(len(r)):
            b = e(a + r[i])
            a, r[i] = xor(b[:8], (len(r) * j + i + 1).to_bytes(8, "big")), b[8:]
    return a + b"".join(r)


def wrap_padded(e, icv, data):
    """RFC 5649, 4.1."""
    head, full = icv + struct.pack(">I", len(data)), data + bytes(-len(data) % 8)
    return e(head + full) if len(full) == 8 else wrap(e, head, full)


def pad(method, size, data):
    n = size - len(data) % size
    return {"None": data, "PKCS5": data + bytes([n]) * n, "Zeros": data + bytes(n % size), "ANSIX9_23": data + bytes(n - 1) + bytes([n]),
            "SSL3": data + bytes(n - 1) + bytes([n - 1])}[method]


# ---- ChaCha20 and Poly1305 (RFC 8439)

def quarter(s, a, b, c, d):
    for x, y, z, n in ((a, b, d, 16), (c, d, b, 12), (a, b, d, 8), (c, d, b, 7)):
        s[x] = (s[x] + s[y]) & 0xFFFFFFFF
        v = s[z] ^ s[x]
        s[z] = (v << n | v >> 32 - n) & 0xFFFFFFFF


def chacha(key, tail, data):
    """tail: counter and nonce, 16 bytes."""
    out = []
    for i, b in enumerate(blocks(data, 64)):
        words = list(struct.unpack("<8I", key) + struct.unpack("<4I", tail))
        words[8] += i
        first = list(struct.unpack("<4I", b"expand 32-byte k")) + words
        s = list(first)
        for _ in range(10):
            for q in ((0, 4, 8, 12), (1, 5, 9, 13), (2, 6, 10, 14), (3, 7, 11, 15), (0, 5, 10, 15), (1, 6, 11, 12), (2, 7, 8, 13), (3, 4, 9, 14)):
                quarter(s, *q)
        out.append(xor(b, struct.pack("<16I", *((x + y) & 0xFFFFFFFF for x, y in zip(s, first)))))
    return b"".join(out)


def poly1305(key, data):
    r, s, p, a = int.from_bytes(key[:16], "little") & 0x0ffffffc0ffffffc0ffffffc0fffffff, int.from_bytes(key[16:], "little"), (1 << 130) - 5, 0
    for b in blocks(data, 16):
        a = (a + int.from_bytes(b + b"\1", "little")) * r % p
    return ((a + s) % (1 << 128)).to_bytes(16, "little")


def chacha_poly(key, nonce, aad, data):
    out = chacha(key, b"\1\0\0\0" + nonce, data)
    once = chacha(key, bytes(4) + nonce, bytes(32))
    return out, poly1305(once, padded(aad) + padded(out) + struct.pack("<QQ", len(aad), len(out)))


def cmac(e, size, data):
    """SP 800-38B, 6.2."""
    poly, keys, v = 0x87 if size == 16 else 0x1B, [], int.from_bytes(e(bytes(size)), "big")
    for _ in range(2):
        v = (v << 1 ^ (poly if v >> 8 * size - 1 else 0)) & (1 << 8 * size) - 1
        keys.append(v.to_bytes(size, "big"))
    cut = (len(data) - 1) // size * size if data else 0
    last = data[cut:]
    last = xor(last, keys[0]) if len(last) == size else xor(last + b"\x80" + bytes(size - len(last) - 1), keys[1])
    return cbc(e, size, bytes(size), data[:cut] + last)[-size:]


# ---- The file

def ciphers():
    for algorithm, n, name, modes in FAMILIES:
        key = stuff(f"{algorithm} {n}", n)
        e, size = cipher_of(name, key), 8 if algorithm in ("DES", "DES3", "Blowfish", "CAST5") else 16
        iv, data = stuff("iv", size), stuff("data", 37)
        for mode, f in (("CBC", cbc), ("ECB", ecb), ("PCBC", pcbc)):
            given = b"" if mode == "ECB" else iv
            for padding, part in (("PKCS5", data), ("None", data[:32])):
                line("cipher", algorithm, mode, padding, key, given, b"", part, f(e, size, iv, pad(padding, size, part)), b"")
        for mode, f in (("CFB", cfb), ("OFB", ofb)) + ((("CTR", ctr),) if "CTR" in modes else ()):
            line("cipher", algorithm, mode, "-", key, iv, b"", data, f(e, size, iv, data), b"")
        if "GCM" in modes:
            for iv_n, aad_n, data_n, tag_n in ((12, 20, 37, 16), (12, 0, 0, 12), (8, 16, 16, 13), (60, 1, 37, 4), (16, 0, 33, 14)):
                iv, aad = stuff("iv", iv_n), stuff("aad", aad_n)
                line("cipher", algorithm, "GCM", "-", key, iv, aad, data[:data_n], *gcm(e, iv, aad, data[:data_n], tag_n))
        if "CCM" in modes:
            for iv_n, aad_n, data_n, tag_n in ((12, 20, 37, 16), (7, 8, 4, 4), (13, 0, 33, 8), (11, 5, 0, 10)):
                iv, aad = stuff("iv", iv_n), stuff("aad", aad_n)
                line("cipher", algorithm, "CCM", "-", key, iv, aad, data[:data_n], *ccm(e, iv, aad, data[:data_n], tag_n))
        if "Wrap" in modes:
            for given, iv in ((b"", b"\xa6" * 8), (stuff("iv", 8),) * 2):
                line("cipher", algorithm, "NISTKeyWrap", "-", key, given, b"", data[:32], wrap(e, iv, data[:32]), b"")
            for given, icv, part in ((b"", b"\xa6\x59\x59\xa6", data[:7]), (b"", b"\xa6\x59\x59\xa6", data[:20]), (stuff("iv", 4), stuff("iv", 4), data)):
                line("cipher", algorithm, "AESKeyWrapPadding", "-", key, given, b"", part, wrap_padded(e, icv, part), b"")
    key, data = stuff("paddings", 16), stuff("data", 37)
    for padding in ("Zeros", "ANSIX9_23", "SSL3"):
        for part in (data, data[:32]):
            line("cipher", "AES", "ECB", padding, key, b"", b"", part, ecb(cipher_of(None, key), 16, b"", pad(padding, 16, part)), b"")
    for n in (32, 64):
        key, iv = stuff("xts", n), stuff("iv", 16)
        for part in (data[:32], data, data[:17]):
            line("cipher", "AES", "XTS", "-", key, iv, b"", part, xts(cipher_of(None, key[:n // 2]), cipher_of(None, key[n // 2:]), iv, part), b"")
    key, data = stuff("chacha", 32), stuff("data", 150)
    for iv, tail in ((stuff("iv", 8), bytes(8) + stuff("iv", 8)), (stuff("iv", 12), bytes(4) + stuff("iv", 12)), (b"\5" + bytes(3) + stuff("iv", 12),) * 2):
        line("cipher", "ChaCha20", "-", "-", key, iv, b"", data, chacha(key, tail, data), b"")
    for aad, part in ((stuff("aad", 20), data), (b"", b""), (b"", data[:64])):
        line("cipher", "ChaCha20Poly1305", "-", "-", key, stuff("iv", 12), aad, part, *chacha_poly(key, stuff("iv", 12), aad, part))


def hashes_and_macs():
    for name, ours in HASHES.items():
        for n in (0, 37, 200):
            line("hash", name, stuff("data", n), hashlib.new(ours.replace("sha3-", "sha3_").replace("512-", "512_"), stuff("data", n)).digest())
    for name, ours in HASHES.items():
        ours = ours.replace("sha3-", "sha3_").replace("512-", "512_")
        for key in (stuff("mac", 20), stuff("mac", 200)):
            line("mac", "-", name, key, stuff("data", 37), hmac.new(key, stuff("data", 37), ours).digest())
            if not name.startswith(("RIPEMD", "SHA_512_")):
                line("mac", "HMAC_" + name.replace("SHA_", "SHA"), "-", key, stuff("data", 37), hmac.new(key, stuff("data", 37), ours).digest())
    for algorithm, n, name, _ in FAMILIES[:-4]:
        key, size = stuff(f"{algorithm} {n}", n), 8 if algorithm == "DES3" else 16
        for part in (stuff("data", 37), stuff("data", 32), b""):
            line("mac", algorithm, "-", key, part, cmac(cipher_of(name, key), size, part))
    line("mac", "Poly1305", "-", stuff("poly", 32), stuff("data", 37), poly1305(stuff("poly", 32), stuff("data", 37)))


class Files:
    """Files that the command line wants."""

    def __init__(self, folder):
        self.folder = folder

    def put(self, name, data):
        path = os.path.join(self.folder, name)
        with open(path, "wb") as f:
            f.write(data)
        return path


def pkcs8(pem):
    return openssl("pkcs8", "-topk8", "-nocrypt", "-outform", "DER", data=pem)


def keys(files):
    made = {"rsa": openssl("rsa", "-in", "tests/golden/keyring/rsa2048.der", "-inform", "DER", "-traditional", "-outform", "DER")}
    line("key", "rsa", "PKCS_1", made["rsa"])
    for name, args in (("rsa1024", ["-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:1024"]), ("ec256", ["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"]),
                       ("ec384", ["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-384"]), ("ec521", ["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-521"]),
                       ("k256", ["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:secp256k1"]),
                       ("bp256", ["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:brainpoolP256r1"]), ("ed25519", ["-algorithm", "ED25519"]), ("ed448", ["-algorithm", "ED448"])):
        made[name] = pkcs8(openssl("genpkey", *args))
        line("key", name, "PKCS_8", made[name])
    domain = files.put("dsa.pem", openssl("genpkey", "-genparam", "-algorithm", "DSA", "-pkeyopt", "dsa_paramgen_bits:2048", "-pkeyopt", "dsa_paramgen_q_bits:256"))
    made["dsa"] = pkcs8(openssl("genpkey", "-paramfile", domain))
    line("key", "dsa", "PKCS_8", made["dsa"])
    return {name: files.put(name, der) for name, der in made.items()}


def signed(files, path, ours, data, *opts):
    return openssl("dgst", "-" + ours, "-sign", path, "-keyform", "DER", *opts, files.put("data", data))


def signatures(files, paths):
    data = stuff("data", 37)
    named = {"MD5": "MD5", "SHA_1": "SHA_1", "SHA_224": "SHA_224", "SHA_256": "SHA_256", "SHA_384": "SHA_384", "SHA_512": "SHA_512", "SHA3_256": "SHA3_256",
             "SHA3_384": "SHA3_384", "SHA3_512": "SHA3_512"}
    for name in HASHES:
        line("sign", "rsa", "-", "-", name, "-", -1, data, signed(files, paths["rsa"], HASHES[name], data))
    for name in named:
        line("sign", "rsa", name + "WithRSAEncryption", "-", "-", "-", -1, data, signed(files, paths["rsa"], HASHES[name], data))
    for name in ("SHA_1", "SHA224", "SHA256"):
        line("sign", "dsa", "DSAWith" + name, "-", "-", "-", -1, data, signed(files, paths["dsa"], name.replace("_", "").lower(), data))
    for name in ("SHA_1", "SHA224", "SHA256", "SHA384", "SHA512"):
        for key in ("ec256", "ec384", "ec521", "k256", "bp256"):
            line("sign", key, "ECDSAWith" + name, "-", "-", "-", -1, data, signed(files, paths[key], name.replace("_", "").lower(), data))
    line("sign", "ec256", "-", "-", "-", "-", -1, data, signed(files, paths["ec256"], "sha256", data))
    for key in ("ed25519", "ed448"):
        for part in (data, stuff("data", 1)):
            line("sign", key, "-", "-", "-", "-", -1, part,
                 openssl("pkeyutl", "-sign", "-rawin", "-inkey", paths[key], "-keyform", "DER", "-in", files.put("data", part)))
    for name in ("SHA_1", "SHA_256", "SHA_384", "SHA_512"):
        digest = files.put("data", hashlib.new(HASHES[name], data).digest())
        line("sign", "rsa", "-", "X9_31", name, "-", -1, data, openssl("pkeyutl", "-sign", "-inkey", paths["rsa"], "-keyform", "DER", "-in", digest, "-pkeyopt",
                                                                       "digest:" + HASHES[name], "-pkeyopt", "rsa_padding_mode:x931"))
    for name, mask, salt in (("SHA_1", "SHA_1", 20), ("SHA_256", "SHA_256", 32), ("SHA_256", "SHA_1", 20), ("SHA_384", "SHA_256", 0), ("SHA_512", "SHA_512", 100),
                             ("SHA3_256", "SHA3_256", 32), ("SHA_512_256", "SHA_512_256", 32)):
        line("sign", "rsa", "-", "PSS", name, mask, salt, data, signed(files, paths["rsa"], HASHES[name], data, "-sigopt", "rsa_padding_mode:pss", "-sigopt",
                                                                      "rsa_mgf1_md:" + HASHES[mask], "-sigopt", f"rsa_pss_saltlen:{salt}"))


def encrypted(files, path, data, *opts):
    return openssl("pkeyutl", "-encrypt", "-inkey", path, "-keyform", "DER", "-in", files.put("data", data), *(x for o in opts for x in ("-pkeyopt", o)))


def rsa(files, paths):
    data = stuff("data", 37)
    for part in (data, b"", stuff("data", 245)):
        line("rsa", "PKCS1V1_5", "-", "-", b"", part, encrypted(files, paths["rsa"], part, "rsa_padding_mode:pkcs1"))
    for name in HASHES:
        for mask in ("SHA_1", name):
            for label in (b"", stuff("label", 9)):
                line("rsa", "OAEP", name, mask, label, data, encrypted(files, paths["rsa"], data, "rsa_padding_mode:oaep", "rsa_oaep_md:" + HASHES[name],
                                                                        "rsa_mgf1_md:" + HASHES[mask], *(["rsa_oaep_label:" + label.hex()] if label else [])))


def main():
    ciphers()
    hashes_and_macs()
    with tempfile.TemporaryDirectory() as folder:
        files = Files(folder)
        paths = keys(files)
        signatures(files, paths)
        rsa(files, paths)


main()
