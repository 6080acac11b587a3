#!/usr/bin/env python3
"""Clients of KMIP as a storage administrator registers them: certificates from files and rings, groups, passwords, rights, kills, and a backup that carries them."""
import os
import pty
import re
import sys
import time

from keyserver import BIN, LABEL2, SLOW, Site, write
from otheruser import opened, raw_oper
from scenario import expect, main, run, test

NOBODY = 65534
SITE = Site()


def certificate(server, name):
    """A certificate that a storage system made itself, in the folder of command files; its fingerprint."""
    path = f"{server.files}/{name}.pem"
    run("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "30", "-keyout", f"{server.home}/{name}.key",
        "-out", path, "-subj", f"/CN={name}/O=Storage")
    shown = run("openssl", "x509", "-in", path, "-noout", "-fingerprint", "-sha256")
    return shown.strip().split("=")[1].replace(":", "").lower()


def client(server, name, column):
    found = re.search(rf"(?m)^\s*{column}\s*: (.*)$", server.oper(f"listclients -name {name}"))
    expect(found, f"listclients shows no {column}")
    return found.group(1)


def password_file(server):
    path = f"{server.files}/secret"
    write(path, "correct horse battery\n")
    os.chmod(path, 0o600)
    return "secret"


@test
def a_storage_system_is_registered_step_by_step():
    with SITE.server() as server:
        server.start()
        fingerprint = certificate(server, "vcenter")
        expect("processed" in server.oper("adddevicegroup -name VMWARE -enableKMIPDelete true"), "the group")
        expect(fingerprint in server.oper("addclient -name vcenter -group VMWARE -cert vcenter.pem"), "the client")
        expect("KLM1926E" in server.oper("addclient -name again -cert vcenter.pem", status=1), "one certificate, one client")
        expect("KLM1925E" in server.oper("addclient -name vcenter", status=1), "one name, one client")
        expect(client(server, "vcenter", "Certificate") == fingerprint, "the fingerprint")
        expect(client(server, "vcenter", "Group") == "VMWARE", "the group")
        expect(client(server, "vcenter", "Subject") == "O=Storage,CN=vcenter", server.oper("listclients -name vcenter"))
        server.oper(f"addclient -name ring -label {LABEL2} -owner TAPEKMS")
        expect(client(server, "ring", "Group") == "none", "in no group")
        expect(server.status("Clients") == "2" and server.status("Device groups") == "1", server.oper("status"))
        expect(server.status("Pending clients") == "0", server.oper("status"))
        renewed = certificate(server, "renewed")
        server.oper("modclient -name vcenter -cert renewed.pem -newname vcenter1")
        expect(client(server, "vcenter1", "Certificate") == renewed, "the renewed one")
        expect("KLM1932E" in server.oper("deldevicegroup -name VMWARE", status=1), "a group in use")
        server.oper("delclient -name vcenter1")
        server.oper("deldevicegroup -name VMWARE")
        expect(server.status("Clients") == "1", server.oper("status"))
        for texts in (("client-add", fingerprint), ("client-modify", renewed), ("client-delete", "vcenter1"), ("device-group-add", "VMWARE")):
            server.audited(*texts)


@test
def names_with_markup_stay_what_they_are_and_control_characters_are_refused():
    with SITE.server() as server:
        server.start()
        server.oper('addclient -name "<b>&amp; it\'s"')
        expect("<b>&amp; it's" in server.oper("listclients"), "the name")
        expect("KLM" in server.oper("addclient -name a\x1b[2J", status=2), "an escape sequence")
        expect("\x1b" not in server.console(), "on the console")
        expect("KLM1924E" in server.oper("addclient -name none", status=2), "none is no name")
        server.audited("client-add", "<b>&amp; it's")


