#!/usr/bin/env python3
"""Disk arrays and two key servers: switched on, locked, unlocked by either, given another data key, recovered, killed on the way."""
import os
import re
import shutil
import signal
import subprocess
import sys
import time

from keyserver import BIN, LABEL, LABEL2, SLOW, Site, read, wait_until, write
from scenario import BUILD, SOURCE, expect, main, run, test

sys.path.append(f"{SOURCE}/tests/ios")
import readarray  # noqa: E402

SITE = Site("ds8k.acceptUnknownDrives=false")
SERIAL, WWN = "75DS80000001", "5005076303FFC001"
CRASH = f"{SITE.folder}/crash.so"
run(os.environ.get("CC", "cc"), "-shared", "-fPIC", "-O1", "-w", "-o", CRASH, f"{SOURCE}/tests/peers/crash.c", "-ldl")
NET = ("array-configure", "array-poweron", "array-relabel", "array-rekey", "array-recovery")


class Array:
    """A disk array in a folder; on() gives it power in a process of its own."""

    def __init__(self, folder):
        self.folder, self.home, self.member, self.process = folder, f"{folder}/array", f"{folder}/IECIOS00", None
        os.makedirs(folder, exist_ok=True)

    def make(self, server):
        self.run("array-init", "--serial", SERIAL, "--wwn", WWN, self.home)
        shutil.copy(f"{self.home}/drive.csr", f"{server.files}/ARRAY.CSR")
        server.racf("ID(TAPEKMS) GENCERT('ARRAY.CSR') WITHLABEL('ARRAY') ROLE(DRIVE) SIGNWITH(CERTAUTH LABEL('MyLocalRACFCA'))")
        server.racf("ID(TAPEKMS) EXPORT(LABEL('ARRAY')) DSN('ARRAY.CERT') FORMAT(CERTB64)")
        self.run("install", "--cert", f"{server.files}/ARRAY.CERT", "--ca", f"{server.home}/drive/ca.crt", self.home)
        return self

    def copy(self, folder):
        os.makedirs(folder)
        shutil.copytree(self.home, f"{folder}/array", ignore=shutil.ignore_patterns("array.sock"))
        return Array(folder)

    def attach(self, *servers):
        write(self.member, "".join(f"EKM {name}=127.0.0.1:{one.tcp}\n" for name, one in zip(("PRIMARY", "SECONDARY"), servers)))
        return self

    def environment(self, **more):
        return {**os.environ, "KLM_ARRAY": self.home, "KLM_IECIOS": self.member, **more}

    def words(self, command, *words):
        patience = ["--timeout", str(int(3 * SLOW))] if command in NET and not {"abandon", "--timeout"} & set(words) else []
        return [f"{BIN}/iosdrive", command, *patience, *words]

    def run(self, command, *words, status=0, data=None, env=None):
        done = subprocess.run(self.words(command, *words), env=env or self.environment(), input=data, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, check=False, timeout=60 * SLOW, **({"stdin": subprocess.DEVNULL} if data is None else {}))
        said = done.stdout.decode(errors="replace")
        expect(done.returncode == status, f"iosdrive {command}: exit status {done.returncode}, not {status}: {said}")
        return said

    # ---- Power

    def on(self, *words, wait="KLM1811I"):
        self.log = f"{self.folder}/on.log"
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen(self.words("array-poweron", "--retry", "1", *words), env=self.environment(), stdin=subprocess.DEVNULL,
                                            stdout=log, stderr=subprocess.STDOUT)
        return self.says(wait)

    def says(self, text):
        def look():
            expect(self.process.poll() is None or text in read(self.log), f"it ended: {read(self.log)}")
            return text in read(self.log)

        wait_until(f"{text} from the array", 15, look)
        return read(self.log)

    def off(self):
        if self.process:
            if self.process.poll() is None:
                self.run("array-poweroff")
            expect(self.process.wait(25 * SLOW) == 0, f"it ended with {self.process.returncode}: {read(self.log)}")
            self.process = None

    def kill(self):
        if self.process and self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self.process = None

    # ---- Volumes

    def write(self, name, data, status=0):
        return self.run("array-write", name, status=status, data=data)

    def read(self, name, status=0):
        out = f"{self.folder}/out"
        said = self.run("array-read", name, out, status=status)
        if status:
            return said
        with open(out, "rb") as file:
            return file.read()

    def state(self):
        with open(f"{self.home}/array.state", "rb") as file:
            return readarray.parse_state(file.read())

    def put(self, state):
        with open(f"{self.home}/array.state", "wb") as file:
            file.write(readarray.put_state(state))


