#!/usr/bin/env python3
"""Change of the master key: two officers, all tokens moved while keys are served, and whatever kills it on the way."""
import os
import random
import re
import sys
import time

from keyserver import LABEL, LABEL2, Site, tool, wait_until
from otheruser import opened, raw_oper
from peer import Host
from scenario import expect, main, test

NOBODY = 65534
SITE = Site("console.role.OFFICER=nobody,root")
for NUMBER in range(6):
    SITE.master.label(f"Label_{NUMBER}", connect=NUMBER < 3)
HOST = Host(f"{SITE.folder}/host").make(SITE.master)


def serve(server):
    server.start()
    server.oper(f"adddrive -drivename {HOST.serial} -cert DRIVE.{HOST.serial}.CERT")
    HOST.attach(server)
    for name in os.listdir(HOST.folder):
        if ".aws" in name:
            os.remove(os.path.join(HOST.folder, name))
    for volser, label in (("MST001", LABEL), ("MST002", LABEL2)):
        HOST.write(volser, label.encode(), "--kl1", label)
    opened(server)


def make_next(server, escrow=True):
    """A new key beside the one in use; its verification pattern."""
    path = server.value("config.masterkey.file") + ".next"
    said = tool("klmsrv", "--make-master", path)
    if escrow:
        tool("klmsrv", "--confirm-escrow", path)
    return re.search("pattern ([0-9A-F]{16})", said).group(1)


def confirm(server, pattern):
    return raw_oper(server, NOBODY, f"confirmmasterkey -pattern {pattern}")


def changed(server, pattern):
    """The change has ended, and everything is under the new key."""
    wait_until("the end of the change", 40, lambda: "Master key change" not in server.oper("status"))
    path = server.value("config.masterkey.file")
    expect(server.status("Master key verification pattern") == pattern, "the pattern in use")
    expect(os.path.exists(path + ".old") and not os.path.exists(path + ".next"), "files")
    reads(server)


def reads(server):
    for volser, label in (("MST001", LABEL), ("MST002", LABEL2)):
        expect(HOST.read(volser) == label.encode(), volser)
    expect(server.oper("list").count("certificate and private key") >= 6, server.oper("list"))


def only_under_the_new_key(server):
    """Without the old file everything opens: no token was left behind."""
    server.stop()
    os.remove(server.value("config.masterkey.file") + ".old")
    said = server.start()
    expect("KLM0417E" not in said and "KLM0416E" not in said, said)
    reads(server)
    server.stop()
    expect(" 0 damaged" in tool("klmsrv", "--verify", server.config), "the store's records")


@test
def a_change_takes_a_request_and_another_officers_confirmation_in_time():
    with SITE.server() as server:
        serve(server)
        expect("KLM0400E" in server.oper("requestmasterkey", status=1), "without a file")
        pattern = make_next(server, escrow=False)
        expect("KLM1433E" in server.oper("requestmasterkey", status=1), "without escrow")
        tool("klmsrv", "--confirm-escrow", server.value("config.masterkey.file") + ".next")
        expect("KLM1435E" in confirm(server, pattern), "nobody requested it")
        expect("KLM0900E" in raw_oper(server, NOBODY, "requestmasterkey"), "an officer alone requests nothing")
        expect(pattern in server.oper("requestmasterkey"), "the request")
        expect("waits for confirmation" in server.status("Master key change"), "status")
        expect("KLM1437E" in server.oper(f"confirmmasterkey -pattern {pattern}", status=1), "by the same user")
        expect("KLM1436E" in confirm(server, "0123456789ABCDEF"), "another pattern")
        expect("Confirmed" in confirm(server, pattern), "the confirmation")
        expect("KLM1432E" in server.oper("requestmasterkey", status=1), "twice")
        reads(server)
        changed(server, pattern)
        server.says("KLM1440I")
        for user in ("root", "nobody"):
            expect(server.audited(f"user={user}", f"new value={pattern}"), f"what {user} did is not audited")
        server.label("After_the_change")
        only_under_the_new_key(server)


@test
def kills_at_any_moment_of_a_change_lose_no_key():
    with SITE.server() as server:
        serve(server)
        pattern = make_next(server)
        server.oper("requestmasterkey")
        random.seed(os.getpid())
        expect("Confirmed" in confirm(server, pattern), "the confirmation")
        for _ in range(5):
            pause = random.choice((0, 0.05, 0.5, 1.9, 2.0, 2.05, 2.1, 2.2))
            time.sleep(pause)
            server.kill()
            said = server.start()
            expect("KLM0417E" not in said and "KLM0416E" not in said, f"killed after {pause} s: {said}")
            reads(server)
        changed(server, pattern)
        only_under_the_new_key(server)


@test
def a_change_whose_new_file_is_gone_does_not_start_with_half_of_the_keys():
    with SITE.server() as server:
        serve(server)
        path = server.value("config.masterkey.file")
        pattern = make_next(server)
        server.oper("requestmasterkey")
        expect("Confirmed" in confirm(server, pattern), "the confirmation")
        server.kill()
        os.rename(path + ".next", path + ".kept")
        expect("KLM1438E" in server.refuses_to_start(), "without the file")
        os.rename(path + ".kept", path + ".next")
        server.start()
        changed(server, pattern)


@test
def keys_made_while_tokens_move_are_there_afterwards():
    with SITE.server() as server:
        serve(server)
        pattern = make_next(server)
        server.oper("requestmasterkey")
        expect("Confirmed" in confirm(server, pattern), "the confirmation")
        for number in range(12):
            server.label(f"During_{number}", connect=number < 2)
            HOST.write(f"DUR{number:03}", b"x", "--kl1", LABEL)
        changed(server, pattern)
        only_under_the_new_key(server)


@test
def backups_of_before_and_after_a_change_restore_and_the_server_starts():
    with SITE.server() as server:
        serve(server)
        password = f"{server.home}/password"
        with open(password, "w", opener=lambda path, flags: os.open(path, flags, 0o600), encoding="ascii") as file:
            file.write("correct horse battery\n")
        server.tool("klmsrv", "--backup=before", f"--password-file={password}", server.config)
        pattern = make_next(server)
        server.oper("requestmasterkey")
        expect("Confirmed" in confirm(server, pattern), "the confirmation")
        changed(server, pattern)
        server.tool("klmsrv", "--backup=after", f"--password-file={password}", server.config)
        os.remove(server.value("config.masterkey.file") + ".old")  # nothing restored may need the old key
        for name in ("before", "after"):
            server.stop()
            server.tool("klmsrv", f"--restore={server.home}/lib/backup/{name}", "--accept=older", f"--password-file={password}", server.config)
            said = server.start()
            expect("KLM0417E" not in said and "KLM0416E" not in said, f"{name}: {said}")
            expect(server.status("Master key verification pattern") == pattern, f"{name}: the pattern in use")
            reads(server)
        server.stop()
        expect(" 0 damaged" in tool("klmsrv", "--verify", server.config), "the store's records")


if __name__ == "__main__":
    sys.exit(main())
