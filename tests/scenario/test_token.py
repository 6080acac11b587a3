#!/usr/bin/env python3
"""PKCS#11 tokens (SoftHSM): the master key in a token, private keys of labels in it, and what happens when token, PIN or helper fail."""
import atexit
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time

from keyserver import LABEL, LABEL2, SIGNED, SLOW, Site, read, tool, wait_until, write
from peer import Host
from scenario import BUILD, expect, main, run, test
from softhsm import LIBRARY, PIN, Token, helper_of

FOLDER = tempfile.mkdtemp(prefix="t-")
atexit.register(shutil.rmtree, FOLDER, True)
TOKEN = Token(f"{FOLDER}/hsm")
MASTER = "pkcs11:object=klm.master"
HARD, HARD_EC = "Hard_RSA", "Hard_EC"


class TokenSite(Site):
    """A site whose master key is in the token."""

    def __init__(self, key, *properties):
        super().__init__(*TOKEN.properties(), *properties, labels=False, master=lambda server: self.make(server, key))

    @staticmethod
    def make(server, key):
        os.remove(server.value("config.masterkey.file"))
        expect("verification pattern" in tool("klmsrv", "--make-master", f"pkcs11:token=KLM;object={key}", server.config), "made")
        expect("KLM0932W" not in tool("klmsrv", "--confirm-escrow", server.value("config.masterkey.file")), "escrow")


PLAIN = Site(*TOKEN.properties())
HOST = Host(f"{PLAIN.folder}/host").make(PLAIN.master)


def serve(server, host=HOST):
    server.start()
    server.oper(f"adddrive -drivename {host.serial} -cert DRIVE.{host.serial}.CERT")
    host.attach(server)
    for name in os.listdir(host.folder):
        if ".aws" in name:
            os.remove(os.path.join(host.folder, name))


def hardware(server, label, kind):
    server.racf(f"ID(TAPEKMS) GENCERT SUBJECTSDN(CN('{label}')) WITHLABEL('{label}') PCICC({label.upper()}) {kind} HARDWARE {SIGNED}")
    server.racf(f"ID(TAPEKMS) CONNECT(LABEL('{label}') RING(KeyStore4758))")


def kill_helper(server):
    """Kill it and see that another one serves."""
    old = helper_of(server)
    os.kill(old, signal.SIGKILL)
    return wait_until("a new helper", 10, lambda: helper_of(server) not in (None, old) and helper_of(server))


# ---- Private keys of labels in the token

@test
def private_keys_made_in_the_token_serve_and_never_leave_it():
    with PLAIN.server() as server:
        hardware(server, HARD, "SIZE(2048)")
        hardware(server, HARD_EC, "NISTECC SIZE(256)")
        serve(server)
        for volser, label in (("HRD001", HARD), ("HRD002", HARD_EC), ("HRD003", LABEL)):
            HOST.write(volser, label.encode() * 100, "--kl1", label)
            expect(HOST.read(volser) == label.encode() * 100, label)
        expect("KLM1421E" in server.xfer(f"WRITE,{HARD.upper()},X(Y)", status=1), "it was written out")
        expect(f"{TOKEN.label}, serial number {TOKEN.serial}" in server.status("PKCS#11 token"), "status")
        expect("KLM1420E" in server.racf("ID(TAPEKMS) GENCERT SUBJECTSDN(CN('S')) WITHLABEL('S') PCICC(S) HARDWARE", status=None), "self-signed")
        expect("KLM0" in server.racf(f"ID(TAPEKMS) GENCERT SUBJECTSDN(CN('{HARD}')) WITHLABEL('{HARD}') PCICC({HARD.upper()}) HARDWARE {SIGNED}", status=1), "twice")
        server.stop()
        server.start()
        expect(HOST.read("HRD001") == HARD.encode() * 100, "after a restart")
        for _ in range(2):
            kill_helper(server)
            expect(HOST.read("HRD002") == HARD_EC.encode() * 100, "after the helper was killed")
        expect(int(server.status("PKCS#11 helper restarts")) >= 2, "restarts are counted")


def token_says(kind):
    """What another reader of the token (OpenSC) says of its keys of that kind: label to the line of its access."""
    said = run("pkcs11-tool", "--module", LIBRARY, "--token-label", TOKEN.label, "--login", "--pin", PIN, "--list-objects", "--type", kind)
    return {found[1]: set(found[2].strip().split(", ")) for found in re.finditer(r"(?s)label:\s+(\S+)\n.*?Access:\s+([^\n]*)", said)}


