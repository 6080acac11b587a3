"""A drive in Python, written from exchange/PROTOCOL.md alone: keys and requests by OpenSSL's command line, TLS by Python's
ssl. That has no exporter, so this drive shows its certificate in the handshake and cannot unwrap data keys."""
import hashlib
import os
import socket
import ssl
import struct
import time

from keyserver import SERIAL, SLOW, WWN, write
from scenario import expect, patience, run

HELLO, CONFIRM, VERIFY, CREATE, GET, TRANSLATE, BYE = 0x01, 0x02, 0x10, 0x11, 0x12, 0x13, 0x1F
HELLO_SERVER, CONFIRMED, VERIFIED, CREATED, GOT, TRANSLATED, ERROR = 0x81, 0x82, 0x90, 0x91, 0x92, 0x93, 0xFF
STORED_CREATE, STORED_GET, STORED_CREATED, STORED_GOT = 0x14, 0x15, 0x94, 0x95  # version 2
REQUEST = """[req]
distinguished_name = dn
req_extensions = ext
prompt = no
[dn]
serialNumber = {serial}
CN = Drive {serial}
[ext]
extendedKeyUsage = clientAuth,1.3.6.1.4.1.32473.83.1
1.3.6.1.4.1.32473.83.2 = ASN1:UTF8String:{wwn}
"""


class Refused(Exception):
    """An error message of the server."""

    def __init__(self, code, identifier, text):
        super().__init__(f"{code:04X} {identifier} {text}")
        self.code, self.identifier, self.text = code, identifier, text


class Drive:
    """Key and certificate of a drive in a folder."""

    def __init__(self, folder, serial=SERIAL, wwn=WWN, kind=0):
        self.folder, self.serial, self.wwn, self.kind = folder, serial, wwn, kind
        self.key, self.request, self.cert = (os.path.join(folder, name) for name in ("drive.key", "drive.csr", "drive.crt"))

    def make(self, role=True):
        """Key and request; without the role it asks for nothing but its name."""
        os.makedirs(self.folder, exist_ok=True)
        text = REQUEST.format(serial=self.serial, wwn=self.wwn)
        write(f"{self.folder}/req.conf", text if role else text.replace("clientAuth,1.3.6.1.4.1.32473.83.1", "clientAuth"))
        run("openssl", "req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", self.key,
            "-out", self.request, "-config", f"{self.folder}/req.conf")
        return self

    def signed_by(self, server, role="DRIVE", signer="CERTAUTH LABEL('MyLocalRACFCA')", name=None):
        """Have the server's authority sign it; the certificate also is a file that commands can name."""
        name = name or self.serial
        with open(self.request, encoding="ascii") as request:
            write(f"{server.files}/DRIVE.{name}.CSR", request.read())
        server.racf(f"ID(TAPEKMS) GENCERT('DRIVE.{name}.CSR') WITHLABEL('DRIVE {name}') ROLE({role}) SIGNWITH({signer})")
        server.racf(f"ID(TAPEKMS) EXPORT(LABEL('DRIVE {name}')) DSN('DRIVE.{name}.CERT') FORMAT(CERTB64)")
        with open(f"{server.files}/DRIVE.{name}.CERT", encoding="ascii") as cert:
            write(self.cert, cert.read())
        return self

    def context(self, authority, least=ssl.TLSVersion.TLSv1_3, most=ssl.TLSVersion.TLSv1_3, cert=True):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.minimum_version, context.maximum_version = least, most
        context.load_verify_locations(authority)
        context.check_hostname = False
        if cert:
            context.load_cert_chain(self.cert, self.key)
        return context


def message(kind, body, version=1):
    return b"KX" + struct.pack(">BBI", version, kind, len(body)) + body


def hello_fields(drive, least=1, most=1, capabilities=0):
    return struct.pack(">BBBBI", least, most, drive.kind, 0, capabilities) + drive.serial.encode() + drive.wwn.encode()


def labels_field(labels):
    out = bytes([len(labels)])
    for label in labels:
        text, encoding = label if isinstance(label, tuple) else (label, "L")
        out += encoding.encode() + bytes([len(text)]) + text.encode()
    return out


def eedks_field(eedks):
    return bytes([len(eedks)]) + b"".join(struct.pack(">H", len(one)) + one for one in eedks)


