"""Two key servers that are partners of each other, for scenario tests: one set of rings, a certificate with the role PARTNER for each."""
import os
import ssl
import socket
import struct
import threading

from keyserver import SIGNED, SLOW, Site, free_port, write

HEADER = struct.Struct(">2sBBII")
HELLO, SYNC, DRILL, BYE, WELCOME, SYNCED, PROVEN, REFUSED = 0x01, 0x10, 0x11, 0x1F, 0x81, 0x90, 0x91, 0xFF


def certificate(server, label, ring, role="PARTNER"):
    """A certificate with a private key, alone in a ring of its own."""
    server.racf(f"ID(TAPEKMS) ADDRING({ring})")
    server.racf(f"ID(TAPEKMS) GENCERT SUBJECTSDN(CN('{label}') O('MyCo') C('US')) WITHLABEL('{label}') PCICC({ring.upper()}.CERT) "
                f"NISTECC SIZE(256) ROLE({role}) {SIGNED}")
    server.racf(f"ID(TAPEKMS) CONNECT(LABEL('{label}') RING({ring}) DEFAULT)")


def rings(server):
    """What the partners show, and whom they let in."""
    server.set("partner.role=none")
    server.racf("ID(TAPEKMS) ADDRING(Partners)")
    server.racf("ID(TAPEKMS) CONNECT(CERTAUTH LABEL('MyLocalRACFCA') RING(Partners))")
    for name in ("One", "Two"):
        certificate(server, f"Partner {name}", f"Partner{name}")
        server.racf(f"ID(TAPEKMS) CONNECT(LABEL('Partner {name}') RING(Partners) USAGE(PERSONAL))")
    certificate(server, "Partner Three", "PartnerThree")           # has the role, is not connected
    certificate(server, "No Partner", "NoPartner", role="CLIENT")  # is connected, has not the role
    server.racf("ID(TAPEKMS) CONNECT(LABEL('No Partner') RING(Partners) USAGE(PERSONAL))")


class Pair:
    """Rings for two partners. one() and two() are properties of the servers that have them."""

    def __init__(self, *properties, **named):
        self.site = Site(*properties, also=[(rings,)], **named)

    def server(self, name, *properties):
        return self.site.server(f"Admin.ssl.keystore.name=safkeyring://TAPEKMS/Partner{name}",
                                "Admin.ssl.truststore.name=safkeyring://TAPEKMS/Partners", f"Admin.ssl.port={free_port()}",
                                "Admin.ssl.host=127.0.0.1", f"server.id={name.upper()}", *properties)


def address(server):
    return f"127.0.0.1:{server.value('Admin.ssl.port')}"


def key_pair(folder, names):
    """Certificates and keys in PEM, made by OpenSSL and signed by an authority of its own: for peers written here."""
    import subprocess
    os.makedirs(folder, exist_ok=True)

    def openssl(*words):
        subprocess.run(["openssl", *words], check=True, capture_output=True)

    openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "30", "-subj", "/CN=Partners' CA",
            "-keyout", f"{folder}/ca.key", "-out", f"{folder}/ca.crt")
    for name in names:
        write(f"{folder}/{name}.ext", "basicConstraints=critical,CA:FALSE\nkeyUsage=critical,digitalSignature\n"
                                      "extendedKeyUsage=serverAuth,clientAuth,1.3.6.1.4.1.32473.83.3\n")
        openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", f"/CN={name}",
                "-keyout", f"{folder}/{name}.key", "-out", f"{folder}/{name}.csr")
        openssl("x509", "-req", "-in", f"{folder}/{name}.csr", "-CA", f"{folder}/ca.crt", "-CAkey", f"{folder}/ca.key", "-CAcreateserial",
                "-days", "30", "-extfile", f"{folder}/{name}.ext", "-out", f"{folder}/{name}.crt")


def text(value):
    raw = value.encode()
    return struct.pack(">H", len(raw)) + raw


def frame(kind, body=b"", number=1, version=1):
    return HEADER.pack(b"KR", version, kind, len(body), number) + body


def hello(low=1, high=1, name="PY", role="none"):
    return struct.pack(">HH", low, high) + text(name) + text(role)