IDENTITY = Array(f"{SITE.folder}/identity").make(SITE.master)
ADD = f"adddrive -drivename {SERIAL} -kind DS8000 -cert ARRAY.CERT"
COUNT = [0]


class Pair:
    """with Pair() as (array, primary, secondary): both know the array, which is configured and off."""

    def __init__(self, configure=True, add=ADD, properties=()):
        self.configure, self.add, self.properties = configure, add, properties

    def __enter__(self):
        COUNT[0] += 1
        self.copies = [SITE.server(f"server.id={name}", *self.properties) for name in ("PRIMARY", "SECOND")]
        self.servers = [copy.__enter__() for copy in self.copies]
        for server in self.servers:
            server.start()
            if self.add:
                server.oper(self.add)
        self.array = IDENTITY.copy(f"{SITE.folder}/a{COUNT[0]}").attach(*self.servers)
        if self.configure:
            self.array.run("array-configure")
        return (self.array, *self.servers)

    def __exit__(self, *what):
        try:
            if what[0] is None:
                self.array.off()
        finally:
            self.array.kill()
            for copy in self.copies:
                copy.__exit__(*what)
            shutil.rmtree(self.array.folder, ignore_errors=True)


@test
def an_array_is_configured_switched_on_written_and_read_and_each_unlock_is_on_record():
    with Pair(configure=False) as (array, primary, _):
        said = array.run("array-configure", "--group", "EG0042")
        expect(re.search(rf"KLM1809I Array {SERIAL}: encryption group EG0042 .*{LABEL}.*{LABEL2}", said), said)
        expect("KLM1802E" in array.run("array-configure", status=1), "configured twice")
        expect("KLM1816E" in array.write("VOL1", b"x", status=1), "written while it is off")
        said = array.on()
        expect(f"the primary key manager 127.0.0.1:{primary.tcp} opened encryption group EG0042 with key label {LABEL}" in said, said)
        expect("KLM1815E" in array.run("array-poweron", status=1), "switched on twice")
        data = os.urandom(3 * 65536 + 77)
        array.write("VOL1", data)
        array.write("EMPTY", b"")
        expect(array.read("VOL1") == data and array.read("EMPTY") == b"", "content")
        expect("KLM1830E" in array.write("../X", b"", status=1), "a name that leaves the folder")
        expect("KLM1831E" in array.read("NONE", status=1), "a volume that is not there")
        shown = array.run("array-display")
        expect("UNLOCKED BY primary key manager" in shown and "VOLUMES: 2" in shown and "RECOVERY KEY: NONE" in shown, shown)
        array.off()
        expect("KLM1818I" in read(array.log) and "OFF" in array.run("array-display"), read(array.log))
        uses = primary.oper(f"query -drivename {SERIAL}")
        expect(uses.count("EG0042") == 1 and LABEL in uses and LABEL2 in uses, uses)
        expect(primary.audited("Disk Unlock Request", SERIAL, "EG0042", LABEL), "audit of the unlock")
        expect(primary.audited("Disk Create Request", SERIAL, LABEL2), "audit of the data key")


@test
def with_no_key_server_it_stays_locked_and_says_so_until_one_comes():
    with Pair() as (array, primary, secondary):
        primary.kill()
        secondary.kill()
        said = array.on(wait="KLM1813A")
        expect(f"KLM1813A Array {SERIAL} is locked: KLM1068E No key manager answers" in said and "KLM1065W" in said, said)
        expect("KLM1822E" in array.write("VOL1", b"x", status=1), "written while locked")
        expect("POWER: LOCKED" in array.run("array-display"), "display")
        secondary.start()
        said = array.says("KLM1811I")
        expect(f"the secondary key manager 127.0.0.1:{secondary.tcp}" in said, said)
        array.write("VOL1", b"by the secondary")
        array.off()
        secondary.kill()
        said = array.run("array-poweron", "--retry", "1", "--wait", "1", status=1)
        expect("KLM1817E" in said and "KLM1813A" in said, said)
        primary.start()
        array.on()
        expect(array.read("VOL1") == b"by the secondary", "content")


