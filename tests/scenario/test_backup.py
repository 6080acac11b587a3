#!/usr/bin/env python3
"""Backup and restore, from outside: prompts, files, load, cancel, a full disk, damage, kills, and a reader that is not ours."""
import os
import pty
import re
import shutil
import signal
import subprocess
import sys
import time

from keyserver import BIN, LABEL2, SLOW, Site, read, wait_until, write
from kx import Drive, Session
from scenario import SOURCE, expect, main, run, test

SITE = Site()
DRIVE = Drive(f"{SITE.folder}/drive").make().signed_by(SITE.master)
PASSWORD = "correct horse battery"
READER = f"{SOURCE}/tests/backup/readbackup.py"


def password_file(server, text=PASSWORD, mode=0o600):
    path = f"{server.home}/password"
    if os.path.exists(path):
        os.unlink(path)
    write(path, text + "\n")
    os.chmod(path, mode)
    return path


def klmsrv(server, *words, status=0, file=None):
    return server.tool("klmsrv", *words, f"--password-file={file or password_file(server)}", server.config, status=status)


def typed(server, words, answers, status=0):
    """Run a program on a terminal of its own, type each answer at its prompt; what the terminal showed."""
    pid, terminal = pty.fork()
    if pid == 0:
        os.environ.update(server.env)
        os.execv(f"{BIN}/{words[0]}", words)
    shown = b""
    for prompt, answer in answers:
        end = time.monotonic() + 30 * SLOW
        while prompt.encode() not in shown:
            expect(time.monotonic() < end, f"no prompt: {shown}")
            shown += os.read(terminal, 4096)
        os.write(terminal, answer.encode() + b"\n")
        shown = shown.replace(prompt.encode(), b"")
    while True:
        try:
            more = os.read(terminal, 4096)
        except OSError:
            break
        if not more:
            break
        shown += more
    got = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    os.close(terminal)
    expect(got == status, f"{words}: {got}: {shown.decode(errors='replace')}")
    return shown.decode(errors="replace")


def backup_of(server, name="one"):
    return f"{server.home}/lib/backup/{name}"