class Link:
    """A partner written from replication/PROTOCOL.md alone, over Python's own TLS."""

    def __init__(self, server, folder, name, ca=None):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.load_verify_locations(ca or f"{server.home}/drive/ca.crt")
        if name:
            context.load_cert_chain(f"{folder}/{name}.crt", f"{folder}/{name}.key")
        raw = socket.create_connection(("127.0.0.1", int(server.value("Admin.ssl.port"))), 10 * SLOW)
        self.socket = context.wrap_socket(raw)

    def send(self, data):
        self.socket.sendall(data)

    def receive(self):
        """(type, number, body); None at the end."""
        header = self.read(HEADER.size)
        if header is None:
            return None
        magic, version, kind, n, number = HEADER.unpack(header)
        assert magic == b"KR" and version == 1, header
        return kind, number, self.read(n) if n else b""

    def read(self, n):
        data = b""
        while len(data) < n:
            got = self.socket.recv(n - len(data))
            if not got:
                return None
            data += got
        return data

    def ask(self, kind, body=b"", number=1):
        self.send(frame(kind, body, number))
        return self.receive()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()


def refusal(answer):
    """The identifier of the message in a refusal."""
    kind, _, body = answer
    assert kind == REFUSED, answer
    n = struct.unpack(">H", body[:2])[0]
    return body[2:2 + n].decode()


def trust(server, folder, name="PY"):
    """What key_pair made in this folder is a partner of the server, which is down."""
    for file in ("ca.crt", f"{name.lower()}.crt"):
        with open(f"{folder}/{file}", "rb") as source, open(f"{server.files}/{name}.{file.upper()}", "wb") as target:
            target.write(source.read())
    server.racf(f"CERTAUTH ADD('{name}.CA.CRT') WITHLABEL('{name} CA') TRUST")
    server.racf(f"ID(TAPEKMS) ADD('{name}.{name}.CRT') WITHLABEL('{name}') TRUST")
    server.racf(f"ID(TAPEKMS) CONNECT(CERTAUTH LABEL('{name} CA') RING(Partners))")
    server.racf(f"ID(TAPEKMS) CONNECT(LABEL('{name}') RING(Partners) USAGE(PERSONAL))")


class Earlier:
    """A partner of an earlier release, which listens: it knows these parts of a sync (a message with another is refused as a whole) and proves nothing, of these kinds of
    challenges by saying what it makes of them: kind -> outcome, 6 (not known there) for all others. parts: what it took of each message."""

    def __init__(self, folder, ca, parts=(), outcomes=None, drills=True):
        self.known, self.outcomes, self.drills, self.parts = parts, outcomes or {}, drills, []
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.minimum_version = ssl.TLSVersion.TLSv1_3
        self.context.verify_mode = ssl.CERT_REQUIRED
        self.context.load_verify_locations(ca)
        self.context.load_cert_chain(f"{folder}/py.crt", f"{folder}/py.key")
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self.listener.getsockname()[1]}"
        self.thread = threading.Thread(target=self.serve, daemon=True)
        self.thread.start()

    def serve(self):
        while True:
            try:
                raw, _ = self.listener.accept()
            except OSError:
                return  # it is closed
            with raw, self.context.wrap_socket(raw, server_side=True) as link:
                self.talk(link)

    def talk(self, link):
        def read(n):
            data = b""
            while len(data) < n:
                got = link.recv(n - len(data))
                if not got:
                    raise ConnectionError
                data += got
            return data

        answers = {HELLO: lambda _: (WELCOME, hello()), SYNC: self.sync, DRILL: self.drill}
        try:
            while True:
                _, _, kind, n, number = HEADER.unpack(read(HEADER.size))
                body = read(n)
                if kind == BYE:
                    return
                if kind == DRILL and not self.drills:
                    link.sendall(frame(REFUSED, text("KLM1312E") + text("A message of partner One cannot be read"), number))
                    return
                kind, body = answers[kind](body)
                link.sendall(frame(kind, body, number))
        except (ConnectionError, ssl.SSLError):
            return

    def sync(self, body):
        parts, at = [], 2
        for _ in range(body[1]):
            number, n = struct.unpack(">BI", body[at:at + 5])
            parts.append((number, body[at + 5:at + 5 + n]))
            at += 5 + n
        assert at == len(body), body
        unknown = [number for number, _ in parts if number not in self.known]
        if unknown:
            return REFUSED, text("KLM1314E") + text(f"Part {unknown[0]} of a sync is not known here, or came twice")
        self.parts.append([number for number, _ in parts])
        return SYNCED, bytes([len(parts)]) + b"".join(bytes([number, 0]) + text("") + text("taken over") for number, _ in parts)

    def drill(self, body):
        at, out = 33, b""
        for _ in range(body[32]):
            kind, n = struct.unpack(">BH", body[at:at + 3])
            at += 3 + n + 32
            at += 2 + struct.unpack(">H", body[at:at + 2])[0]
            out += bytes([self.outcomes.get(kind, 6)]) + os.urandom(32)
        assert at == len(body), body
        return PROVEN, body[32:33] + out

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.listener.close()
