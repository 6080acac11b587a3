#!/usr/bin/env python3
"""Clients of KMIP and device groups between two key servers: sync -clients, merged and rewritten; a secondary knows the clients, and no secret goes along."""
import os
import re

from keyserver import free_port, wait_until, write
from partners import Pair, address
from kmip import Client
from scenario import expect, main, run, test

PAIR = Pair()
CODES = "one-time-password-0001\none-time-password-0002\n"


def server(name):
    return PAIR.server(name, "KMIPListener.ssl.host=127.0.0.1", f"KMIPListener.ssl.port={free_port()}")


def certificate(one, name):
    """A certificate that a client made itself, in the folder of command files."""
    path = f"{one.files}/{name}.pem"
    run("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "30", "-keyout", f"{one.home}/{name}.key",
        "-out", path, "-subj", f"/CN={name}")
    return path


def secret(one, name, text):
    write(f"{one.files}/{name}", text)
    os.chmod(f"{one.files}/{name}", 0o600)
    return name


def locate(at, holder, name):
    """How a Locate of this client ends at a server: None, or the Result Reason."""
    client = Client(version=(1, 4), port=at.value("KMIPListener.ssl.port"), cert=f"{holder.files}/{name}.pem", key=f"{holder.home}/{name}.key",
                    ca=f"{at.home}/drive/ca.crt")
    result = client.do("Locate")
    client.close()
    return None if result.ok else result.reason


def sync(one, two, words=""):
    said = one.oper(f"sync -clients {words} -ipaddr {address(two)}")
    found = re.search(r"clients +taken +(\d+) clients and device groups added, (\d+) changed, (\d+) removed; (\d+) left", said)
    expect(found, said)
    return tuple(map(int, found.groups()))


def made(server, name):
    return server.oper(f"listclients -name {name}")


@test
def a_secondary_knows_the_clients_and_no_secret_goes_along():
    with server("One") as one, server("Two") as two:
        one.start()
        two.start()
        expect("KLM1307E" in one.oper(f"sync -clients -ipaddr {address(two)}", status=1), "there are none")
        one.oper("adddevicegroup -name VMWARE -enableKMIPDelete true -prefix vmw")
        for name in ("vcenter", "library"):
            certificate(one, name)
        one.oper("addclient -name vcenter -group VMWARE -cert vcenter.pem")
        one.oper(f"addclient -name library -cert library.pem -user backup -passwordfile {secret(one, 'pw', 'correct horse battery')} -hashed "
                 f"-once {secret(one, 'codes', CODES)}")
        expect(locate(two, one, "vcenter") == "AuthenticationNotSuccessful", "not known yet: its certificate waits")
        wait_until("its certificate waits", 5, lambda: two.status("Pending clients") == "1")
        expect(sync(one, two) == (3, 0, 0, 0), "all of it")
        expect(two.status("Clients") == "2" and two.status("Device groups") == "1" and two.status("Pending clients") == "0", two.oper("status"))
        expect("VMWARE" in made(two, "vcenter") and "true" in two.oper("listdevicegroups"), made(two, "vcenter"))
        expect(locate(one, one, "vcenter") is None and locate(two, one, "vcenter") is None, "served by both")
        shown = made(two, "library")
        expect("none here" in shown and re.search(r"Hashed +: no", shown) and re.search(r"Password +: yes", shown), shown)
        expect(locate(two, one, "library") == "AuthenticationNotSuccessful", "asked for what is not here")
        expect(sync(one, two) == (0, 0, 0, 0), "again: nothing new")
        two.oper(f"modclient -name library -noonce -passwordfile {secret(two, 'pw', 'another horse')}")
        expect(sync(one, two) == (0, 1, 0, 0), "it has to show one-time passwords again")
        expect(re.search(r"Password +: yes", made(two, "library")), "and keeps the password that was set there")
        one.audited("Data synchronization event", "sync-clients-give", "result=successful")
        two.audited("Data synchronization event", "sync-clients-take", "Partner One", "result=successful")
        two.audited("client-taken", "vcenter")
        two.stop()
        for folder, _, names in os.walk(two.home):
            for name in names:
                path = os.path.join(folder, name)
                if os.path.isfile(path):
                    with open(path, "rb") as file:
                        bytes_of = file.read()
                    expect(b"correct horse" not in bytes_of and b"one-time-password-0" not in bytes_of, f"a secret in {path}")


@test
def renewed_and_renamed_clients_follow_and_rewrite_takes_away_what_has_no_objects():
    with server("One") as one, server("Two") as two:
        one.start()
        two.start()
        one.oper("adddevicegroup -name VMWARE")
        for name in ("a", "b", "renewed"):
            certificate(one, name)
        one.oper("addclient -name a -group VMWARE -cert a.pem")
        one.oper("addclient -name b -cert b.pem")
        two.oper("addclient -name own")
        expect(sync(one, two) == (3, 0, 0, 0), "a, b and the group")
        one.oper("modclient -name a -cert renewed.pem -user backup")
        one.oper("modclient -name b -newname c")
        expect(sync(one, two) == (0, 2, 0, 0), "both changed")
        expect(locate(two, one, "renewed") == "AuthenticationNotSuccessful", "it has to give a user name now")
        two.oper("listclients -name b", status=1)  # the old name
        expect(locate(two, one, "b") is None, "the renamed one")
        two.oper("createclientkeys -client c -algorithm AES -prefix abc")
        one.oper("delclient -name c")
        expect(sync(one, two) == (0, 0, 0, 0), "merged, nothing goes")
        expect(sync(one, two, "-rewrite") == (0, 0, 1, 1), "the empty one goes, the one with a key is left")
        expect(two.status("Clients") == "2", two.oper("listclients"))
        two.oper("listclients -name own", status=1)
        expect("KLM1305E" in one.oper(f"sync -clients -merge -rewrite -ipaddr {address(two)}", status=2), "both")


main()
