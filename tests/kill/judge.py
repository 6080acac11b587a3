#!/usr/bin/env python3
"""What a server that was killed, or lost power, must still hold, judged by the list of those who were told.

The list is that of kxwriter.c (S, A, G, R, E: volumes) and of the operator's script:
  T volser, U volser alias       a stored key is about to be asked for (LTO); it was given
  O number kind key value verb   a change is about to be asked for (kind: drive, config, ring, cert; value "gone": removed)
  P number                       it was acknowledged
  N number                       it was refused
and of a KMIP client (tests/power/objects.py):
  K number name state verb       an object is about to be in a state; L number uid: it was acknowledged
What is there comes from checkstore (store and views, opened as the server does) and from the readers in tests/smf, which read journal,
text log and SMF data sets from their descriptions alone.

As a command it is the verify command of tests/power/replay.py: KLM_POWER_DIR is a copy of the server's folder, KLM_POWER_MARKS the list;
KLM_JUDGE_HOME the folder that the configuration names, KLM_CHECKSTORE the program, KLM_JUDGE_READS=1 when reads are on disk before their
answer (Audit.sync=always). With --serve it judges one state after the other (replay.py --serve).
"""
import collections
import glob
import json
import os
import re
import subprocess
import sys
import traceback
import xml.etree.ElementTree as xml

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "smf"))
import readjournal  # noqa: E402  (after its folder is in the path)
import smfseries  # noqa: E402

VERB, DRIVE, VOLSER, OBJECT = 1, 13, 15, 18
CONFIG = "etc/ISKLMConfig.properties.zos"
LOST_AUDIT = ("KLM0702", "KLM0707")
SHOWN = 20


class Told:
    """The list: who was told what."""

    def __init__(self, lines):
        self.sent, self.acked, self.refused = set(), {}, set()
        self.gets, self.got = collections.Counter(), collections.Counter()
        self.stored_sent, self.stored = set(), {}
        self.changes, self.done, self.not_done = {}, set(), set()
        self.order = []
        self.objects, self.objects_done = [], {}
        for line in lines:
            words = line.rstrip("\n").split(" ")
            getattr(self, "on_" + words[0])(*words[1:])

    def on_S(self, volser):
        self.sent.add(volser)

    def on_A(self, volser, _eedks, key_hash):
        self.acked[volser] = key_hash

    def on_G(self, volser):
        self.gets[volser] += 1

    def on_R(self, volser):
        self.got[volser] += 1

    def on_E(self, volser, *_why):
        self.refused.add(volser)

    def on_T(self, volser):
        self.stored_sent.add(volser)

    def on_U(self, volser, alias):
        self.stored[volser] = alias

    def on_O(self, number, kind, key, value, verb):
        self.changes[number] = (kind, key, value, verb)
        self.order.append(number)

    def on_P(self, number):
        self.done.add(number)

    def on_N(self, number):
        self.not_done.add(number)

    def on_K(self, number, name, state, verb):
        self.objects.append((number, name, state, verb))

    def on_L(self, number, uid):
        self.objects_done[number] = uid

    def legal(self):
        """For each thing the operator changed, the values it may have now: the last acknowledged one, and any asked for since."""
        values = {}
        for number in self.order:
            kind, key, value, _ = self.changes[number]
            if number in self.done:
                values[kind, key] = {value}
            elif number not in self.not_done:
                values.setdefault((kind, key), {None}).add(value)
        return values


class Found:
    """What is there: facts of checkstore, events of the journal, numbers of the text log."""

    def __init__(self, home, dump):
        self.usage, self.drives, self.rings, self.certs, self.tokens, self.other = [], {}, set(), {}, set(), []
        self.labels, self.groups, self.marks, self.objects = {}, {}, {}, {}
        for line in dump.splitlines():
            name, *words = line.split("\t")
            if name == "usage":
                self.usage.append((int(words[0]), words[1]))
                self.labels[words[1]] = words[3]
            elif name == "group":
                self.groups[words[0]] = (int(words[1]), int(words[2]))
            elif name == "mark":
                self.marks[words[0]] = words[1]
            elif name == "object":
                self.objects[words[1]] = (words[0], words[2], words[3])
            elif name == "drive":
                self.drives[words[0]] = words[2] or "-"
            elif name == "ring":
                self.rings.add(words[0] + "/" + words[1])
            elif name == "cert":
                self.certs[words[0] + "/" + words[1]] = words[2]
            elif name == "token":
                self.tokens.add(words[0])
            elif line != "outbox\t0":
                self.other.append(line)
        self.events, self.last = events_of(os.path.join(home, "log/journal"))
        self.config = properties(os.path.join(home, CONFIG))

    def value(self, kind, key):
        if kind == "drive":
            return self.drives.get(key, "gone")
        if kind == "config":
            return self.config.get(key, "gone")
        return "here" if key in (self.rings if kind == "ring" else self.certs) else "gone"


def events_of(folder):
    """How often each (verb, object) succeeded, and the last sequence number."""
    found, last = collections.Counter(), 0
    for number, _, event in readjournal.events(folder):
        last = number
        if event[2] == 0:
            fields = readjournal.fields(event)
            found[fields.get(VERB), fields.get(VOLSER) or fields.get(OBJECT) or fields.get(DRIVE)] += 1
    return found, last


