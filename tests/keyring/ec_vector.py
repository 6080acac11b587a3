#!/usr/bin/env python3
"""An independent EC wrapping (keyring/kr.h, wrapping of data keys): the shared secret comes from openssl pkeyutl -derive.

  ec_vector.py SHARED-SECRET-HEX POINT-HEX CONTEXT-HEX KEY-HEX     prints point and wrapped key in hex
"""
import hashlib
import sys

from aes import key_wrap

z, point, context, key = (bytes.fromhex(a) for a in sys.argv[1:5])
kek = hashlib.sha256(z + b"\0\0\0\1" + context).digest()
print((point + key_wrap(kek, key)).hex())