class Session:
    """One session of a drive, up to ready unless told otherwise."""

    def __init__(self, server, drive, port="tcp", confirm=True, seconds=30, hello=None, room=0, fields=None, version=1, **tls):
        self.drive, self.number, self.version = drive, 0, version
        self.sock = socket.socket()
        self.sock.settimeout(seconds * SLOW)
        if room:  # a small window for answers
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, room)
        self.sock.connect(("127.0.0.1", server.tcp if port == "tcp" else server.ssl))
        try:
            self.hellos = bytes(32)
            if port == "tcp":
                mine = hello or message(HELLO, bytes(4) + hello_fields(drive))
                self.sock.sendall(mine)
                _, _, theirs = self.take()
                self.hellos = hashlib.sha256(mine + theirs).digest()
            self.sock = drive.context(f"{server.home}/drive/ca.crt", **tls).wrap_socket(self.sock)
            if confirm:
                self.confirm(fields=fields)
        except BaseException:
            self.sock.close()
            raise

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.sock.close()

    def read(self, n):
        out = b""
        while len(out) < n:
            some = self.sock.recv(n - len(out))
            if not some:
                raise EOFError(f"closed after {len(out)} of {n} bytes")
            out += some
        return out

    def take(self):
        """The next message: type, body, all bytes."""
        head = self.read(8)
        magic, _, kind, length = struct.unpack(">2sBBI", head)
        expect(magic == b"KX" and length <= 8184, f"header {head.hex()}")
        body = self.read(length)
        return kind, body, head + body

    def answer(self, wanted):
        kind, body, _ = self.take()
        if kind == ERROR:
            size = body[6]
            raise Refused(struct.unpack(">H", body[4:6])[0], body[7:7 + size].decode(), body[9 + size:].decode())
        expect(kind == wanted, f"message {kind:02X} instead of {wanted:02X}")
        return body

    def confirm(self, hellos=None, fields=None):
        self.sock.sendall(message(CONFIRM, bytes(4) + (hellos or self.hellos) + (fields or hello_fields(self.drive)) + bytes(4)))
        return self.answer(CONFIRMED)

    def send(self, kind, body):
        self.number += 1
        self.sock.sendall(message(kind, struct.pack(">I", self.number) + body, self.version))

    def verify(self):
        self.send(VERIFY, b"")
        return self.answer(VERIFIED)

    @staticmethod
    def keyed(body):
        """Wrapped data key, EEDKs, labels of a created, got or translated."""
        wrapped, n, at, eedks, labels = body[4:44], body[44], 45, [], []
        for _ in range(n):
            size = struct.unpack(">H", body[at:at + 2])[0]
            eedks.append(body[at + 2:at + 2 + size])
            at += 2 + size
        n, at = body[at], at + 1
        for _ in range(n):
            labels.append((body[at + 2:at + 2 + body[at + 1]].decode(), chr(body[at])))
            at += 2 + body[at + 1]
        expect(at == len(body), "bytes are left")
        return wrapped, eedks, labels

    def create(self, volser="WXY662", labels=()):
        self.send(CREATE, volser.encode().ljust(6) + labels_field(labels))
        return self.keyed(self.answer(CREATED))

    def get(self, volser, eedks):
        self.send(GET, volser.encode().ljust(6) + eedks_field(eedks))
        return self.keyed(self.answer(GOT))

    def translate(self, volser, eedks, labels):
        self.send(TRANSLATE, volser.encode().ljust(6) + eedks_field(eedks) + labels_field(labels))
        return self.keyed(self.answer(TRANSLATED))

    @staticmethod
    def stored(body):
        """Wrapped data key, key identifier, alias of a stored-created or stored-got."""
        expect(len(body) == 57 + body[56], "bytes are left")
        return body[4:44], body[44:56], body[57:].decode()

    def stored_create(self, volser):
        self.send(STORED_CREATE, volser.encode().ljust(6))
        return self.stored(self.answer(STORED_CREATED))

    def stored_get(self, volser, key_id):
        self.send(STORED_GET, volser.encode().ljust(6) + key_id)
        return self.stored(self.answer(STORED_GOT))

    def stuff(self, seconds=60):
        """Ask for keys and read no answer, until nothing more is taken."""
        body = b"STUFF " + bytes([0])
        end = time.monotonic() + seconds * SLOW
        self.sock.settimeout(0.5 * SLOW)
        try:
            while time.monotonic() < end:
                self.send(CREATE, body)
        except TimeoutError:
            return
        except (ConnectionError, ssl.SSLError):
            if patience() > 1:
                return  # a slow server's time limit came first
            raise
        raise AssertionError("the server goes on reading from a caller that does not read")

    def closed(self):
        """Does the server close, whatever it says before?"""
        try:
            while self.sock.recv(4096):
                pass
            return True
        except (ConnectionResetError, ssl.SSLError):
            return True
        except TimeoutError:
            return False


def refusal(function, *words, **named):
    """The refusal that a call must end with."""
    try:
        got = function(*words, **named)
    except Refused as refused:
        return refused
    raise AssertionError(f"it was not refused: {got}")