def properties(path):
    with open(path, encoding="utf-8") as file:
        pairs = re.findall(r"^([A-Za-z][\w.]*)=(.*)$", file.read(), re.M)
    return {name: re.sub(r"\\(.)", r"\1", value) for name, value in pairs}


def volumes(told, found, reads, known=()):
    """Each write acknowledged is there exactly once, in usage and journal; others at most once, and in both or in neither."""
    usage = collections.Counter(volser for _, volser in found.usage)
    for volser in usage.keys() | told.sent:
        if volser in known or volser in told.stored_sent:
            continue
        times, events = usage[volser], found.events["key-create", volser]
        least = 1 if volser in told.acked else 0
        most = 1 if volser in told.sent and volser not in told.refused else 0
        if not least <= times <= most:
            yield f"volume {volser}: {times} usage events, {least} to {most} are right"
        if times != events:
            yield f"volume {volser}: {times} usage events but {events} audit events"
        gets = found.events["key-get", volser]
        if not (told.got[volser] if reads else 0) <= gets <= told.gets[volser]:
            yield f"volume {volser}: {gets} audit events of reads, {told.got[volser]} acknowledged, {told.gets[volser]} asked for"
    numbers = [number for number, _ in found.usage]
    if numbers != sorted(set(numbers)):
        yield "usage numbers are not in order"


def stored(told, found):
    """Each stored key that was given is marked for its volume and no other, beside one usage event and one audit event; groups agree with their runs."""
    usage = collections.Counter(volser for _, volser in found.usage)
    marked = collections.Counter(found.marks.values())
    for volser in told.stored_sent:
        times, events = usage[volser], found.events["stored-create", volser]
        if not (volser in told.stored) <= times <= 1 or times != events or times != marked[volser]:
            yield f"LTO volume {volser}: {times} usage events, {events} audit events, {marked[volser]} marks; given: {told.stored.get(volser)}"
        elif times and found.marks.get(found.labels[volser]) != volser:
            yield f"LTO volume {volser}: its key {found.labels[volser]} is marked for {found.marks.get(found.labels[volser])}"
        if volser in told.stored and found.labels.get(volser) != told.stored[volser]:
            yield f"LTO volume {volser}: its key is {found.labels.get(volser)}, and {told.stored[volser]} was given"
    for name, (keys, of_runs) in found.groups.items():
        if keys != of_runs:
            yield f"key group {name}: {keys} keys, {of_runs} in its runs"
    if told.stored and not found.groups:
        yield "the key group is lost"


GONE = ("Destroyed", "DestroyedCompromised")


def objects(told, found):
    """Each managed object is in the last acknowledged state or in one asked for since; of a change of several all or none happened; the key of what is destroyed is gone, of all
    else it is there; acknowledged changes have their events."""
    last, since = {}, {}
    for number, name, state, _ in told.objects:
        if number in told.objects_done:
            last[name] = state
        else:
            since.setdefault(number, {})[name] = state
    waiting = {name: state for states in since.values() for name, state in states.items()}
    for name in last.keys() | waiting.keys():
        uid, state, label = found.objects.get(name, (None, "none", None))
        if state not in (last.get(name, "none"), waiting.get(name)):
            yield f"object {name} is {state}, not {last.get(name)} or {waiting.get(name)}"
        if uid and (label in found.tokens) != (state not in GONE):
            yield f"object {name} is {state}, and its key is {'there' if label in found.tokens else 'not there'}"
    for states in since.values():
        if len({found.objects.get(name, (None, "none"))[1] == state for name, state in states.items()}) > 1:
            yield f"half of a change happened: {states}"
    for name in found.objects.keys() - last.keys() - waiting.keys():
        yield f"object {name} was never asked for"
    for verb, uid in {(verb, told.objects_done[number]) for number, _, _, verb in told.objects if number in told.objects_done}:
        if found.events[verb, uid] != 1:
            yield f"{verb} {uid}: {found.events[verb, uid]} audit events"


def changes(told, found):
    """Each change of the operator has the last acknowledged value, or one asked for since; its audit event is there exactly once."""
    for (kind, key), legal in told.legal().items():
        value = found.value(kind, key)
        if value not in legal and None not in legal:
            yield f"{kind} {key} is {value}, not {' or '.join(sorted(legal))}"
    asked, done = collections.Counter(), collections.Counter()
    for number, (kind, key, _, verb) in told.changes.items():
        name = (verb, key.split("/")[-1])
        asked[name] += number not in told.not_done
        done[name] += number in told.done
    for name, most in asked.items():
        if not done[name] <= found.events[name] <= most:
            yield f"{' '.join(name)}: {found.events[name]} audit events, {done[name]} acknowledged, {most} asked for"
    for label, token in found.certs.items():
        if token and token not in found.tokens:
            yield f"the private key {token} of {label} is lost"