@test
def a_backup_under_load_is_whole_and_another_reader_agrees():
    with SITE.server() as server:
        server.start()
        server.oper(f"adddrive -drivename {DRIVE.serial} -rec1 {LABEL2}")
        with Session(server, DRIVE) as session:
            for number in range(20):
                session.create(f"V{number:05d}")
            backup = subprocess.Popen([f"{BIN}/klmsrv", "--backup=one", f"--password-file={password_file(server)}", server.config],
                                      stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
            number = 20
            while backup.poll() is None:  # keys are served meanwhile
                session.create(f"V{number:05d}")
                number += 1
            said = backup.communicate()[0]
        expect(backup.returncode == 0 and "one is complete" in said, said)
        expect(server.status("Backup needed") == "no", server.oper("status"))
        folder = f"{server.home}/read"
        os.mkdir(folder)
        told = run(sys.executable, READER, backup_of(server), password_file(server), folder)
        expect("signed " in told and "signed none" not in told, told)
        usage = int(re.search(r"table usage (\d+)", told)[1])
        expect(20 <= usage <= number, f"{usage} of {number}")
        expect(read(f"{folder}/config") == read(server.config), "the configuration")
        said = run(sys.executable, READER, backup_of(server), password_file(server, "another password"), status=1)
        expect("wrong password" in said, said)
        expect(PASSWORD not in read(server.console_path) + read(server.audit_path), "the password was said")


@test
def passwords_are_typed_twice_and_never_part_of_a_command():
    with SITE.server() as server:
        server.start()
        expect("There is no backup in" in server.oper("backup -list"), "none yet")
        expect("KLM1234E" in server.oper("backup", status=2), "nobody could be asked")
        expect("KLM1234E" in server.oper("backup -file one -password secret123", status=2), "a password in a command")
        ask, again = "Password of the backup: ", "Password of the backup, once more: "
        typed(server, ["oper", "backup -file typed"], [(ask, PASSWORD), (again, PASSWORD)])
        wait_until("the backup", 30, lambda: "typed is complete" in server.oper("backup -status"))
        shown = typed(server, ["oper", "backup -file other"], [(ask, PASSWORD), (again, "something else")], status=2)
        expect("KLM1242E" in shown and PASSWORD not in shown, shown)
        expect("no" in server.oper("backup -status") and "typed" in server.oper("backup -list"), "status and list")
        shown = typed(server, ["klmsrv", "--check-backup=typed", server.config], [(ask, PASSWORD)])
        expect("typed is good" in shown, shown)
        expect("KLM1220E" in klmsrv(server, "--backup=x", file=password_file(server, mode=0o644), status=2), "an open password file")
        expect(PASSWORD not in read(server.console_path) + read(server.audit_path), "the password was said")


@test
def a_restore_brings_back_what_was_lost_and_keeps_what_was_there():
    with SITE.server() as server:
        server.start()
        server.oper(f"adddrive -drivename {DRIVE.serial} -rec1 {LABEL2}")
        with Session(server, DRIVE) as session:
            made = session.create("VOL001")
        klmsrv(server, "--backup=one")
        expect("KLM1233E" in klmsrv(server, f"--restore={backup_of(server)}", status=1), "while the task is up")
        expect("KLM1234E" in server.oper("restore -file one", status=2), "by the console, without a password")
        server.oper("adddrive -drivename 000000000001")
        server.stop()
        expect("KLM1221E" in klmsrv(server, f"--restore={backup_of(server)}", status=1), "older")
        expect("KLM1205E" in klmsrv(server, f"--restore={backup_of(server)}", file=password_file(server, "another password"), status=1), "password")
        said = klmsrv(server, f"--restore={backup_of(server)}", "--accept=older")
        kept = re.search(r"kept in (\S+)", said)[1]
        server.start()
        expect("000000000001" not in server.oper("listdrives"), "it is still there")
        for what in ("-volser VOL001", f"-drivename {DRIVE.serial}"):  # indexes are not in a backup
            expect("VOL001" in server.oper(f"query {what}"), f"usage by {what}")
        with Session(server, DRIVE) as session:
            expect(session.get("VOL001", made[1]) is not None, "the volume cannot be read")
        expect("action=restore" in read(server.audit_path), "no event")
        server.stop()
        klmsrv(server, f"--undo-restore={kept}")
        server.start()
        expect("000000000001" in server.oper("listdrives"), "it did not come back")


@test
def a_full_disk_and_a_cancel_leave_no_backup_and_serving_goes_on():
    with SITE.server() as server:
        server.start()
        full = klmsrv(server, "--backup=one")
        expect("one is complete" in full, full)
        server.stop()
        limited = subprocess.run(["prlimit", "--fsize=3000", f"{BIN}/klmsrv", f"--backup={server.home}/small", f"--password-file={password_file(server)}",
                                  server.config], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
        expect(limited.returncode == 1, limited.stdout)
        expect(not [name for name in os.listdir(server.home) if name.startswith("small")], "something is left")


@test
def a_restore_that_is_killed_is_undone_or_finished_by_the_next_start():
    with SITE.server() as server:
        server.start()
        klmsrv(server, "--backup=one")
        server.oper("adddrive -drivename 000000000001")
        server.stop()
        shutil.copytree(server.home, f"{server.home}.kept", ignore=shutil.ignore_patterns("RESERVE"))
        for wait in (0.05, 0.2, 0.5, 0.8, 1.1, 1.5):
            restore = subprocess.Popen([f"{BIN}/klmsrv", f"--restore={backup_of(server)}", "--accept=older", f"--password-file={password_file(server)}",
                                        server.config], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            time.sleep(wait)
            restore.send_signal(signal.SIGKILL)
            restore.wait()
            server.start()
            expect(server.status("Store") == "ready", server.oper("status"))
            server.oper("listdrives")
            server.stop()
            left = [name for name in os.listdir(server.home) if name.endswith((".new", ".restore", ".restored"))]
            expect(not left, f"left after {wait} s: {left}")
            shutil.rmtree(server.home)
            shutil.copytree(f"{server.home}.kept", server.home)
        shutil.rmtree(f"{server.home}.kept")


main()