@test
def no_way_out_gives_the_private_key_of_a_token():
    with PLAIN.server() as server:
        label, name = "Stays_RSA", "STAYS_RSA"
        hardware(server, label, "SIZE(2048)")
        serve(server)
        HOST.write("STY001", b"x", "--kl1", label)
        for form in ("PKCS12DER", "PKCS12B64"):
            said = server.racf(f"ID(TAPEKMS) EXPORT(LABEL('{label}')) DSN('OUT.P12') FORMAT({form}) PASSWORD('Zz-9-secret')", status=1)
            expect("KLM0486E" in said and not os.path.exists(f"{server.home}/files/OUT.P12"), said)
        for form in ("CERTDER", "PKCS7B64"):
            server.racf(f"ID(TAPEKMS) EXPORT(LABEL('{label}')) DSN('OUT.{form}') FORMAT({form})")
        expect("KLM1421E" in server.xfer(f"WRITE,{name},OUT(KEY)", status=1), "a key token")
        expect("KLM0486E" in server.racf(f"ID(TAPEKMS) GENREQ(LABEL('{label}')) DSN('OUT.CSR')", status=1), "a request, which would use it as a signer")
        left = [file for _, _, files in os.walk(f"{server.home}/files") for file in files if file in ("OUT.P12", "OUT.CSR", "KEY")]
        expect(not left, f"files of what was refused: {left}")
        access = token_says("privkey")[name]
        expect({"sensitive", "always sensitive", "never extractable"} <= access and "extractable" not in access, access)


@test
def a_backup_has_only_the_reference_to_a_key_in_a_token():
    with PLAIN.server("pkcs11.timeout.seconds=2") as server:
        hardware(server, "Saved_RSA", "SIZE(2048)")
        serve(server)
        HOST.write("SAV001", b"x", "--kl1", "Saved_RSA")
        server.stop()
        password = f"{server.home}/password"
        write(password, "correct horse battery\n")
        os.chmod(password, 0o400)
        tool("klmsrv", f"--backup={server.home}/one", f"--password-file={password}", server.config)
        tool("klmsrv", f"--restore={server.home}/one", f"--password-file={password}", "--accept=older", server.config)
        TOKEN.hide()
        try:
            server.start()
            HOST.attach(server)
            expect("KLM1423E" in HOST.refused("SAV001", "EE0F", command="read"), "the backup had the key")
        finally:
            TOKEN.show()
        server.oper("refresh")
        expect(HOST.read("SAV001") == b"x", "with the token")


@test
def a_token_that_is_gone_keeps_its_own_labels_from_serving_and_no_others():
    with PLAIN.server("pkcs11.timeout.seconds=2") as server:
        hardware(server, "Gone_RSA", "SIZE(2048)")
        serve(server)
        HOST.write("GON001", b"in the token", "--kl1", "Gone_RSA")
        HOST.write("GON002", b"not in it", "--kl1", LABEL2)
        TOKEN.hide()
        try:
            os.kill(helper_of(server), signal.SIGKILL)
            expect("KLM1423E" in HOST.refused("GON001", "EE0F", command="read"), "the reason")
            expect(HOST.read("GON002") == b"not in it", "another label")
            HOST.write("GON003", b"writing needs no private key", "--kl1", "Gone_RSA")
            expect("NOT AVAILABLE" in server.status("PKCS#11 token"), "status")
            server.stop()
            server.start()  # the master key is not in it
            expect(HOST.read("GON002") == b"not in it", "another label, after a restart")
            expect("KLM1423E" in HOST.refused("GON001", "EE0F", command="read"), "the reason, after a restart")
        finally:
            TOKEN.show()
        server.oper("refresh")
        expect(HOST.read("GON001") == b"in the token" and HOST.read("GON003"), "it is back")


@test
def a_helper_that_hangs_is_given_up_in_time():
    with PLAIN.server("pkcs11.timeout.seconds=1") as server:
        hardware(server, "Hang_RSA", "SIZE(2048)")
        serve(server)
        HOST.write("HNG001", b"x", "--kl1", "Hang_RSA")
        os.kill(helper_of(server), signal.SIGSTOP)
        expect(HOST.read("HNG001") == b"x", "the host asks again, and a new helper serves")
        server.says("it does not answer")


# ---- PINs

