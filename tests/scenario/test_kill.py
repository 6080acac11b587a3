#!/usr/bin/env python3
# time-limit: 240
"""kill -9 under load, again and again: what was acknowledged can be read, and usage, journal and text log hold it exactly once.

KILLS (default 20; `make kill`: 1000) and KILL_SEED (default: the clock) choose how often and when.
"""
import os
import random
import sys
import time

from scenario import SOURCE, Folder, expect, main, run, test

sys.path.insert(0, os.path.join(SOURCE, "tests/kill"))
import changes  # noqa: E402  (after its folder is in the path)
import judge  # noqa: E402
import rig  # noqa: E402

KILLS = int(os.environ.get("KILLS", "20"))
SEED = int(os.environ.get("KILL_SEED", time.time_ns() // 1000 % 1000000))
BUSY = KILLS * 4 // 5  # at least so many kills with requests in flight
SESSIONS = 8
OPENING_KILLS = 10  # of so many kills one comes at any time after the drive began to open its sessions
START_KILLS = 5  # of so many restarts one is killed before it serves
ROUND = 250000  # bytes that the list may grow by before a kill: some two hundred writes, however quick the machine is


def in_flight(lines):
    """Requests that were sent and not answered."""
    asked = sum(line[0] in "SG" for line in lines)
    return asked - sum(line[0] in "ARE" for line in lines)


class Run:
    def __init__(self, folder):
        self.dice = random.Random(SEED)
        self.server = rig.Server(os.path.join(folder, "home"))
        self.server.call("start", *rig.SMALL)
        self.notes = rig.Notes(os.path.join(folder, "list"))
        self.operator = changes.Operator(self.server.programs, self.server.env, self.dice, self.notes.note)
        self.busy = self.waiting = self.in_start = self.kills = 0

    def load(self, number):
        """One round: load, kill, start again; requests in flight at the kill."""
        before = os.path.getsize(self.notes.path)
        writer = self.server.writer("load", "--sessions", str(SESSIONS), "--reads", "5", "--first", str(number * 100000),
                                    "--list", self.notes.path)
        self.operator.start()
        if number % OPENING_KILLS:
            self.grown_to(before + self.dice.randint(1000, ROUND))
            time.sleep(self.dice.uniform(0, 0.01))
        else:
            time.sleep(self.dice.uniform(0.02, 0.2) * rig.SLOW)
        self.server.kill()
        said, _ = writer.communicate(timeout=120 * rig.SLOW)
        self.operator.stop()
        expect(writer.returncode == 0 and "wrong 0" in said, said)
        with open(self.notes.path, encoding="utf-8") as file:
            file.seek(before)
            waiting = in_flight(list(file))
        self.busy += waiting > 0
        self.waiting += waiting

    def grown_to(self, size):
        """Wait for so much work of the drive, not for a time: the machine may be as slow or as quick as it likes."""
        deadline = time.monotonic() + 20 * rig.SLOW
        while os.path.getsize(self.notes.path) < size and time.monotonic() < deadline:
            time.sleep(0.001)

    def go(self):
        number = 0
        # A kill counts as one in mid-work when requests were in flight; where the machine is busy it takes more of them.
        while number < KILLS or (self.busy < BUSY and number < 2 * KILLS):
            self.load(number)
            if number % START_KILLS == 0:
                self.server.kill_in_start(self.dice.uniform(0, 0.15) * rig.SLOW)
                self.in_start += 1
            self.server.call("run")
            number += 1
        self.kills = number

    def summary(self, told, found):
        there = {volser for _, volser in found.usage}
        print(f"seed {SEED}: {self.kills} kills under load of {SESSIONS} sessions, {self.busy} with requests in flight ({self.waiting} in all); "
              f"{self.in_start} kills while starting")
        print(f"acknowledged: {len(told.acked)} writes, {sum(told.got.values())} reads, {len(told.done)} changes of the operator; "
              f"not acknowledged: {len(told.sent) - len(told.acked)} writes, of which {len(there - told.acked.keys())} are there; "
              f"journal {found.last} records")


@test
def every_acknowledged_write_survives_kills_exactly_once():
    print(f"seed {SEED}", flush=True)
    with Folder() as folder:
        one = Run(folder)
        try:
            one.go()
        finally:
            one.server.call("stop")
        told = judge.Told(one.notes.read())
        problems, found = judge.open_and_judge(one.server.home, told, rig.CHECKSTORE, reads=True)
        expect(not problems, f"seed {SEED}: {len(problems)} problems\n" + "\n".join(problems[:judge.SHOWN]))
        one.summary(told, found)
        expect(one.busy >= BUSY, f"only {one.busy} kills had requests in flight")
        run(os.path.join(one.server.programs, "klmsrv"), "--verify", one.server.env["KLM_CONFIG"])
        one.server.call("run")
        try:
            with open(one.notes.path, encoding="utf-8") as file:
                reader = one.server.writer("check", stdin=file)
                said, _ = reader.communicate(timeout=200 * rig.SLOW)
        finally:
            one.server.call("stop")
        one.notes.close()
        expect(reader.returncode == 0 and f"read {len(told.acked)} wrong 0" in said, said)
        expect(len(told.acked) > KILLS, f"only {len(told.acked)} writes were acknowledged")


if __name__ == "__main__":
    rig.adopt()
    sys.exit(main())