@test
def a_primary_that_hangs_is_left_for_the_secondary():
    with Pair() as (array, primary, secondary):
        primary.signal(signal.SIGSTOP)
        said = array.on("--timeout", str(int(3 * SLOW)))
        expect("KLM1065W" in said and f"the secondary key manager 127.0.0.1:{secondary.tcp}" in said, said)
        primary.signal(signal.SIGCONT)


@test
def a_label_that_is_nowhere_and_a_private_key_that_is_gone_are_told():
    with Pair(configure=False) as (array, primary, secondary):
        said = array.run("array-configure", "--kl1", "NO_SUCH_LABEL", status=1)
        expect("EE31" in said and "EKM=05EE31" in said and not os.path.exists(f"{array.home}/array.state"), said)
        array.run("array-configure", "--kl1", LABEL, "--enc1", "H")
        for label in (LABEL, LABEL2):
            secondary.racf(f"ID(TAPEKMS) REMOVE(LABEL('{label}') RING(KeyStore4758))")
        secondary.oper("refreshks")
        primary.kill()
        said = array.on(wait="KLM1813A")
        expect("EE32" in said, said)
        expect(secondary.audited("Disk Unlock Request", SERIAL), "the refusal is not on record")
        primary.start()
        array.says("KLM1811I")
        array.off()
        array.attach(secondary, primary)  # the first that is asked has no key
        said = array.on()
        expect(f"the secondary key manager 127.0.0.1:{primary.tcp}" in said, said)


@test
def a_damaged_eedk_leaves_the_other_and_two_leave_the_array_locked():
    with Pair() as (array, primary, _):
        state = array.state()
        first, second = state["sets"][0]["eedks"]
        bad = lambda eedk: eedk[:-1] + bytes([eedk[-1] ^ 1])
        state["sets"][0]["eedks"] = [bad(first), second]
        array.put(state)
        said = array.on()
        expect(f"with key label {LABEL2}" in said, said)
        array.off()
        state["sets"][0]["eedks"] = [bad(first), b"no EEDK"]
        array.put(state)
        said = array.on(wait="KLM1813A")
        expect(re.search(r"refused with EE(32|23)", said), said)
        array.off()
        state["sets"][0]["eedks"] = [first, second]
        state["sets"][0]["wrapped"] = bad(state["sets"][0]["wrapped"])
        array.put(state)
        expect("KLM1808E" in array.on(wait="KLM1813A"), "another group key")
        array.off()
        with open(f"{array.home}/array.state", "r+b") as file:
            file.seek(40)
            file.write(b"\xff")
        expect("KLM1801E" in array.run("array-poweron", status=1), "a damaged state")


@test
def an_array_that_nobody_entered_is_refused_listed_or_taken():
    with Pair(configure=False, add=None) as (array, primary, _):
        expect("EF01" in array.run("array-configure", status=1), "refused")
        primary.oper("modconfig -set -property drive.acceptUnknownDrives -value true")
        expect("EF01" in array.run("array-configure", status=1), "the property of tape drives is not its own")
        primary.oper("modconfig -set -property ds8k.acceptUnknownDrives -value pending")
        expect("EF01" in array.run("array-configure", status=1), "pending")
        primary.oper(f"acceptdrive -drivename {SERIAL}")
        array.run("array-configure")
        expect("DS8000" in primary.oper(f"listdrives -drivename {SERIAL}"), "kind")
        primary.oper(f"moddrive -drivename {SERIAL} -kind 3592")
        said = array.on(wait="KLM1813A")
        expect("EE30" in said and "KLM1800E" in said, said)
        primary.oper(f"moddrive -drivename {SERIAL} -kind DS8000")
        array.says("KLM1811I")
        array.off()
        primary.oper(f"deletedrive -drivename {SERIAL}")
        primary.oper("modconfig -set -property ds8k.acceptUnknownDrives -value true")
        array.on()