@test
def a_wrong_pin_is_tried_once_and_then_no_more():
    with PLAIN.server("pkcs11.timeout.seconds=2") as server:
        hardware(server, "Pin_RSA", "SIZE(2048)")
        serve(server)
        HOST.write("PIN001", b"x", "--kl1", "Pin_RSA")
        TOKEN.set_pin("999999")
        try:
            os.kill(helper_of(server), signal.SIGKILL)
            server.says("KLM1403A")
            for _ in range(3):
                HOST.refused("PIN001", "EE0F", command="read")
            expect(server.console().count("KLM1403A") == 1, "it was tried again")
            expect("PIN REFUSED" in server.status("PKCS#11 token"), "status")
            before = server.mark()  # the second try may be over when the answer comes
            server.oper("refresh")
            server.says("KLM1403A", since=before)
        finally:
            TOKEN.set_pin(PIN)
        expect("KLM1423E" in HOST.refused("PIN001", "EE0F", command="read"), "nothing by itself, also with the right one there")
        server.oper("refresh")
        expect(HOST.read("PIN001") == b"x", "after an operator said so")


# A library in front of SoftHSM's, whose slots have other numbers in each process, and whose token has flags that a file says.
SHIM, FLAGS, LOGINS = f"{BUILD}/peers/p11shim.so", f"{FOLDER}/flags", f"{FOLDER}/logins"
PIN_LOW, PIN_FINAL, PIN_LOCKED, PIN_CHANGE = 0x10000, 0x20000, 0x40000, 0x80000  # CKF_USER_PIN_... (PKCS#11 2.40, 3.2)


def shimmed(*properties):
    os.environ.update(KLM_SHIM_LIBRARY=LIBRARY, KLM_SHIM_FLAGS=FLAGS, KLM_SHIM_LOGINS=LOGINS)
    write(FLAGS, "0")
    write(LOGINS, "")
    shutil.copy(SHIM, f"{FOLDER}/p11shim.so")
    os.chmod(f"{FOLDER}/p11shim.so", 0o755)
    return PLAIN.server(f"pkcs11.library={FOLDER}/p11shim.so", *properties)


@test
def a_token_is_found_again_when_its_slot_has_another_number():
    with shimmed() as server:
        hardware(server, "Slot_RSA", "SIZE(2048)")
        serve(server)
        HOST.write("SLT001", b"x", "--kl1", "Slot_RSA")
        for _ in range(2):  # each helper is another process, and sees other numbers
            kill_helper(server)
            server.says("KLM1409I", since=server.console().rindex("KLM1407W"))
            expect(HOST.read("SLT001") == b"x", "read again")


@test
def no_pin_is_tried_when_the_token_says_that_it_could_be_the_last_time():
    with shimmed("pkcs11.timeout.seconds=2") as server:
        hardware(server, "Flag_RSA", "SIZE(2048)")
        serve(server)
        HOST.write("FLG001", b"x", "--kl1", "Flag_RSA")
        for flag in (PIN_FINAL, PIN_LOCKED, PIN_CHANGE):
            write(FLAGS, f"{flag:x}")
            tried, begin = len(read(LOGINS)), len(server.console())
            os.kill(helper_of(server), signal.SIGKILL)
            server.says("KLM1404A", since=begin)
            HOST.refused("FLG001", "EE0F", command="read")
            expect(len(read(LOGINS)) == tried, f"flags {flag:x}: a PIN was tried")
            write(FLAGS, "0")
            server.oper("refresh")
            expect(HOST.read("FLG001") == b"x", f"flags {flag:x}: after a person put it right")
        write(FLAGS, f"{PIN_LOW:x}")
        kill_helper(server)
        server.says("KLM1405W")
        expect(HOST.read("FLG001") == b"x", "a wrong one was tried by somebody: said, and the right one is given")


@test
def a_pin_file_that_others_may_read_is_not_used():
    with PLAIN.server() as server:
        TOKEN.set_pin(PIN, mode=0o644)
        try:
            server.start()
            server.says("KLM1402E")
        finally:
            TOKEN.set_pin(PIN)


# ---- The master key in the token

WORKING = TokenSite("klm.master")
WORKING.master.label(LABEL, "SIZE(2048)", "ITOPS.KLM20.CERT")
STRICT = TokenSite("klm.strict", "pkcs11.masterkey=strict", "pkcs11.timeout.seconds=2")
STRICT.master.label(LABEL, "SIZE(2048)", "ITOPS.KLM20.CERT")
STRICT.master.label(LABEL2, token="ITOPS.KLM21.CERT")
WORKING_HOST, STRICT_HOST = (Host(f"{site.folder}/host").make(site.master) for site in (WORKING, STRICT))


