#!/usr/bin/env python3
"""Backups that a PKCS#11 token (SoftHSM) seals and opens: found by label and serial number wherever its slot is; gone, another one, PIN refused, key gone."""
import atexit
import glob
import os
import shutil
import sys
import tempfile

from keyserver import Site, read, wait_until, write
from scenario import BUILD, SOURCE, expect, main, run, test
from softhsm import LIBRARY, PIN, Token

FOLDER = tempfile.mkdtemp(prefix="t-")
atexit.register(shutil.rmtree, FOLDER, True)
TOKEN = Token(f"{FOLDER}/hsm", label="SAFE")
KEY = "backup.key"
PASSWORD = "correct horse battery"
SITE = Site()
ORDER = f"pkcs11:token=SAFE;serial={TOKEN.serial};object={KEY}"

# A library in front of SoftHSM's, whose slots have other numbers in each process, and that notes each login.
SHIM, FLAGS, LOGINS = f"{FOLDER}/p11shim.so", f"{FOLDER}/flags", f"{FOLDER}/logins"
shutil.copy(f"{BUILD}/peers/p11shim.so", SHIM)
os.chmod(SHIM, 0o755)
os.environ.update(KLM_SHIM_LIBRARY=LIBRARY, KLM_SHIM_FLAGS=FLAGS, KLM_SHIM_LOGINS=LOGINS)
write(FLAGS, "0")
write(LOGINS, "")
PROPERTIES = [f"pkcs11.library={SHIM}", f"tklm.backup.token={ORDER}", f"tklm.backup.pin.file={TOKEN.pin_file}"]


def logins():
    return len(read(LOGINS))


def password_file(server):
    path = f"{server.home}/password"
    if not os.path.exists(path):
        write(path, PASSWORD + "\n")
        os.chmod(path, 0o600)
    return f"--password-file={path}"


def klmsrv(server, *words, status=0):
    return server.tool("klmsrv", *words, server.config, status=status)


def make_key(server):
    """A key that is there already stays."""
    if KEY not in run("pkcs11-tool", "--module", LIBRARY, "--token-label", "SAFE", "--login", "--pin", PIN, "--list-objects", "--type", "secrkey"):
        expect(f"Key {KEY} for backups made in token SAFE, serial number {TOKEN.serial}" in klmsrv(server, f"--make-backup-key={server.config}"), "made")


def remove_key(label="SAFE"):
    run("pkcs11-tool", "--module", LIBRARY, "--token-label", label, "--login", "--pin", PIN, "--delete-object", "--type", "secrkey", "--label", KEY)


def saved(server):
    """A backup that the token alone opens, made while the task is down."""
    make_key(server)
    path = f"{server.home}/sealed"
    klmsrv(server, f"--backup={path}", "--token")
    return path


class Instead:
    """In the place of the right token none, a "new" one of the same label, or a "copy" with another serial number."""

    def __init__(self, what):
        self.what = what

    def __enter__(self):
        TOKEN.hide()
        if self.what != "copy":
            os.makedirs(TOKEN.tokens)
            if self.what:
                TOKEN.make("SAFE")
            return
        shutil.copytree(TOKEN.tokens + ".away", TOKEN.tokens)
        [path] = glob.glob(f"{TOKEN.tokens}/*/token.object")
        with open(path, "rb") as file:
            data = file.read()
        other = TOKEN.serial[:-1] + ("0" if TOKEN.serial[-1] != "0" else "1")
        expect(TOKEN.serial.encode() in data, "the serial number in the copy")
        with open(path, "wb") as file:
            file.write(data.replace(TOKEN.serial.encode(), other.encode()))

    def __exit__(self, *_):
        shutil.rmtree(TOKEN.tokens)
        TOKEN.show()


@test
def a_backup_sealed_with_a_token_alone_is_restored_wherever_its_slot_is_by_label_and_serial_number():
    with SITE.server(*PROPERTIES) as server:
        make_key(server)
        server.start()
        expect(server.status("Backups are sealed with") == f"key {KEY} of token SAFE", server.oper("status"))
        server.oper("adddrive -drivename 000000000001")
        server.oper("backup -file one -token")
        wait_until("the backup", 30, lambda: "one is complete" in server.oper("backup -status"))
        server.oper("restore -check -file one -token")
        wait_until("the check", 30, lambda: "one is good" in server.oper("backup -status"))
        server.stop()
        TOKEN.make("OTHER")  # one more slot, and the shim gives each process other numbers
        expect("is good" in klmsrv(server, f"--check-backup={server.home}/lib/backup/one", "--token"), "checked")
        shutil.rmtree(f"{server.home}/lib/store", ignore_errors=True)
        # The configuration of the computer that restores need not know the token: the backup names it.
        server.set("tklm.backup.token=pkcs11:token=SAFE;object=another.one")
        said = klmsrv(server, f"--restore={server.home}/lib/backup/one", "--token", "--accept=older")
        expect("KLM" not in said or "was restored" in said or "kept in" in said, said)
        server.set(f"tklm.backup.token={ORDER}")
        server.start()
        expect("000000000001" in server.oper("listdrives"), "what was in it")
        expect("KLM1206E" in klmsrv(server, "--check-backup=one", password_file(server), status=1), "with a password")
        server.stop()
        run("softhsm2-util", "--delete-token", "--token", "OTHER")