def parts(text):
    return re.findall(r"PART [12]: ([0-9A-F-]{44})\n", text)


@test
def the_recovery_key_opens_it_without_a_key_server():
    with Pair() as (array, primary, secondary):
        array.on()
        array.write("VOL1", b"precious")
        array.off()
        key = f"{array.folder}/recovery"
        shown = array.run("array-recovery", "create")
        expect(len(parts(shown)) == 2 and "KLM1850I" in shown, shown)
        write(key, "\n".join(parts(shown)) + "\n")
        expect("KLM1857E" in array.run("array-poweron", "--recovery", key, status=1), "not verified yet")
        array.run("array-recovery", "--recovery", key, "verify")
        expect("KLM1859E" in array.run("array-recovery", "create", status=1), "made twice")
        primary.kill()
        secondary.kill()
        write(f"{key}.slip", read(key).replace(parts(shown)[0][:4], "FFFF" if parts(shown)[0][:4] != "FFFF" else "0000", 1))
        expect("KLM1853E" in array.run("array-poweron", "--recovery", f"{key}.slip", status=1), "mistyped")
        write(f"{key}.wrong", readarray_recovery(os.urandom(32)))
        for i in range(3):
            said = array.run("array-poweron", "--recovery", f"{key}.wrong", status=1)
            expect(f"KLM1854E" in said and f"wrong tries {i + 1} of 10" in said, said)
        expect("KLM1855E" in array.run("array-poweron", "--recovery", key, status=1), "no wait after three wrong ones")
        state = array.state()
        state["last_try"] -= 11 * 1000000  # as if the ten seconds had passed
        array.put(state)
        array.on("--recovery", key, wait="KLM1814W")
        expect(array.read("VOL1") == b"precious" and "recovery key" in array.run("array-display"), "content")
        array.off()
        expect(array.state()["tries"] == 0, "tries after success")
        secret = bytes.fromhex(re.sub("[^0-9A-F]", "", parts(shown)[0]))[:16]
        for folder, _, names in os.walk(array.home):
            for name in names:
                with open(os.path.join(folder, name), "rb") as file:
                    content = file.read()
                expect(secret not in content and parts(shown)[0].encode() not in content, f"{name} holds the recovery key")
        expect("KLM1068E" in array.run("array-recovery", "disable", status=1), "disabled without a key server")
        primary.start()
        array.run("array-recovery", "disable")
        expect("KLM1857E" in array.run("array-poweron", "--recovery", key, status=1), "used after it was disabled")


def readarray_recovery(key):
    """Text of a recovery key, made by the independent reader's rules."""
    import hashlib
    lines = []
    for part in (0, 1):
        one = key[16 * part:16 * part + 16]
        lines.append((one + hashlib.sha256(f"klm array recovery part {part + 1}".encode() + one).digest()[:2]).hex())
    return "\n".join(lines) + "\n"


@test
def a_lost_label_is_replaced_with_the_recovery_key_and_labels_are_changed_by_translation():
    with Pair() as (array, primary, _):
        array.attach(primary)  # the other one keeps the label
        array.run("array-relabel", "--kl1", LABEL2)
        expect(array.state()["sets"][0]["labels"] == [f"L:{LABEL2}"] * 2, "labels")
        expect("EE31" in array.run("array-relabel", "--kl1", "NOWHERE", status=1), "a label that is nowhere")
        key = f"{array.folder}/recovery"
        write(key, "\n".join(parts(array.run("array-recovery", "create"))))
        array.run("array-recovery", "--recovery", key, "verify")
        primary.racf(f"ID(TAPEKMS) REMOVE(LABEL('{LABEL2}') RING(KeyStore4758))")
        primary.oper("refreshks")
        expect("EE32" in array.run("array-rekey", "--kl1", LABEL, "prepare", status=1), "the old label is gone")
        array.run("array-rekey", "--kl1", LABEL, "--recovery", key, "prepare")
        said = array.on()  # the key server refuses the data key in force, and opens the one that is prepared
        expect("KLM1812W" in said, said)
        array.run("array-rekey", "commit")
        array.off()
        array.on()
        expect("KLM1812W" not in read(array.log), "the new data key is in force")