@test
def passwords_come_from_a_terminal_or_a_file_and_stand_nowhere():
    with SITE.server() as server:
        server.start()
        server.oper(f"addclient -name c -user backup -passwordfile {password_file(server)}")
        expect(client(server, "c", "Password") == "yes", "it has one")
        expect("KLM1952E" in server.oper("modclient -name c -password geheimnis", status=2), "as a word")
        server.oper("modclient -name c -nopassword")
        pid, terminal = pty.fork()
        if pid == 0:
            os.execv(f"{BIN}/oper", ["oper", "--socket", server.socket, "F ISKLM,APPL='modclient -name c -ask'"])
        shown, end = b"", time.monotonic() + 20 * SLOW
        for _ in range(2):  # it is new, so it is typed twice
            while shown.count(b"assword") < 1:
                expect(time.monotonic() < end, f"no prompt: {shown}")
                shown += os.read(terminal, 4096)
            os.write(terminal, b"correct horse battery\n")
            shown = b""
        try:
            while os.read(terminal, 4096):
                pass
        except OSError:
            pass
        expect(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0, "modclient -ask")
        expect(client(server, "c", "Password") == "yes", "it has one again")
        server.stop()
        for folder, _, names in os.walk(server.home):
            for name in names:
                path = os.path.join(folder, name)
                if path == f"{server.files}/secret" or not os.path.isfile(path):
                    continue
                with open(path, "rb") as file:
                    bytes_of = file.read()
                expect(b"correct horse" not in bytes_of and b"geheimnis" not in bytes_of, f"a password in {path}")


@test
def an_operator_registers_clients_and_an_auditor_looks():
    with SITE.server("console.role.OPERATOR=nobody") as server:
        server.start()
        opened(server)
        server.oper("adddevicegroup -name GENERIC")
        expect("registered" in raw_oper(server, NOBODY, "addclient -name c -group GENERIC"), "an operator")
        expect("KLM0900E" in raw_oper(server, NOBODY, "moddevicegroup -name GENERIC -enableKMIPDelete true"), "no security administrator")
        expect("KLM0900E" in raw_oper(server, NOBODY, "deldevicegroup -name GENERIC"), "no security administrator")
    with SITE.server("console.role.OPERATOR=root", "console.role.AUDITOR=nobody") as server:
        server.start()
        opened(server)
        server.oper("addclient -name c")
        expect("1 entry" in raw_oper(server, NOBODY, "listclients"), "an auditor")
        for command in ("addclient -name d", "modclient -name c -user x", "delclient -name c", "acceptclient -fingerprint 0123456789abcdef -name d"):
            expect("KLM0900E" in raw_oper(server, NOBODY, command), command)
        expect(server.status("Clients") == "1", "nothing changed")


@test
def what_was_acknowledged_is_there_after_a_kill():
    with SITE.server() as server:
        server.start()
        server.oper("adddevicegroup -name GENERIC")
        prints = {}
        for number in range(6):
            name = f"client{number}"
            prints[name] = certificate(server, name)
            server.oper(f"addclient -name {name} -group GENERIC -cert {name}.pem")
            if number % 2:
                server.oper(f"modclient -name {name} -group none")
            server.kill()
            server.start()
            for each, fingerprint in prints.items():
                expect(client(server, each, "Certificate") == fingerprint, each)
            expect(server.status("Clients") == str(len(prints)), "as many as there were")
        expect("3 entries" in server.oper("listclients -group GENERIC"), server.oper("listclients"))


@test
def a_backup_carries_clients_and_groups():
    with SITE.server() as server:
        server.start()
        fingerprint = certificate(server, "one")
        server.oper("adddevicegroup -name GENERIC -enableKMIPDelete true -prefix abc")
        server.oper(f"addclient -name one -group GENERIC -cert one.pem -user u -passwordfile {password_file(server)}")
        expect(server.status("Backup needed").startswith("YES"), "a client is worth a backup")
        password = f"{server.home}/password"
        write(password, "another horse battery\n")
        os.chmod(password, 0o600)
        server.tool("klmsrv", "--backup=one", f"--password-file={password}", server.config)
        expect(server.status("Backup needed") == "no", server.oper("status"))
        server.oper("delclient -name one")
        server.oper("addclient -name two")
        expect(server.status("Backup needed").startswith("YES"), "again")
        server.stop()
        server.tool("klmsrv", f"--restore={server.home}/lib/backup/one", "--accept=older", f"--password-file={password}", server.config)
        server.start()
        expect(client(server, "one", "Certificate") == fingerprint and client(server, "one", "Password") == "yes", "the client")
        expect(client(server, "one", "Group") == "GENERIC", "its group")
        expect("true" in server.oper("listdevicegroups -name GENERIC") and "abc" in server.oper("listdevicegroups"), "the group")
        expect(server.status("Clients") == "1", "and no other")


if __name__ == "__main__":
    sys.exit(main())
