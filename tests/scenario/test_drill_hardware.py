#!/usr/bin/env python3
"""Drills between two servers, each with a PKCS#11 token of its own (SoftHSM): strict master keys, stored keys that need hardware, private keys that never leave."""
import atexit
import os
import re
import shutil
import signal
import struct
import sys
import tempfile

from keyserver import LABEL, LABEL2, SIGNED, read, tool, write
from partners import DRILL, HELLO, PROVEN, Link, Pair, address, hello, key_pair
from peer import Host
from scenario import expect, main, test
from softhsm import Token, helper_of

FOLDER = tempfile.mkdtemp(prefix="t-")
atexit.register(shutil.rmtree, FOLDER, True)
THEIRS = Token(f"{FOLDER}/two")
OURS = Token(f"{FOLDER}/one")  # the last one counts where nothing else is said
HARD = "Hard_RSA"
PASSWORD = "correct horse battery"


def conf(token):
    return {"SOFTHSM2_CONF": f"{token.folder}/softhsm2.conf"}


class Using:
    """Programs that are started meanwhile see this token."""

    def __init__(self, token):
        self.token = token

    def __enter__(self):
        os.environ.update(conf(self.token))

    def __exit__(self, *_):
        os.environ.update(conf(OURS))


def make_master(server, key="klm.strict"):
    os.remove(server.value("config.masterkey.file"))
    tool("klmsrv", "--make-master", f"pkcs11:token=KLM;object={key}", server.config)
    tool("klmsrv", "--confirm-escrow", server.value("config.masterkey.file"))


PAIR = Pair(*OURS.properties(), "pkcs11.masterkey=strict", "pkcs11.timeout.seconds=3", "requireHardwareProtectionForSymmetricKeys=true", master=make_master)
PAIR.site.master.racf(f"ID(TAPEKMS) GENCERT SUBJECTSDN(CN('{HARD}')) WITHLABEL('{HARD}') PCICC({HARD.upper()}) SIZE(2048) HARDWARE {SIGNED}")
PAIR.site.master.racf(f"ID(TAPEKMS) CONNECT(LABEL('{HARD}') RING(KeyStore4758))")
HOST = Host(f"{PAIR.site.folder}/host").make(PAIR.site.master)
LTO = Host(f"{PAIR.site.folder}/lto", serial="000000000017", wwn="5005076300C00017").make(PAIR.site.master, kind="LTO")
# The other token as a vendor's tool makes a copy: same label, serial number and keys.
CLONE = f"{FOLDER}/clone"
shutil.copytree(OURS.tokens, f"{CLONE}/tokens")
write(f"{CLONE}/softhsm2.conf", read(f"{OURS.folder}/softhsm2.conf").replace(OURS.tokens, f"{CLONE}/tokens"))


def set_up(one):
    """Volumes under a label whose key is in the store, one whose key is in the token, and a stored key."""
    one.oper(f"adddrive -drivename {HOST.serial} -cert DRIVE.{HOST.serial}.CERT")
    one.oper(f"adddrive -drivename {LTO.serial} -kind LTO -cert DRIVE.{LTO.serial}.CERT -symrec TAPES")
    one.oper("addkeygroup -groupID TAPES")
    one.oper("createkeys -range des01-03 -groupID TAPES")
    for host in (HOST, LTO):
        host.attach(one)
        for name in os.listdir(host.folder):
            if ".aws" in name:
                os.remove(os.path.join(host.folder, name))
    HOST.write("SFT001", b"x", "--kl1", LABEL, "--kl2", LABEL2)
    HOST.write("HRD001", b"x", "--kl1", HARD, "--kl2", HARD)
    LTO.write("LTO001", b"x")


def carry(one, two, master=True):
    """The state of one to two, whose master key is another one, by a backup."""
    password = f"{FOLDER}/password"
    if not os.path.exists(password):
        write(password, PASSWORD + "\n")
        os.chmod(password, 0o600)
    one.stop()
    path = f"{FOLDER}/carried"
    tool("klmsrv", f"--backup={path}", f"--password-file={password}", one.config)
    with Using(THEIRS if master else OURS):
        if master:
            make_master(two, "their.strict")
        shutil.rmtree(two.value("config.drivetable.file.url") or "/nonexistent", ignore_errors=True)
        tool("klmsrv", f"--restore={path}", f"--password-file={password}", "--accept=older,foreign", two.config)
    os.remove(path)


