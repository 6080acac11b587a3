#!/usr/bin/env python3
"""Secrets at the most talkative: everything is traced, every sink is on, keys are made, moved and asked for, and wrong things are said. Then every file below
the server's folder, what the console printed and what a syslog receiver got is searched for each secret that was used."""
import base64
import os
import re
import socket
import ssl
import subprocess
import threading

from keyserver import LABEL2, Site, read, tool, wait_until, write
from kx import Drive, Refused, Session, refusal
from scenario import BUILD, expect, main, test

SITE = Site()
DRIVE = Drive(f"{SITE.folder}/drive").make().signed_by(SITE.master)
STRANGER = Drive(f"{SITE.folder}/stranger", serial="0000000000AB", wwn="5005076302400AAA").make().signed_by(SITE.master)
PASSWORDS = ("Xyzzy-7734", "Plugh-8845", "Quux-9956", "Frotz-1067", "Gnusto-2178", "Rezrov-3289")


class Receiver:
    """A syslog receiver on a UDP port of its own."""

    def __init__(self):
        self.sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.sock.bind(("127.0.0.1", 0))
        self.sock.settimeout(0.1)
        self.port, self.got, self.stop = self.sock.getsockname()[1], [], threading.Event()
        self.thread = threading.Thread(target=self.receive, daemon=True)
        self.thread.start()

    def receive(self):
        while not self.stop.is_set():
            try:
                self.got.append(self.sock.recv(65536))
            except TimeoutError:
                continue

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop.set()
        self.thread.join(5)
        self.sock.close()


def forms(secret):
    """The ways in which a secret may stand somewhere: raw, hex, base 64 at each place of a longer text, and each of these in EBCDIC."""
    texts = [secret.hex().encode(), secret.hex().upper().encode(), base64.urlsafe_b64encode(secret).rstrip(b"=")]
    for shift in range(3):  # what stands before moves the letters; those at the ends depend on it
        text = base64.b64encode(bytes(shift) + secret)
        texts.append(text[4 if shift else 0:len(text) - 4])
    try:
        texts.append(secret.decode("ascii").encode())
    except UnicodeDecodeError:
        pass
    return {secret, *texts, *(text.decode().encode("cp037") for text in texts)}


def master_parts(server, folder):
    """The master key and two parts of it."""
    names = [f"{folder}/part{i}" for i in (1, 2)]
    tool("klmsrv", "--split-master", server.value("config.masterkey.file"), *names)
    parts = [bytes.fromhex(read(name).strip()) for name in names]
    return [bytes(a ^ b for a, b in zip(*parts)), *parts]


def use_keys(server):
    """Keys for volumes, and what is wrong about asking for them; the EEDKs."""
    with Session(server, DRIVE) as session:
        _, eedks, _ = session.create("SEC001")
        session.get("SEC001", eedks)
        session.translate("SEC001", eedks, [LABEL2])
        session.verify()
        refusal(session.get, "SEC001", [eedks[0][:-1] + b"\0"])
        refusal(session.create, "SEC002", ["No_such_label"])
        refusal(session.get, "SEC\x01", eedks)
    try:
        Session(server, STRANGER)
    except (Refused, OSError, EOFError, ssl.SSLError):
        pass
    with socket.create_connection(("127.0.0.1", server.ssl)) as sock:
        sock.sendall(b"\x16\x03\x01 no handshake " + bytes(40))
    return eedks


def use_console(server):
    """Commands with passwords in them, right and wrong, and what moves keys."""
    server.oper("modconfig -set -property TransportListener.ssl.keystore.password -value Plugh-8845")
    server.oper("modconfig -set -property Admin.ssl.keystore.password -value 'Frotz-1067", status=None)
    server.oper("createkeygroup -password Quux-9956", status=None)
    server.oper("login -user x -password Gnusto-2178", status=None)
    server.racf("ID(TAPEKMS) ADD('NO.SUCH') WITHLABEL('x') PASSWORD('Rezrov-3289')", status=None)
    server.racf("ID(TAPEKMS) GENCERT SUBJECTSDN(CN('new')) WITHLABEL('New') PCICC(NEW.TOKEN) NISTECC SIZE(256)")
    for token, member in (("ITOPS.KLM20.CERT", "KLM20"), ("ITOPS.KLM21.CERT", "KLM21"), ("NEW.TOKEN", "NEW")):
        server.xfer(f"WRITE,{token},MOVE({member})")
    server.xfer("READ,NEW.TOKEN,MOVE(NEW),OVERWRITE")
    server.racf("ID(TAPEKMS) EXPORT(LABEL('New')) DSN('NEW.CERT') FORMAT(CERTB64)")
    write(f"{server.files}/BROKEN", b"\0\1\2 broken")
    server.xfer("READ,NEW.TOKEN,BROKEN", status=None)
    for command in ("refresh", "refreshks", "list -cert -key", "listconfig", "export -config -url FILE:c", "status", "I SMF"):
        server.oper(command, status=None)
    server.system("I SMF", status=None)
    server.system("D SMF", status=None)