@test
def a_rekey_is_prepared_committed_or_abandoned_and_a_crash_anywhere_leaves_the_old_or_the_new():
    with Pair() as (array, primary, secondary):
        array.on()
        array.write("VOL1", b"precious")
        expect("KLM1843E" in array.run("array-rekey", "commit", status=1), "nothing is prepared")
        array.run("array-rekey", "prepare")
        expect("KLM1844E" in array.run("array-rekey", "prepare", status=1), "prepared twice")
        expect("KLM1844E" in array.run("array-relabel", "--kl1", LABEL, status=1), "relabelled in between")
        expect("DATA KEY PREPARED" in array.run("array-display"), "display")
        array.run("array-rekey", "abandon")
        expect(array.read("VOL1") == b"precious", "content")
        array.off()
        for action in ("prepare", "commit", "abandon"):
            crashes = crash_everywhere(array, action)
            expect(crashes >= 4, f"{action}: {crashes} crashes")
            if action == "commit":
                array.run("array-rekey", "prepare")
        array.on()
        expect(array.read("VOL1") == b"precious", "content")
        expect(not [name for name in os.listdir(array.home) if "tmp" in name], "temporary files are left")


def crash_everywhere(array, action):
    """Kill the step before each call that changes a file; after each the state is whole, old or new. The last run goes through."""
    options = os.environ.get("ASAN_OPTIONS", "") + ":verify_asan_link_order=0"
    before, at = array.state(), 0
    while True:
        at += 1
        env = array.environment(LD_PRELOAD=CRASH, CRASH_AT=str(at), CRASH_BELOW=array.home, ASAN_OPTIONS=options.lstrip(":"))
        done = subprocess.run(array.words("array-rekey", action), env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, check=False, timeout=60 * SLOW)
        after = array.state()
        if done.returncode == 0:
            return at - 1
        expect(done.returncode == -signal.SIGKILL, f"{action} at {at}: {done.stdout.decode()}")
        if after["change"] != before["change"]:  # it was done when the crash came
            expect(len(after["sets"]) == {"prepare": 2, "commit": 1, "abandon": 1}[action], f"{action} at {at}")
            again = array.run("array-rekey", action, status=1)
            expect(("KLM1844E" if action == "prepare" else "KLM1843E") in again, again)
            return at
        expect(after == before, f"{action} at {at}: half of it")


@test
def an_array_that_is_killed_starts_again_and_a_volume_being_written_stays_as_it_was():
    with Pair() as (array, _, __):
        array.on()
        array.write("VOL1", b"before")
        feed = subprocess.Popen(array.words("array-write", "VOL1"), env=array.environment(), stdin=subprocess.PIPE, stdout=subprocess.DEVNULL,
                                stderr=subprocess.DEVNULL)
        feed.stdin.write(b"x" * 200000)
        feed.stdin.flush()
        wait_until("half a volume", 10, lambda: os.path.exists(f"{array.home}/volumes/VOL1.new"))
        expect("KLM1836E" in array.write("VOL2", b"y", status=1), "two writes at a time")
        array.kill()
        feed.stdin.close()
        expect(feed.wait(30 * SLOW) == 1, "the writer was told that all is well")
        array.on()
        expect(array.read("VOL1") == b"before", "content")
        array.write("VOL1", b"after")
        expect(array.read("VOL1") == b"after", "content")


@test
def another_program_reads_the_volumes_with_the_key_of_a_label():
    with Pair() as (array, primary, _):
        array.on()
        data = os.urandom(65536 + 1000)
        array.write("VOL1", data)
        primary.xfer("WRITE,ITOPS.KLM20.CERT,MOVE(KLM20)")
        state = array.state()
        done = run(f"{BUILD}/peers/secrets", primary.value("config.masterkey.file"), f"{primary.files}/MOVE/KLM20", state["sets"][0]["eedks"][0].hex())
        key = re.search(r"(?m)^datakey ([0-9a-f]{64})$", done)[1]
        got = subprocess.run([sys.executable, f"{SOURCE}/tests/ios/readarray.py", array.home, "read", "VOL1", "--data-key", key],
                             stdout=subprocess.PIPE, check=True, timeout=60 * SLOW).stdout
        expect(got == data, "content")


if __name__ == "__main__":
    sys.exit(main())
