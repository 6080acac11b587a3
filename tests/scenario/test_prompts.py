#!/usr/bin/env python3
"""Secrets that are typed: on a terminal of its own, each prompt is silent before it is seen, nothing typed comes back, and the terminal is as it was afterwards."""
import atexit
import os
import pty
import shutil
import signal
import sys
import tempfile
import termios
import time

from keyserver import BIN, LABEL2, SLOW, Site, read, wait_until
from scenario import expect, main, test
from softhsm import LIBRARY, PIN, Token

FOLDER = tempfile.mkdtemp(prefix="t-")
atexit.register(shutil.rmtree, FOLDER, True)
SITE = Site()
PASSWORD = "Zz-9 typed 'secret'"
BACKUP = "correct horse battery"


def echoes(terminal):
    return bool(termios.tcgetattr(terminal)[3] & termios.ECHO)


class Typist:
    """A program on a terminal; the test sits before it."""

    def __init__(self, server, *words):
        self.words, self.shown = words, ""
        self.pid, self.terminal = pty.fork()
        if self.pid == 0:
            os.environ.update(KLM_OPER_SOCKET=server.socket, KLM_CONFIG=server.config)
            os.execv(f"{BIN}/{words[0]}", words)

    def until(self, prompt):
        """Wait for a prompt at the end of what is shown. It must be silent already."""
        end = time.monotonic() + 30 * SLOW
        while not self.shown.endswith(prompt):
            expect(time.monotonic() < end, f"no prompt {prompt!r}: {self.shown!r}")
            self.shown += os.read(self.terminal, 4096).decode()
        expect(not echoes(self.terminal), f"{self.words}: {prompt!r} was shown while the terminal echoes")
        return self

    def type(self, text):
        os.write(self.terminal, text.encode())
        return self

    def end(self, status=0, but=None):
        """What was shown in all; its end by a signal is minus its number."""
        while True:
            try:
                more = os.read(self.terminal, 4096)
            except OSError:
                break
            if not more:
                break
            self.shown += more.decode(errors="replace")
        got = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
        os.close(self.terminal)
        expect(got == status, f"{self.words}: {got}: {self.shown}")
        for secret in (PASSWORD, BACKUP, PIN, *(but or ())):
            expect(secret not in self.shown, f"{self.words} showed {secret}: {self.shown!r}")
        return self.shown


def unsaid(server):
    said = read(server.console_path) + read(server.audit_path)
    expect(PASSWORD not in said and BACKUP not in said and PIN not in said, "a secret was said")


@test
def a_password_of_pkcs12_is_asked_for_in_silence_twice_to_export_and_once_to_add():
    with SITE.server() as server:
        server.start()
        export = f"ID(TAPEKMS) EXPORT(LABEL('{LABEL2}')) DSN('P12') FORMAT(PKCS12DER) PASSWORD"
        Typist(server, "racdcert", export).until("Password: ").type(PASSWORD + "\n").until("Password again: ").type(PASSWORD + "\n").end()
        expect(os.path.getsize(f"{server.files}/P12") > 500, "exported")
        os.unlink(f"{server.files}/P12")
        Typist(server, "racdcert", export).until("Password: ").type(PASSWORD + "\n").until("Password again: ").type("another\n").end(1, but=("another\r",))
        expect(not os.path.exists(f"{server.files}/P12"), "though the two differ")
        Typist(server, "racdcert", export).until("Password: ").type("\n").end(1)
        Typist(server, "racdcert", export).until("Password: ").type(PASSWORD + "\n").until("Password again: ").type(PASSWORD + "\n").end()
        check = "CHECKCERT('P12') PASSWORD"
        expect("KLM" not in Typist(server, "racdcert", check).until("Password: ").type(PASSWORD + "\n").end(), "the right one")
        expect("KLM" in Typist(server, "racdcert", check).until("Password: ").type("wrong one\n").end(1, but=("wrong one",)), "a wrong one")
        server.stop()  # and on the store itself
        Typist(server, "racdcert", check).until("Password: ").type(PASSWORD + "\n").end()
        unsaid(server)


