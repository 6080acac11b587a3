"""A key server that KMIP clients talk to: a copy of one set of rings and certificates, with its KMIP ports open, device groups, and clients that are registered in them.

    SITE = KmipSite()
    with SITE.started() as server:
        client = server.client("alice", version=(1, 4))          # in device group TESTS, whose clients may destroy objects
        other = server.client("bob", group="OTHERS")
"""
import atexit
import os

import kmip
from keyserver import SIGNED, Server, Site, free_port, read, write
from scenario import run

GROUP = "TESTS"


class KmipServer(Server):
    """A Server with KMIP ports. What clients need (certificates, keys) lies in its folder kmip. Device groups have the number of the round behind their names: a test
    that begins a round finds no object of those before it."""

    def __init__(self, home):
        super().__init__(home)
        self.round, self.groups, self.registered = 0, set(), {}

    @property
    def port(self):
        return int(self.value("KMIPListener.ssl.port"))

    @property
    def https_port(self):
        return int(self.value("KMIPListener.https.port"))

    def ports(self):
        return self.set("KMIPListener.ssl.host=127.0.0.1", f"KMIPListener.ssl.port={free_port()}", f"KMIPListener.https.port={free_port()}")

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
        if name not in self.groups:
            self.oper(f"adddevicegroup -name {name} -enableKMIPDelete {'true' if delete else 'false'}")
            self.groups.add(name)
        return name

    def register(self, name, group=GROUP, *words):
        """Register a client with its certificate, in a device group that is made when it is not there; or move it there. None: a group of its own."""
        self.certificate(name)
        group = self.group(f"{group}_{self.round}") if group else None
        if name not in self.registered:
            self.oper(" ".join([f"addclient -name {name}", f"-group {group}" if group else "", f"-cert KMIP.{name.upper()}.CERT", *words]))
        elif self.registered[name] != group:
            self.oper(f"modclient -name {name} -group {group or 'none'}")
        self.registered[name] = group

    def client(self, name, group=GROUP, version=(1, 4), **named):
        """A registered client that talks to this server."""
        self.register(name, group)
        cert, key = self.certificate(name)
        return kmip.Client(version=version, port=self.port, cert=cert, key=key, ca=f"{self.home}/drive/ca.crt", **named)

    def copy_to(self, home):
        other = super().copy_to(home)
        return KmipServer(other.home).ports()


def of_client(server, name):
    KmipServer(server.home).certificate(name)


class KmipSite(Site):
    """Rings and an authority; every server is a copy with ports of its own."""

    def __init__(self, *properties, clients=("alice", "bob")):
        super().__init__(*properties, labels=False, also=[(of_client, name) for name in clients])
        self.master, self.shared = KmipServer(self.master.home), None
        atexit.register(self.stop)

    def stop(self):
        if self.shared:
            self.shared.stop()

    def started(self, *properties):
        """with SITE.started() as server: a server that runs. Without properties of its own it is the same for all tests of the script, each in a new round."""
        return _Started(self, properties)


class _Started:
    def __init__(self, site, properties):
        self.site, self.own = site, site.server(*properties) if properties else None

    def __enter__(self):
        if self.own:
            server = self.own.__enter__()
            server.start()
            return server
        if not self.site.shared or not self.site.shared.runs():
            self.site.shared = self.site.server().__enter__()
            self.site.shared.start()
        self.site.shared.round += 1
        return self.site.shared

    def __exit__(self, kind, *what):
        if self.own:
            self.own.__exit__(kind, *what)
        elif kind is not None and not self.site.shared.runs():
            print("".join(f"#   console: {line}\n" for line in self.site.shared.console()[-3000:].splitlines()), end="")