@test
def password_and_token_open_the_same_backup_and_without_its_token_the_password_is_enough():
    with SITE.server(*PROPERTIES) as server:
        make_key(server)
        both = f"{server.home}/both"
        klmsrv(server, f"--backup={both}", password_file(server))
        expect("is good" in klmsrv(server, f"--check-backup={both}", "--token"), "by the token")
        expect("is good" in klmsrv(server, f"--check-backup={both}", password_file(server)), "by the password")
        folder = f"{server.home}/read"
        os.mkdir(folder)
        run(sys.executable, f"{SOURCE}/tests/backup/readbackup.py", both, f"{server.home}/password", folder)
        with Instead(None):
            said = klmsrv(server, f"--backup={server.home}/alone", password_file(server))
            expect("KLM1246W" in said and "KLM1406E" in said, said)
            expect("is good" in klmsrv(server, f"--check-backup={server.home}/alone", password_file(server)), "the password")
            expect("KLM1406E" in klmsrv(server, f"--backup={server.home}/none", "--token", status=1), "the token alone")
            expect(not os.path.exists(f"{server.home}/none"), "a backup that nothing opens")
        expect("KLM1247E" in klmsrv(server, f"--check-backup={server.home}/alone", "--token", status=1), "no token slot")
        server.unset("pkcs11.library")
        expect("KLM1417E" in klmsrv(server, f"--check-backup={both}", "--token", status=1), "a token without its library")
        server.unset("tklm.backup.token", "tklm.backup.pin.file")
        expect("KLM1245E" in klmsrv(server, f"--backup={server.home}/unset", "--token", status=1), "no token configured")
        expect("KLM1248E" in klmsrv(server, f"--check-backup={both}", "--token", status=1), "nor one to open it")


@test
def a_token_that_is_not_there_another_one_and_a_key_that_is_gone_have_messages_of_their_own():
    with SITE.server(*PROPERTIES) as server:
        path = saved(server)
        restore = (f"--restore={path}", "--token")
        with Instead(None):
            expect("KLM1406E" in klmsrv(server, *restore, status=1), "not there")
        with Instead("new"):
            before = logins()
            said = klmsrv(server, *restore, status=1)
            expect("KLM1418E" in said and TOKEN.serial in said, f"another serial number: {said}")
            expect(logins() == before, "a PIN was tried on another token")
            said = klmsrv(server, *restore, "--accept=token", status=1)
            expect("KLM1250E" in said, f"accepted, but it has no such key: {said}")
            server.set(f"tklm.backup.token=pkcs11:token=SAFE;object={KEY}")
            expect("KLM1249E" in klmsrv(server, f"--check-backup={path}", "--token", status=1), "found by label alone")
            klmsrv(server, f"--make-backup-key={server.config}")
            server.set(f"tklm.backup.token={ORDER}")
            said = klmsrv(server, *restore, "--accept=token", status=1)
            expect("KLM1251E" in said, f"a key of that name, and another one: {said}")
        with Instead("copy"):
            expect("KLM1418E" in klmsrv(server, *restore, status=1), "a copy, not accepted")
            klmsrv(server, *restore, "--accept=token,older")
        remove_key()
        expect("KLM1250E" in klmsrv(server, *restore, status=1), "the key is gone")
        server.start()
        expect(server.audited("restore-failed", "KLM1418E", "result=unsuccessful"), "on record")


@test
def a_wrong_pin_is_tried_once_and_never_again_by_itself():
    with SITE.server(*PROPERTIES) as server:
        path = saved(server)
        TOKEN.set_pin("999999")
        try:
            before = logins()
            expect("KLM1403A" in klmsrv(server, f"--restore={path}", "--token", status=1), "refused")
            expect(logins() == before + 1, f"{logins() - before} tries")
            os.makedirs(f"{server.home}/lib/backup", exist_ok=True)
            shutil.copy(path, f"{server.home}/lib/backup/sealed")
            server.start()
            before = logins()
            for _ in range(3):
                server.oper("restore -check -file sealed -token")
                wait_until("the end", 30, lambda: "PIN" in server.oper("backup -status"))
            expect(logins() == before + 1, f"{logins() - before} tries by the task")
        finally:
            TOKEN.set_pin(PIN)
        server.oper("restore -check -file sealed -token")
        wait_until("the end", 30, lambda: "KLM1408E" in server.console() or "refused the PIN" in server.oper("backup -status"))
        expect(logins() == before + 1, "the right one, but nobody said so")
        server.oper("refresh")
        server.oper("restore -check -file sealed -token")
        wait_until("the check", 30, lambda: "sealed is good" in server.oper("backup -status"))


@test
def a_pin_file_of_another_token_is_not_tried_on_the_one_that_a_backup_names():
    with SITE.server(*PROPERTIES) as server:
        path = saved(server)
        server.set(f"tklm.backup.token=pkcs11:token=ELSEWHERE;object={KEY}")
        before = logins()
        said = klmsrv(server, f"--restore={path}", "--token", status=1)
        expect(logins() == before, f"it was tried: {said}")


if __name__ == "__main__":
    sys.exit(main())
