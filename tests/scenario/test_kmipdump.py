#!/usr/bin/env python3
"""kmipdump as somebody uses it who wants to know what a client said: messages made here, byte by byte, from the rules of KMIP 1.4, 9.1; output
compared with what is written here by hand."""
import os
import struct
import subprocess
import sys

from scenario import BUILD, SLOW, Folder, expect, main, test

BIN = f"{BUILD}/bin"

STRUCTURE, INTEGER, LONG, BIG, ENUM, BOOLEAN, TEXT, BYTES, DATE, INTERVAL = range(1, 11)


def item(tag, kind, value):
    """TTLV of one item; value: bytes of a string or of the items inside, else a number."""
    if kind in (INTEGER, ENUM, INTERVAL):
        value = struct.pack(">I", value & 0xFFFFFFFF)
    elif kind in (LONG, BOOLEAN, DATE):
        value = struct.pack(">q", value)
    return tag.to_bytes(3, "big") + bytes([kind]) + struct.pack(">I", len(value)) + value + bytes(-len(value) % 8)


def header(tag, minor):
    version = item(0x420069, STRUCTURE, item(0x42006A, INTEGER, 1) + item(0x42006B, INTEGER, minor))
    return item(tag, STRUCTURE, version + item(0x42000D, INTEGER, 1))


GET = item(0x420078, STRUCTURE, header(0x420077, 2) + item(0x42000F, STRUCTURE, item(0x42005C, ENUM, 10) + item(
    0x420079, STRUCTURE, item(0x420094, TEXT, "Schl\u00fcssel-1".encode()))))
KEY = bytes.fromhex("00112233445566778899aabbccddeeff")
GOT = item(0x42007B, STRUCTURE, header(0x42007A, 2) + item(0x42000F, STRUCTURE, item(0x42005C, ENUM, 10) + item(0x42007F, ENUM, 0) + item(
    0x42007C, STRUCTURE, item(0x420057, ENUM, 2) + item(0x42008F, STRUCTURE, item(0x420040, STRUCTURE, item(0x420042, ENUM, 1) + item(
        0x420045, STRUCTURE, item(0x420043, BYTES, KEY)) + item(0x420028, ENUM, 3) + item(0x42002A, INTEGER, 128))))))
GET_TEXT = f"""Message 1, {len(GET)} bytes, KMIP 1.2
RequestMessage
  RequestHeader
    ProtocolVersion
      ProtocolVersionMajor Integer 1
      ProtocolVersionMinor Integer 2
    BatchCount Integer 1
  BatchItem
    Operation Enumeration Get
    RequestPayload
      UniqueIdentifier TextString "Schl\u00fcssel-1"
"""
GOT_TEXT = f"""Message 2, {len(GOT)} bytes, KMIP 1.2
ResponseMessage
  ResponseHeader
    ProtocolVersion
      ProtocolVersionMajor Integer 1
      ProtocolVersionMinor Integer 2
    BatchCount Integer 1
  BatchItem
    Operation Enumeration Get
    ResultStatus Enumeration Success
    ResponsePayload
      ObjectType Enumeration SymmetricKey
      SymmetricKey
        KeyBlock
          KeyFormatType Enumeration Raw
          KeyValue ****
          CryptographicAlgorithm Enumeration AES
          CryptographicLength Integer 128
"""


def dump(data, *args, status=0):
    """What it prints, and what it says on standard error."""
    done = subprocess.run([f"{BIN}/kmipdump", *args], input=data, stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False, timeout=60 * SLOW)
    expect(done.returncode == status, f"exit {done.returncode}: {done.stderr!r}")
    return done.stdout.decode(), done.stderr.decode()


@test
def a_conversation_is_shown_message_by_message_without_the_key():
    out, said = dump(GET + GOT)
    expect(out == GET_TEXT + GOT_TEXT, out)
    expect(said == "", said)
    expect(KEY.hex() not in out, "the key is shown")


@test
def digits_are_read_as_tools_write_them():
    words = " ".join(f"{byte:02x}" for byte in GET)
    colons = ":".join(f"{byte:02X}" for byte in GET)
    lines = "\n".join(GET.hex()[at:at + 60] for at in range(0, len(GET) * 2, 60))
    for text in (words, colons, lines, GET.hex()):
        expect(dump(text.encode())[0] == GET_TEXT, text)


@test
def files_and_standard_input_are_read_one_after_the_other():
    with Folder() as folder:
        path = os.path.join(folder, "get")
        with open(path, "wb") as out:
            out.write(GET)
        expect(dump(GOT, path, "-")[0] == GET_TEXT + GOT_TEXT.replace("Message 2", "Message 1"), "two files")
        said = dump(b"", os.path.join(folder, "missing"), status=1)[1]
        expect(said.startswith("KLM0001E"), said)


@test
def the_message_that_is_wrong_is_named():
    out, said = dump(GET + GOT[:-1], status=1)
    expect(out == GET_TEXT, "what was right is shown")
    expect(said.startswith("KLM1900E") and "message 2" in said and f"byte {len(GET)}" in said, said)
    said = dump(b"POST /kmip HTTP/1.1\r\n\r\n", status=1)[1]
    expect(said.startswith("KLM1900E") and "message 1" in said and "byte 0" in said, said)
    said = dump(b"", status=1)[1]
    expect(said.startswith("KLM1900E"), said)
    expect("--nothing" in dump(b"", "--nothing", status=2)[1], "usage")


@test
def whatever_one_byte_is_changed_to_it_ends_in_order():
    for at in range(0, len(GOT), 3):
        for byte in (0x00, 0x01, 0x7F, 0xFF):
            bad = GOT[:at] + bytes([byte]) + GOT[at + 1:]
            done = subprocess.run([f"{BIN}/kmipdump"], input=bad, stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False, timeout=60 * SLOW)
            expect(done.returncode in (0, 1), f"byte {at} as {byte}: {done.returncode} {done.stderr!r}")


if __name__ == "__main__":
    sys.exit(main())
