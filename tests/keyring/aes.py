"""AES, GCM, AES key wrap and HKDF in plain Python, so that vectors need nothing of ours and no library.
FIPS 197, SP 800-38D, RFC 3394, RFC 5869. Slow, for tests only."""
import hashlib
import hmac


def _sbox():
    p = q = 1
    box = [0] * 256
    while True:
        p = p ^ ((p << 1) & 0xFF) ^ (0x1B if p & 0x80 else 0)
        q ^= q << 1
        q ^= q << 2
        q ^= q << 4
        q &= 0xFF
        if q & 0x80:
            q ^= 0x09
        rot = lambda n: ((q << n) | (q >> (8 - n))) & 0xFF
        box[p] = q ^ rot(1) ^ rot(2) ^ rot(3) ^ rot(4) ^ 0x63
        if p == 1:
            break
    box[0] = 0x63
    return box


SBOX = _sbox()
INV = [SBOX.index(i) for i in range(256)]


def _times(a, b):
    r = 0
    while b:
        if b & 1:
            r ^= a
        a = ((a << 1) ^ (0x11B if a & 0x80 else 0)) & 0x1FF
        b >>= 1
    return r & 0xFF


def _keys(key):
    words = [list(key[i:i + 4]) for i in range(0, len(key), 4)]
    nk, rcon = len(words), 1
    rounds = nk + 6
    for i in range(nk, 4 * (rounds + 1)):
        w = list(words[-1])
        if i % nk == 0:
            w = [SBOX[b] for b in w[1:] + w[:1]]
            w[0] ^= rcon
            rcon = _times(rcon, 2)
        elif nk > 6 and i % nk == 4:
            w = [SBOX[b] for b in w]
        words.append([a ^ b for a, b in zip(words[i - nk], w)])
    return [sum(words[4 * r:4 * r + 4], []) for r in range(rounds + 1)]


def encrypt_block(key, block):
    keys = _keys(key)
    s = [a ^ b for a, b in zip(block, keys[0])]
    for r, k in enumerate(keys[1:], 1):
        s = [SBOX[b] for b in s]
        s = [s[(i + 4 * (i % 4)) % 16] for i in range(16)]
        if r < len(keys) - 1:
            out = []
            for c in range(0, 16, 4):
                a = s[c:c + 4]
                out += [_times(a[i], 2) ^ _times(a[(i + 1) % 4], 3) ^ a[(i + 2) % 4] ^ a[(i + 3) % 4] for i in range(4)]
            s = out
        s = [a ^ b for a, b in zip(s, k)]
    return bytes(s)


def decrypt_block(key, block):
    keys = _keys(key)
    s = [a ^ b for a, b in zip(block, keys[-1])]
    for r in range(len(keys) - 2, -1, -1):
        s = [s[(i - 4 * (i % 4)) % 16] for i in range(16)]
        s = [INV[b] for b in s]
        s = [a ^ b for a, b in zip(s, keys[r])]
        if r:
            out = []
            for c in range(0, 16, 4):
                a = s[c:c + 4]
                out += [_times(a[i], 14) ^ _times(a[(i + 1) % 4], 11) ^ _times(a[(i + 2) % 4], 13) ^
                        _times(a[(i + 3) % 4], 9) for i in range(4)]
            s = out
    return bytes(s)


def _ghash(h, data):
    h, y = int.from_bytes(h, "big"), 0
    for i in range(0, len(data), 16):
        y ^= int.from_bytes(data[i:i + 16], "big")
        z, v = 0, h
        for bit in range(127, -1, -1):
            if y >> bit & 1:
                z ^= v
            v = (v >> 1) ^ (0xE1 << 120 if v & 1 else 0)
        y = z
    return y.to_bytes(16, "big")


def _pad(b):
    return b + bytes(-len(b) % 16)


def gcm(key, nonce, aad, data, decrypt):
    """(text, tag) for a 96-bit nonce."""
    counter = lambda n: encrypt_block(key, nonce + n.to_bytes(4, "big"))
    out = b""
    for i in range(0, len(data), 16):
        out += bytes(a ^ b for a, b in zip(data[i:i + 16], counter(2 + i // 16)))
    cipher = data if decrypt else out
    lens = (8 * len(aad)).to_bytes(8, "big") + (8 * len(cipher)).to_bytes(8, "big")
    s = _ghash(encrypt_block(key, bytes(16)), _pad(aad) + _pad(cipher) + lens)
    return out, bytes(a ^ b for a, b in zip(s, counter(1)))


def key_wrap(kek, key):
    a, r = b"\xa6" * 8, [key[i:i + 8] for i in range(0, len(key), 8)]
    for j in range(6):
        for i in range(len(r)):
            b = encrypt_block(kek, a + r[i])
            a = (int.from_bytes(b[:8], "big") ^ (len(r) * j + i + 1)).to_bytes(8, "big")
            r[i] = b[8:]
    return a + b"".join(r)


def hkdf(key, salt, info, n=32):
    prk = hmac.new(salt or bytes(32), key, hashlib.sha256).digest()
    out, block, i = b"", b"", 1
    while len(out) < n:
        block = hmac.new(prk, block + info + bytes([i]), hashlib.sha256).digest()
        out, i = out + block, i + 1
    return out[:n]


def self_test():
    """FIPS 197 C.3; SP 800-38D test case 15 of the GCM paper; RFC 3394 4.6; RFC 5869 A.1."""
    h = bytes.fromhex
    key = bytes(range(32))
    block = h("00112233445566778899aabbccddeeff")
    assert encrypt_block(key, block) == h("8ea2b7ca516745bfeafc49904b496089")
    assert decrypt_block(key, encrypt_block(key, block)) == block
    text, tag = gcm(bytes(32), bytes(12), b"", bytes(16), False)
    assert (text, tag) == (h("cea7403d4d606b6e074ec5d3baf39d18"), h("d0d1c8a799996bf0265b98b5d48ab919"))
    wrapped = key_wrap(key, h("00112233445566778899aabbccddeeff000102030405060708090a0b0c0d0e0f"))
    assert wrapped == h("28c9f404c4b810f4cbccb35cfb87f8263f5786e2d80ed326cbc7f0e71a99f43bfb988b9b7a02dd21")
    assert hkdf(b"\x0b" * 22, bytes(range(13)), bytes(range(0xF0, 0xFA)), 42)[:8] == h("3cb25f25faacd57a")


self_test()