@test
def strict_master_keys_of_two_tokens_are_told_apart_and_all_that_was_carried_is_proved_by_hardware():
    with PAIR.server("One") as one, PAIR.server("Two", f"pkcs11.token=pkcs11:token=KLM;serial={THEIRS.serial}", f"pkcs11.pin.file={THEIRS.pin_file}") as two:
        one.start()
        set_up(one)
        shutil.rmtree(two.home + "/lib/store", ignore_errors=True)
        carry(one, two)
        one.start()
        two.start(env=conf(THEIRS))
        for server in (one, two):
            expect("strict" in server.status("Master key place"), "place")
        expect(one.status("Master key verification pattern") != two.status("Master key verification pattern"), "one master key")
        said = one.oper(f"drill -partner {address(two)}", status=1)
        expect(re.search(r"master key +ANOTHER MASTER KEY there", said), said)
        for label in (LABEL, LABEL2):
            expect(re.search(rf"label +{label} +can open it", said), said)
        expect(re.search(rf"label +{HARD} +(NO PRIVATE KEY there|CANNOT OPEN it)", said), said)
        expect(re.search(r"key group +TAPES +can open all of its keys", said), said)
        expect("2 of 3 volumes could be read" in said and re.search(r"volume +HRD001 ", said), said)
        back = two.oper(f"drill -partner {address(one)}")
        expect(re.search(r"master key +ANOTHER MASTER KEY there", back) and re.search(r"key group +TAPES +can open all", back), back)
        # It was their token that proved it: without it nothing is.
        THEIRS.hide()
        try:
            os.kill(helper_of(two), signal.SIGKILL)
            said = one.oper(f"drill -partner {address(two)}", status=1)
            expect(re.search(rf"label +{LABEL} +CANNOT OPEN it", said) and "0 of 3 volumes could be read" in said, said)
            expect(re.search(r"key group +TAPES +NOT 3 of 3 keys", said), said)
        finally:
            THEIRS.show()
        two.oper("refresh")
        expect("2 of 3 volumes could be read" in one.oper(f"drill -partner {address(two)}", status=1), "with it again")
        # And ours that asked.
        OURS.hide()
        try:
            os.kill(helper_of(one), signal.SIGKILL)
            said = one.oper(f"drill -partner {address(two)}", status=1)
            expect("KLM1408E" in said, said)
        finally:
            OURS.show()


@test
def the_same_master_key_and_private_keys_in_two_tokens_prove_each_other():
    with PAIR.server("One") as one, PAIR.server("Two") as two:
        one.start()
        set_up(one)
        carry(one, two, master=False)
        one.start()
        two.start(env={"SOFTHSM2_CONF": f"{CLONE}/softhsm2.conf"})
        for here, there in ((one, two), (two, one)):
            said = here.oper(f"drill -partner {address(there)}")
            expect(re.search(r"master key +can open it", said) and re.search(rf"label +{HARD} +can open it", said), said)
            expect("3 of 3 volumes could be read" in said and "KLM1322I" in said, said)


@test
def what_hardware_sealed_for_something_else_is_no_challenge():
    folder = f"{FOLDER}/py"
    key_pair(folder, ["py"])
    with PAIR.server("Two") as two:
        for name in ("ca.crt", "py.crt"):
            shutil.copy(f"{folder}/{name}", f"{two.files}/PY.{name.upper()}")
        two.racf("CERTAUTH ADD('PY.CA.CRT') WITHLABEL('PY CA') TRUST")
        two.racf("ID(TAPEKMS) ADD('PY.PY.CRT') WITHLABEL('PY') TRUST")
        two.racf("ID(TAPEKMS) CONNECT(CERTAUTH LABEL('PY CA') RING(Partners))")
        two.racf("ID(TAPEKMS) CONNECT(LABEL('PY') RING(Partners) USAGE(PERSONAL))")
        two.start()
        with open(two.value("config.masterkey.file"), "rb") as file:
            master = file.read()
        pattern, sealed = master[6:14], master[-32 - 60:-32]  # keyring/TOKEN.md: the working key, sealed by the token

        def item(digest, challenge):
            return struct.pack(">BH", 3, 6) + b"master" + digest + struct.pack(">H", len(challenge)) + challenge

        ours = pattern + bytes(24)
        items = [item(ours, sealed), item(ours, os.urandom(60)), item(ours, b""), item(bytes(32), sealed), item(b"\x01" * 8 + bytes(24), sealed)]
        with Link(two, folder, "py") as link:
            link.ask(HELLO, hello())
            kind, _, body = link.ask(DRILL, bytes(32) + bytes([len(items)]) + b"".join(items))
            expect(kind == PROVEN and body[0] == len(items), body)
            got = [(body[1 + 33 * i], body[2 + 33 * i:34 + 33 * i]) for i in range(len(items))]
            expect([outcome for outcome, _ in got] == [4, 4, 4, 4, 2], got)
            expect(all(proof == bytes(32) for _, proof in got), "an answer to what is no challenge")


if __name__ == "__main__":
    sys.exit(main())
