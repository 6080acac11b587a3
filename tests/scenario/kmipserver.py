"""A key server that KMIP clients talk to: a copy of one set of rings and certificates, with its KMIP ports open, device groups, and clients that are registered in them.

    SITE = KmipSite()
    with SITE.server() as server:
        client = server.client("alice", version=(1, 4))          # in device group TESTS, whose clients may destroy objects
        other = server.client("bob", group="OTHERS")
"""
import os

import kmip
from keyserver import SIGNED, Server, Site, free_port, read, write
from scenario import run

GROUP = "TESTS"


class KmipServer(Server):
    """A Server with KMIP ports. What clients need (certificates, keys) lies in its folder kmip."""

    @property
    def port(self):
        return int(self.value("KMIPListener.ssl.port"))

    @property
    def https_port(self):
        return int(self.value("KMIPListener.https.port"))

    def ports(self):
        return self.set(f"KMIPListener.ssl.port={free_port()}", f"KMIPListener.https.port={free_port()}")

    def path(self, name):
        return f"{self.home}/kmip/{name}"

    def certificate(self, name, kind="ec"):
        """A key of the client's own, and a certificate for it from the server's authority. Kept: asked for twice, it is the same."""
        cert, key = self.path(f"{name}.crt"), self.path(f"{name}.key")
        if not os.path.exists(cert):
            os.makedirs(self.path(""), exist_ok=True)
            form = ("rsa:2048",) if kind == "rsa" else ("ec", "-pkeyopt", "ec_paramgen_curve:P-256")
            dsn = f"KMIP.{name.upper()}"
            run("openssl", "req", "-newkey", *form, "-nodes", "-subj", f"/CN={name}", "-keyout", key, "-out", f"{self.files}/{dsn}.CSR")
            self.racf(f"ID(TAPEKMS) GENCERT('{dsn}.CSR') WITHLABEL('KMIP {name}') ROLE(CLIENT) {SIGNED}")
            self.racf(f"ID(TAPEKMS) EXPORT(LABEL('KMIP {name}')) DSN('{dsn}.CERT') FORMAT(CERTB64)")
            write(cert, read(f"{self.files}/{dsn}.CERT"))
        return cert, key

    def group(self, name, delete=True):
        """A device group; delete: its clients may destroy objects."""
        self.oper(f"adddevicegroup -name {name} -enableKMIPDelete {'true' if delete else 'false'}")

    def register(self, name, group=GROUP, *words):
        """Register a client with its certificate."""
        self.certificate(name)
        if group and f"{group} " not in self.oper("listdevicegroups") + " ":
            self.group(group)
        self.oper(" ".join([f"addclient -name {name}", f"-group {group}" if group else "", f"-cert KMIP.{name.upper()}.CERT", *words]))

    def client(self, name, group=GROUP, version=(1, 4), register=True, **named):
        """A registered client that talks to this server."""
        cert, key = self.certificate(name)
        if register and name not in self.__dict__.setdefault("registered", set()):
            self.register(name, group)
            self.registered.add(name)
        return kmip.Client(version=version, port=self.port, cert=cert, key=key, ca=f"{self.home}/drive/ca.crt", **named)

    def copy_to(self, home):
        other = super().copy_to(home)
        return KmipServer(other.home).ports()


class KmipSite(Site):
    """Rings and an authority; every server is a copy with ports of its own."""

    def __init__(self, *properties, clients=("alice", "bob")):
        super().__init__(*properties, labels=False)
        self.master = KmipServer(self.master.home)
        for name in clients:
            self.master.certificate(name)

    def started(self, *properties):
        """with site.started() as server: a copy that runs."""
        return _Started(self, properties)


class _Started:
    def __init__(self, site, properties):
        self.copy = site.server(*properties)

    def __enter__(self):
        server = self.copy.__enter__()
        server.start()
        return server

    def __exit__(self, *what):
        self.copy.__exit__(*what)
