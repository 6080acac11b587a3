"""iosdrive as scenario tests use it: a drive's folder, an IECIOSxx member, cartridges."""
import os
import re
import shutil
import subprocess

from keyserver import BIN, SERIAL, SLOW, WWN, write
from scenario import expect


class Host:
    """A host with one drive and its key managers."""

    def __init__(self, folder, *servers, serial=SERIAL, wwn=WWN, ssl=False):
        self.folder, self.serial, self.wwn, self.ssl = folder, serial, wwn, ssl
        self.drive, self.member = os.path.join(folder, "drive"), os.path.join(folder, "IECIOS00")
        os.makedirs(folder, exist_ok=True)
        self.attach(*servers)

    def attach(self, *servers):
        names = ("PRIMARY", "SECONDARY")
        write(self.member, "".join(f"EKM {name}=127.0.0.1:{server.ssl if self.ssl else server.tcp}\n" for name, server in zip(names, servers)))
        return self

    def make(self, server, key="ec:P-256", sign="CERTAUTH LABEL('MyLocalRACFCA')", name=None, authority=None, kind="3592"):
        """Key, request, certificate by the server's authority; the certificate also is a file that commands can name."""
        name = name or self.serial
        self.run("init", "--serial", self.serial, "--wwn", self.wwn, "--key-type", key, "--kind", kind, self.drive)
        shutil.copy(f"{self.drive}/drive.csr", f"{server.files}/DRIVE.{name}.CSR")
        server.racf(f"ID(TAPEKMS) GENCERT('DRIVE.{name}.CSR') WITHLABEL('DRIVE {name}') ROLE(DRIVE) SIGNWITH({sign})")
        server.racf(f"ID(TAPEKMS) EXPORT(LABEL('DRIVE {name}')) DSN('DRIVE.{name}.CERT') FORMAT(CERTB64)")
        self.run("install", "--cert", f"{server.files}/DRIVE.{name}.CERT", "--ca", authority or f"{server.home}/drive/ca.crt", self.drive)
        return self

    def words(self, command, *words):
        net = command in ("write", "read", "translate", "display")
        return [f"{BIN}/iosdrive", command, *(["--ssl"] if self.ssl and net else []), *words]

    def environment(self):
        return {**os.environ, "KLM_DRIVE": self.drive, "KLM_IECIOS": self.member}

    def run(self, command, *words, status=0, data=None, seconds=60):
        done = subprocess.run(self.words(command, *words), env=self.environment(), input=data, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              check=False, timeout=seconds * SLOW, **({"stdin": subprocess.DEVNULL} if data is None else {}))
        said = done.stdout.decode(errors="replace")
        expect(done.returncode == status, f"iosdrive {command}: exit status {done.returncode}, not {status}: {said}")
        return said

    def begin(self, command, *words, **named):
        return subprocess.Popen(self.words(command, *words), env=self.environment(), **named)

    def tape(self, volser):
        return os.path.join(self.folder, f"{volser}.aws")

    def write(self, volser, data, *words, status=0, **named):
        return self.run("write", "-v", volser, *words, self.tape(volser), "-", status=status, data=data, **named)

    def read(self, volser, *words, status=0, **named):
        """The content of a file of a volume; with another status, what was said."""
        out = os.path.join(self.folder, "out")
        said = self.run("read", *words, self.tape(volser), out, status=status, **named)
        if status:
            return said
        with open(out, "rb") as file:
            return file.read()

    def refused(self, volser, code, *words, command="write"):
        """A write or read must fail with this device code; what was said."""
        said = self.write(volser, b"data", *words, status=1) if command == "write" else self.read(volser, *words, status=1)
        expect(re.search(rf"CU=\d\d DRIVE=\d{{6}} EKM=05{code}", said) and "IOS000I" in said, f"{code}: {said}")
        return said