def private_and_data_keys(server, eedks):
    """Private keys of the transfer files, and the data keys that the right one of them opens."""
    secrets, data = [], 0
    for path in [f"{server.files}/MOVE/{name}" for name in sorted(os.listdir(f"{server.files}/MOVE"))]:
        for eedk in [None, *eedks]:
            command = [f"{BUILD}/peers/secrets", server.value("config.masterkey.file"), path, *([eedk.hex()] if eedk else [])]
            done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=False)
            found = re.findall(r"(?m)^(\w+) ([0-9a-f]+)$", done.stdout)
            secrets += [bytes.fromhex(value) for _, value in found]
            data += sum(name == "datakey" for name, _ in found)
    expect(data >= 2 and len(secrets) > 8, f"{data} data keys, {len(secrets)} secrets")
    return secrets


def search(server, look_for, messages):
    """Every file but the master key's own, the drive's and, for its own passwords, the configuration."""
    seen, allowed = 0, {b"Xyzzy-7734", b"Plugh-8845", b"Frotz-1067"}
    places = [("syslog", b"\n".join(messages))]
    for top, _, names in os.walk(server.home):
        if top.startswith(f"{server.home}/masterkey"):
            continue
        for name in names:
            path = os.path.join(top, name)
            if os.path.isfile(path) and not path.endswith("drive.key"):
                with open(path, "rb") as file:
                    places.append((path, file.read()))
    for path, text in places:
        seen += len(text)
        for secret in look_for:
            if secret in text and not (path == server.config and secret in allowed):
                raise AssertionError(f"{path} holds a secret at {text.find(secret)}: {secret[:6]!r}...")
    return seen, dict(places)


@test
def no_secret_is_in_any_file_record_message_or_trace_with_everything_on():
    with Receiver() as receiver, SITE.server(
            "debug=all", "config.keystore.password=Xyzzy-7734", "Audit.smf=true", "Audit.isSyslog=true", "Audit.syslog.transport=udp",
            "Audit.syslog.server.host=127.0.0.1", f"Audit.syslog.server.port={receiver.port}", "Audit.event.types=all",
            "Audit.event.outcome=success,failure") as server:
        parts = f"{SITE.folder}/parts"
        os.mkdir(parts)
        secrets = master_parts(server, parts)
        server.start()
        server.oper(f"adddrive -drivename {DRIVE.serial} -cert DRIVE.{DRIVE.serial}.CERT")
        eedks = use_keys(server)
        use_console(server)
        server.kill()  # what a recovery says and writes is searched too
        server.start()
        use_keys(server)
        wait_until("syslog has the end", 10, lambda: any(b"SEC002" in one for one in receiver.got))
        server.stop()
        secrets += private_and_data_keys(server, eedks)
        wrong = f"{SITE.folder}/wrong"
        write(f"{wrong}1", secrets[1].hex()[:-1])
        tool("klmsrv", "--alone", "--enter-master", f"{server.home}/log/never", f"{wrong}1", f"{wrong}1", status=None)
        look_for = set().union(*(forms(secret) for secret in secrets), *(forms(one.encode()) for one in PASSWORDS), [b"PRIVATE KEY"])
        expect(all(len(one) >= 8 for one in look_for), "too short to look for")
        seen, places = search(server, look_for, receiver.got)
        everything_was_on(server, places, receiver)
        expect(seen > 1 << 20, f"only {seen} bytes")


def everything_was_on(server, places, receiver):
    """Nothing would be found in sinks that were off: what is no secret is in each."""
    expect(read(f"{server.home}/log/debug").count("\n") > 0, "there is no trace")
    expect(any("smf" in path.lower() and "SEC001".encode("cp037") in text for path, text in places.items()), "there is no SMF record")
    expect(any("SEC001" in one.decode(errors="replace") for one in receiver.got), "there is no syslog message")
    for name in ("hardcopy", "console"):
        expect("BPXM023I" in read(f"{server.home}/log/{name}") or name == "hardcopy", name)
    expect("SEC001" in read(server.audit_path), "there is no text log")
    hidden = [one for one in places if b"****" in places[one]]
    expect(hidden, "no value is hidden anywhere")


if __name__ == "__main__":
    raise SystemExit(main())