def text_log(home, found):
    """The text log has each event of the journal once, in order, over all its files."""
    folder = os.path.join(home, "log/audit")
    expected = 1
    for (number,) in readjournal.text_records(folder, found.config["Audit.handler.file.name"]):
        if number != expected:
            yield f"text log: record {number} where {expected} belongs"
            return
        expected += 1
    if expected != found.last + 1:
        yield f"text log ends with record {expected - 1}, the journal with {found.last}"


def smf(home, _found):
    """The SMF data sets have each event of the journal once, in order, in an unbroken chain over all of them."""
    yield from smfseries.problems(os.path.join(home, "log/smf"), os.path.join(home, "log/journal"))[0]


def views(home, found):
    """The files made of the store are whole and say what it says; none had to be set aside."""
    for folder, _, names in os.walk(home):
        for name in names:
            if "damaged" in name:
                yield f"{os.path.join(folder, name)} was set aside"
    path = found.config["Audit.metadata.file.name"]
    current = [event.findtext("volSer") for event in xml.parse(path).getroot().iter("KeyUsageEvent")]
    stored = [volser for _, volser in found.usage]
    if current != stored[len(stored) - len(current):] or (stored and not current):
        yield "SKLMData.xml does not end as the store does"
    with open(properties(os.path.join(home, CONFIG))["config.drivetable.file.url"][len("FILE:"):], encoding="utf-8") as file:
        listed = {line.split()[0] for line in file.read().split("\n")[4:] if line and line[0] not in "#e"}
    if listed != found.drives.keys():
        yield f"filedrive.table lists {sorted(listed)}, the store {sorted(found.drives)}"


def open_and_judge(home, told, checkstore, reads, known=()):
    """Problems as texts, and what was found. The folder is opened, recovered and closed by that."""
    done = subprocess.run([checkstore, os.path.join(home, CONFIG)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                          errors="replace", check=False, stdin=subprocess.DEVNULL, env=dict(os.environ, LC_ALL="C.UTF-8"))
    if done.returncode:
        return [f"does not open, status {done.returncode}: {done.stderr}"], None
    problems = [line for line in done.stderr.splitlines() if any(word in line for word in LOST_AUDIT)]
    try:
        found = Found(home, done.stdout)
        problems += found.other
        for check in (objects(told, found), volumes(told, found, reads, known), stored(told, found), changes(told, found), text_log(home, found), smf(home, found),
                      views(home, found)):
            problems += check
    except (readjournal.Bad, OSError, xml.ParseError, KeyError) as error:
        return problems + [f"{type(error).__name__}: {error}"], None
    return problems, found


def relocate(home, old):
    """A copy of a server's folder names itself in its configuration, and not the one it was copied from."""
    path = os.path.join(home, CONFIG)
    with open(path, encoding="utf-8") as file:
        text = file.read()
    with open(path, "w", encoding="utf-8") as file:
        file.write(text.replace(old, home))


def keep_inode(home, inodes):
    """The cursors of text log and SMF data sets know their files by inode numbers, which the copy has not kept."""
    with open(inodes, encoding="utf-8") as file:
        paths = dict(line.rstrip("\n").split(" ", 1) for line in file)
    for cursor in glob.glob(os.path.join(home, "log/audit/*.cursor")):
        with open(cursor, encoding="utf-8") as file:
            text = file.read()
        said = re.search(r"^file=(\d+)$", text, re.M)
        if said:
            path = os.path.join(home, paths.get(said.group(1), ""))
            now = os.stat(path).st_ino if path == cursor[:-len(".cursor")] else 1
            rewrite(cursor, text[:said.start(1)] + str(now) + text[said.end(1):])
    for cursor in glob.glob(os.path.join(home, "log/smf/smf.cursor")):
        with open(cursor, encoding="utf-8") as file:
            text = file.read()
        said = re.search(r"^file=(\d+)$", text, re.M)
        if said:
            path = os.path.join(home, paths.get(said.group(1), ""))
            now = os.stat(path).st_ino if os.path.isfile(path) else 1
            rewrite(cursor, text[:said.start(1)] + str(now) + text[said.end(1):])


def rewrite(path, text):
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)


def judge(env):
    """Problems of one state, as texts."""
    home = env["KLM_POWER_DIR"]
    with open(env["KLM_POWER_MARKS"], encoding="utf-8") as file:
        told = Told(file)
    relocate(home, env["KLM_JUDGE_HOME"])
    keep_inode(home, env["KLM_POWER_INODES"])
    known = set(env.get("KLM_JUDGE_KNOWN", "").split())
    return open_and_judge(home, told, env["KLM_CHECKSTORE"], env.get("KLM_JUDGE_READS") == "1", known)[0][:SHOWN]


def serve():
    """One state after the other: a line names its variables, a line answers. Most of the time of a judge of one state is its start."""
    for line in sys.stdin:
        try:
            problems = judge({**os.environ, **json.loads(line)})
        except Exception:  # of this state; the next one may be better
            problems = traceback.format_exc().splitlines()
        print(json.dumps([1 if problems else 0, "\n".join(problems)]), flush=True)


def main():
    if sys.argv[1:] == ["--serve"]:
        serve()
        return 0
    problems = judge(os.environ)
    print("\n".join(problems))
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