@test
def passwords_of_backups_are_asked_for_in_silence_by_task_and_by_tool():
    with SITE.server() as server:
        server.start()
        ask, again = "Password of the backup: ", "Password of the backup, once more: "
        Typist(server, "oper", "backup -file one").until(ask).type(BACKUP + "\n").until(again).type(BACKUP + "\n").end()
        wait_until("the backup", 30, lambda: "one is complete" in server.oper("backup -status"))
        Typist(server, "oper", "restore -check -file one").until(ask).type(BACKUP + "\n").end()
        wait_until("the check", 30, lambda: "one is good" in server.oper("backup -status"))
        Typist(server, "klmsrv", "--backup=two", server.config).until(ask).type(BACKUP + "\n").until(again).type(BACKUP + "\n").end()
        Typist(server, "oper", "backup -file three").until(ask).type(BACKUP + "\n").until(again).type("a slip\n").end(2, but=("a slip",))
        server.stop()
        Typist(server, "klmsrv", f"--restore={server.home}/lib/backup/two", "--accept=older", server.config).until(ask).type(BACKUP + "\n").end()
        unsaid(server)


@test
def the_pin_of_a_token_is_asked_for_in_silence():
    token = Token(f"{FOLDER}/hsm", label="SAFE")
    with SITE.server(f"pkcs11.library={LIBRARY}", f"tklm.backup.token=pkcs11:token=SAFE;serial={token.serial};object=b") as server:
        Typist(server, "klmsrv", f"--make-backup-key={server.config}").until("PIN of the token: ").type(PIN + "\n").end()
        Typist(server, "klmsrv", f"--backup={server.home}/one", "--token", server.config).until("PIN of the token: ").type(PIN + "\n").end()
        Typist(server, "klmsrv", f"--restore={server.home}/one", "--token", "--accept=older", server.config).until("PIN of the token: ").type(PIN + "\n").end()
        shown = Typist(server, "klmsrv", f"--check-backup={server.home}/one", "--token", server.config).until("PIN of the token: ").type("999999\n").end(1)
        expect("KLM1403A" in shown, shown)


@test
def who_gives_up_at_a_prompt_gets_the_terminal_back_as_it_was():
    with SITE.server() as server:
        server.start()
        export = f"ID(TAPEKMS) EXPORT(LABEL('{LABEL2}')) DSN('P12') FORMAT(PKCS12DER) PASSWORD"
        for words, prompt in ((("racdcert", export), "Password: "), (("oper", "backup -file one"), "Password of the backup: "),
                              (("klmsrv", "--backup=one", server.config), "Password of the backup: "),
                              (("klmsrv", "--enter-master", f"{server.home}/x", "--alone", "-", "-"), "Key part 1 (64 hexadecimal digits): ")):
            for key in ("\x03", "half of it\x03"):
                one = Typist(server, *words).until(prompt)
                slave = os.open(os.readlink(f"/proc/{one.pid}/fd/0"), os.O_RDWR | os.O_NOCTTY)  # it must not go with the program
                one.type(key)
                end = time.monotonic() + 20 * SLOW
                while True:  # its end, but for the terminal, which we hold
                    expect(time.monotonic() < end, f"{words}: it goes on")
                    pid, status = os.waitpid(one.pid, os.WNOHANG)
                    if pid:
                        break
                    time.sleep(0.02)
                got = os.waitstatus_to_exitcode(status)
                expect(got == -signal.SIGINT or got > 0, f"{words}: {got}")
                expect(echoes(slave), f"{words}: the terminal stays silent")
                for fd in (slave, one.terminal):
                    os.close(fd)
        expect("one" not in server.oper("backup -list").split(), "a backup was made")


if __name__ == "__main__":
    sys.exit(main())