@test
def a_master_key_in_the_token_is_shown_and_needed_at_the_start():
    with WORKING.server() as server:
        host = WORKING_HOST
        serve(server, host)
        expect("PKCS#11 token, key klm.master, seals" in server.status("Master key place"), "place")
        access = token_says("secrkey")["klm.master"]
        expect({"sensitive", "always sensitive", "never extractable"} <= access and "extractable" not in access, access)
        expect(re.fullmatch("[0-9A-F]{16}", server.status("Master key verification pattern")), "pattern")
        host.write("WRK001", b"x", "--kl1", LABEL)
        TOKEN.hide()
        try:
            kill = helper_of(server)
            os.kill(kill, signal.SIGKILL)
            expect(host.read("WRK001") == b"x", "the working key is in memory")
            server.stop()
            expect("KLM14" in server.refuses_to_start(status=1), "without the token")
        finally:
            TOKEN.show()
        TOKEN.set_pin("999999")
        try:
            expect("KLM1403A" in server.refuses_to_start(status=78), "with a wrong PIN: not again by itself")
        finally:
            TOKEN.set_pin(PIN)
        server.start()
        expect(host.read("WRK001") == b"x", "with it")


@test
def strict_means_that_nothing_is_unwrapped_while_the_helper_is_stopped():
    with STRICT.server() as server:
        host = STRICT_HOST
        serve(server, host)
        expect("strict" in server.status("Master key place"), "place")
        for volser, label in (("STR001", LABEL), ("STR002", LABEL2)):
            host.write(volser, b"x", "--kl1", label)
            expect(host.read(volser) == b"x", label)
        TOKEN.hide()
        try:
            os.kill(helper_of(server), signal.SIGKILL)
            for volser in ("STR001", "STR002"):
                expect("KLM1423E" in host.refused(volser, "EE0F", command="read"), volser)
            host.write("STR003", b"y", "--kl1", LABEL)
            server.oper("refresh", status=None)  # refused or not, the keys that are open stay
        finally:
            TOKEN.show()
        server.oper("refresh")
        expect(host.read("STR001") == b"x" and host.read("STR003") == b"y", "with the helper back")


@test
def with_strict_a_drive_that_waits_for_the_token_holds_up_no_other():
    with STRICT.server("pkcs11.timeout.seconds=60") as server:
        serve(server, STRICT_HOST)
        STRICT_HOST.write("WAI001", b"x", "--kl1", LABEL)
        helper = helper_of(server)
        os.kill(helper, signal.SIGSTOP)
        waits = STRICT_HOST.begin("read", "--timeout", "120", STRICT_HOST.tape("WAI001"), f"{STRICT_HOST.folder}/waits", stdin=subprocess.DEVNULL,
                                  stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        wait_until("it is under way", 10, lambda: int(server.status("Sessions")) > 0)
        time.sleep(0.4)
        STRICT_HOST.write("WAI002", b"y", "--kl1", LABEL)
        expect(waits.poll() is None, "the one was answered only after the other")
        os.kill(helper, signal.SIGCONT)
        expect(waits.wait(60 * SLOW) == 0, "it was not answered")


@test
def the_ceremony_refuses_what_would_make_two_keys_or_the_wrong_one():
    with WORKING.server() as server:
        def made(uri, status=1):
            return tool("klmsrv", "--make-master", uri, server.config, status=status)

        os.rename(server.value("config.masterkey.file"), f"{server.home}/kept")
        expect("KLM1411E" in made("pkcs11:object=klm.master"), "a key of that name is there")
        expect("KLM1400E" in made("pkcs11:token=KLM"), "no key named")
        expect("KLM1400E" in made("pkcs11:token=OTHER;object=k"), "another token")
        expect("KLM1400E" in made("pkcs11:object=k?pin-value=123456") and "123456" not in made("pkcs11:object=k?pin-value=123456"), "a PIN in the URI")
        os.rename(f"{server.home}/kept", server.value("config.masterkey.file"))
        server.set("pkcs11.masterkey=strict")
        server.start()
        server.says("KLM1415W")  # the file decides
        server.stop()
        server.set("pkcs11.masterkey=working").unset("pkcs11.library", "pkcs11.token", "pkcs11.pin.file")
        expect("KLM1413E" in server.refuses_to_start(), "no token configured")
        expect("KLM1416E" in tool("klmsrv", "--split-master", server.value("config.masterkey.file"), "a", "b", status=1), "parts of it")


@test
def the_helper_cannot_do_what_it_has_no_need_of():
    with PLAIN.server() as server:
        server.start()
        status = read(f"/proc/{helper_of(server)}/status")
        expect("NoNewPrivs:\t1" in status and "Seccomp:\t2" in status, status)
        helper, pid = helper_of(server), server.pid
        server.process.kill()
        server.process.wait()
        wait_until("the helper's end", 5, lambda: not read(f"/proc/{helper}/cmdline") and not read(f"/proc/{pid}/cmdline"))


if __name__ == "__main__":
    sys.exit(main())
