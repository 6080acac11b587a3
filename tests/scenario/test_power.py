#!/usr/bin/env python3
# time-limit: 300
"""Power loss under the running server: a mixed run is recorded, the folder is rebuilt as a disk may hold it at its crash points, and each
state must open with all that was acknowledged before, exactly once. The same of a server that never syncs must be found wanting.

POWER_SECONDS (default 3) bounds the replay, though some crash points are always done (16 of the mixed run, 8 of each other one); 0 replays every one (`make power`). POWER_SEED chooses the run's choices and the states.
"""
import os
import random
import re
import sys
import time

from scenario import BUILD, SOURCE, Folder, expect, main, run, test

for part in ("tests/kill", "tests/power", "tests/scenario"):
    sys.path.insert(0, os.path.join(SOURCE, part))
import changes  # noqa: E402  (after their folders are in the path)
import disk  # noqa: E402
import kx  # noqa: E402
import objects  # noqa: E402
import records  # noqa: E402
import rig  # noqa: E402

SECONDS = float(os.environ.get("POWER_SECONDS", "3"))
SEED = int(os.environ.get("POWER_SEED", time.time_ns() // 1000 % 1000000))
REPLAY = os.path.join(SOURCE, "tests/power/replay.py")
JUDGE = os.path.join(SOURCE, "tests/kill/judge.py")
# Written by standard I/O, the shell or the operator's side, or no part of what a power loss may not lose.
NOT_RECORDED = ("log/console", "log/hardcopy", "log/setup", "run/", "env", "etc/IECIOS00")
# The store relies on a page of 4,096 bytes reaching the disk as a whole; all else may be torn at any sector.
WHOLE = r"/store/\w+\.db$"


def memory():
    """States are laid out in memory where there is room: they are many, and none is kept."""
    try:
        free = os.statvfs("/dev/shm")
        return ["--scratch", "/dev/shm"] if free.f_bavail * free.f_frsize > 1 << 30 and os.access("/dev/shm", os.W_OK) else []
    except OSError:
        return []


LTO, LTO_WWN = "000000000091", "5005076300C00091"


class Known:
    """What an LTO drive written in Python needs to know of a server of the rig."""

    def __init__(self, server):
        self.server, self.home, self.files = server, server.home, os.path.join(server.home, "files")

    @property
    def ssl(self):
        return int(self.server.env["KLM_SSL_PORT"])

    def racf(self, command):
        return run(os.path.join(self.server.programs, "racdcert"), command, env=self.server.env)

    def oper(self, command):
        return run(os.path.join(self.server.programs, "oper"), f"F ISKLM,APPL='{command}'", env=self.server.env)


class Recording:
    """A server's folder, and a trace of all that is done to it."""

    def __init__(self, folder, name, *properties, programs=None):
        self.home, self.trace = os.path.join(folder, name), os.path.join(folder, name + ".trace")
        self.dice = random.Random(SEED)
        self.server = rig.Server(self.home)
        self.server.call("start", *rig.SMALL, *properties)
        self.known = Known(self.server)
        self.lto = kx.Drive(os.path.join(folder, name + ".lto"), LTO, LTO_WWN, kind=1).make().signed_by(self.known)
        for command in ("addkeygroup -groupID TAPES", "createkeys -range des01-04 -groupID TAPES",
                        f"adddrive -drivename {LTO} -kind LTO -cert DRIVE.{LTO}.CERT -symrec TAPES"):
            self.known.oper(command)
        self.server.call("stop")
        self.server.programs = programs or self.server.programs
        os.unlink(os.path.join(self.home, ".start.tar"))
        records.start(self.home, self.trace)
        self.notes = rig.Notes(os.path.join(folder, name + ".list"), lambda line: records.mark(self.trace, line))
        self.volumes = 0

    def begin(self):
        wanted = records.environment(self.home, self.trace, os.path.join(BUILD, "power/record.so"))
        self.server.call("run", wrap="env " + " ".join(f"{name}={value}" for name, value in wanted.items()))

    def writes(self, count, sessions):
        writer = self.server.writer("load", "--sessions", str(sessions), "--reads", "4", "--first", str(self.volumes), "--count",
                                    str(count), "--list", self.notes.path, "--trace", self.trace)
        self.volumes += count
        return writer

    def stored(self, count):
        """Stored keys for LTO volumes, of which the group has some left, one after the other."""
        with kx.Session(self.known, self.lto, "ssl", fields=kx.hello_fields(self.lto, 1, 2), version=2) as session:
            for _ in range(count):
                self.volumes += 1
                volser = f"LT{self.volumes:04}"
                self.notes.note(f"T {volser}\n")
                self.notes.note(f"U {volser} {session.stored_create(volser)[2]}\n")

    def objects(self):
        """A KMIP client changes objects in each way."""
        self.kmip = getattr(self, "kmip", None) or objects.Objects(self.server.env, self.notes.note)
        self.kmip.client.port = int(self.server.env["KLM_KMIP_PORT"])
        self.kmip.all_kinds()

    def operator(self):
        bin_folder = os.environ.get("KLM_BIN", os.path.join(BUILD, "bin"))
        return changes.Operator(bin_folder, self.server.env, self.dice, self.notes.note)

    def all_answered(self, writer, count):
        said, _ = writer.communicate(timeout=120 * rig.SLOW)
        expect(f"answered {count} lost 0 refused 0 wrong 0" in said, said)

    def explained(self):
        """The trace tells all that happened in the folder."""
        said = run(REPLAY, "complete", "--trace", self.trace, status=None)
        unseen = [line for line in said.splitlines() if not line.startswith(NOT_RECORDED) and "explains" not in line
                  and not line.endswith(".tmp is in the trace only")]  # a kill may come between its removal and the note of that
        expect(not unseen, "\n".join(unseen))

    def replay(self, seconds, least, *more, reads=False):
        """At least so many crash points, however long they take. What was said, and its last line's numbers: crash points replayed, of how
        many, states, failures."""
        env = dict(os.environ, KLM_JUDGE_HOME=self.home, KLM_CHECKSTORE=rig.CHECKSTORE, KLM_JUDGE_READS="1" if reads else "")
        said = run(REPLAY, "crash", "--trace", self.trace, "--verify", f"exec {sys.executable} -I -S {JUDGE} --serve", "--serve", "--seed", str(SEED),
                   "--whole", WHOLE, "--least", str(least), "--jobs", "3", *memory(), *(["--seconds", str(seconds * rig.SLOW)] if seconds else []), *more,
                   status=None, env=env, timeout=None)
        print(f"seed {SEED}: {said.splitlines()[-1]}", flush=True)
        return said, [int(word) for word in re.findall(r"\d+", said.splitlines()[-1])]


def mixed_run(recording):
    """Writes, reads and changes together; a quiet moment, in which the key usage index is committed without waiting for the disk; a kill, whose
    recovery must not take what the system's memory holds for what is on disk; a kill under load; a clean stop."""
    recording.begin()
    operator = recording.operator()
    writer = recording.writes(120, 6)
    for _ in range(12):
        operator.one()
    operator.switch_smf()
    recording.stored(3)
    recording.known.oper("createkeys -range des05-0f -groupID TAPES")
    recording.stored(2)
    recording.objects()
    recording.all_answered(writer, 120)
    time.sleep(1.2)  # views are written, outbox rows deleted
    operator.add_drive()
    operator.set_property()
    recording.all_answered(recording.writes(10, 1), 10)
    time.sleep(0.6)
    recording.server.kill()
    recording.begin()
    writer = recording.writes(500, 6)
    time.sleep(0.1)
    recording.server.kill()
    writer.communicate(timeout=120 * rig.SLOW)
    recording.begin()
    operator.env = recording.server.env
    for _ in range(4):
        operator.one()
    recording.stored(3)
    recording.objects()
    recording.all_answered(recording.writes(30, 3), 30)
    recording.server.call("stop")


@test
def every_state_a_power_loss_leaves_has_all_that_was_acknowledged():
    with Folder() as folder:
        recording = Recording(folder, "home")
        mixed_run(recording)
        recording.explained()
        said, (points, _, states, failed) = recording.replay(SECONDS, 16)
        expect(not failed and "not seen" not in said, said)
        expect(points >= 16 and states >= 80, said)
        expect(len(re.findall(r"^U ", "".join(recording.notes.read()), re.M)) == 8, "stored keys were given")


def unsynced(recording, killed, until):
    """Database files with writes of the killed server that are not on disk for certain, just before a record for which until holds."""
    model = disk.Disk(recording.trace)
    for index, record in enumerate(records.read(recording.trace)):
        names = {key: path for path, key in model.paths.items()}
        path = names.get(model.current.get(record.inode), "")
        if index >= killed and until(record, path):
            break
        model.advance(index, record)
    return [path for path, key in model.paths.items() if re.search(r"/store/(\w+\.db|log\.\d+)$", path)
            and any(change[0] < killed for change in model.objects[key].pending)]


@test
def recovery_after_a_kill_rests_on_nothing_that_is_not_on_disk():
    with Folder() as folder:
        recording = Recording(folder, "again")
        recording.begin()
        recording.all_answered(recording.writes(40, 4), 40)
        time.sleep(0.6)
        recording.server.kill()
        killed = len(records.read(recording.trace))
        recording.begin()
        recording.server.call("stop")
        expect(unsynced(recording, killed, lambda *_: True), "the kill left everything on disk, and shows nothing")
        left = unsynced(recording, killed, lambda record, path: record.what == records.WRITE and path.endswith(".db"))
        expect(not left, f"recovery writes pages while writes before the kill are not on disk: {left}")
        said, (points, _, states, failed) = recording.replay(SECONDS / 3, 8, "--begin", str(killed))
        expect(not failed and "not seen" not in said, said)
        expect(points >= 5 and states >= 20, said)


@test
def reads_too_are_on_disk_before_their_answer_when_audit_is_always_synced():
    with Folder() as folder:
        recording = Recording(folder, "always", "Audit.sync=always")
        recording.begin()
        recording.all_answered(recording.writes(40, 4), 40)
        recording.server.call("stop")
        said, (points, _, states, failed) = recording.replay(SECONDS / 3, 8, reads=True)
        expect(not failed and "not seen" not in said, said)
        expect(points >= 5 and states >= 20, said)


@test
def a_server_that_never_syncs_is_found_to_lose_what_it_acknowledged():
    with Folder() as folder:
        recording = Recording(folder, "nosync", programs=os.path.join(BUILD, "nosync/bin"))
        recording.begin()
        operator = recording.operator()
        recording.objects()
        recording.all_answered(recording.writes(60, 4), 60)
        operator.add_drive()
        recording.server.call("stop")
        said, (_, _, states, failed) = recording.replay(SECONDS / 3, 8, "--failures", "12")
        lost = re.findall(r"volume \w+: 0 usage events, 1 to 1 are right|object object-\d+ is none, not.*|object-[a-z-]+ [0-9a-f-]{36}: 0 audit events", said)
        expect(failed and lost, f"nothing was lost in {states} states\n{said}")
        print(f"without syncs: {failed} of {states} states fail, such as: {lost[0]}")


if __name__ == "__main__":
    rig.adopt()
    sys.exit(main())
