#!/usr/bin/env python3
"""smfdump and smf2log as an operator and an auditor use them: control statements, outputs, clearing, damaged data sets, the chain. The data sets
are made by smfmake.py from the description of the records, with OpenSSL's command line for signatures."""
import csv
import datetime
import fcntl
import json
import os
import re
import subprocess
import sys
import time

from keyserver import BIN, read, wait_until, write
from scenario import SLOW, SOURCE, Folder, expect, main, run, test
from smfmake import Chain, fingerprint, foreign, make_key, rdw, vb, vbs

sys.path.insert(0, f"{SOURCE}/tests/smf")
import readjournal  # noqa: E402  (after its folder is in the path)

WHEN = datetime.datetime(2026, 11, 21, 23, 0, 0)


def tool(name, *words, status=0, **named):
    return run(os.path.join(BIN, name), *words, status=status, **named)


def dump(*words, status=0, **named):
    return tool("smfdump", *words, status=status, **named)


def data(path):
    with open(path, "rb") as file:
        return file.read()


class Sample:
    """Records of one server between others, and the text they hold."""

    def __init__(self, folder, events=30):
        self.folder, self.chain, self.ours, self.text = folder, Chain(), [], ""
        self.key, self.certificate = make_key(folder, "signer")
        for i in range(events):
            records, text = self.chain.event(verb="key-get" if i % 2 else "key-create", user="000007888422", user_kind="drive", drive="000007888422",
                                             volser=f"VOL{i % 4:03d}", labels=("LABEL1", "LABEL2"), seconds=60, skip=3 if i == 9 else 0,
                                             parts=3 if i % 10 == 5 else 1, address="10.1.1.1")
            self.ours += records
            self.text += text
            if i == events // 2:
                self.ours.append(self.chain.checkpoint(self.key, self.certificate))
        self.others = [foreign(30, WHEN, subtype=4), foreign(80, WHEN), foreign(83, WHEN, "Z2", subtype=1), foreign(83, WHEN, subtype=4, length=3000)]
        self.all = self.others[:2] + self.ours[:7] + self.others[2:] + self.ours[7:]

    def file(self, name, content=None):
        path = f"{self.folder}/{name}"
        write(path, b"".join(self.all) if content is None else b"".join(content) if isinstance(content, list) else content)
        return path


@test
def control_statements_do_what_ifasmfdp_does():
    with Folder() as folder:
        sample = Sample(folder)
        path = sample.file("in")
        statements = ("  INDD(DUMPIN,OPTIONS(DUMP))\n  OUTDD(KEYS,TYPE(83(6)))  /* ours */\n  OUTDD(REST,\n    NOTYPE(83(6)))\n"
                      "  OUTDD(BOTH,TYPE(30,80))\n  ABEND(NORETRY)\n")
        write(f"{folder}/sysin", statements)
        said = dump("--sysin", f"{folder}/sysin", "--dd", f"DUMPIN={path}", "--dd", f"KEYS={folder}/keys", "--dd", f"rest={folder}/rest",
                    env={**os.environ, "DD_BOTH": f"{folder}/both"})
        expect(data(f"{folder}/keys") == b"".join(sample.ours), said)
        expect(data(f"{folder}/rest") == b"".join(sample.others), said)
        expect(data(f"{folder}/both") == b"".join(sample.others[:2]), said)
        expect(re.search(rf"83\(6\) +{len(sample.ours)} .* {len(sample.ours)}  2026-11-22", said), said)
        expect(re.search(r"TOTAL +%d " % len(sample.all), said) and "DAMAGED PLACES 0" in said, said)
        # The same from standard input.
        done = subprocess.run([f"{BIN}/smfdump", "-s", "-", "-d", f"DUMPIN={path}", "-d", f"DUMPOUT={folder}/again"], input="OUTDD(DUMPOUT,TYPE(83(6)))",
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
        expect(done.returncode == 0 and data(f"{folder}/again") == b"".join(sample.ours), done.stdout)


@test
def selection_by_time_and_system():
    with Folder() as folder:
        sample = Sample(folder)
        path = sample.file("in")
        for words, wanted in ((("--from", "2026-11-22", "-t", "83(6)"), sample.ours), (("--to", "2026-11-21"), sample.others),
                              (("--from", "2026326T01:05", "--to", "2026-11-22T01:06", "-t", "83"), sample.ours[2:4]),
                              (("--start", "2300", "--end", "2301"), sample.others), (("--sid", "Z2"), sample.others[2:3]),
                              (("--sid", "Z2,XX", "--notype", "83(1)"), [])):
            dump(*words, "-r", "-o", f"{folder}/out", path)
            expect(data(f"{folder}/out") == b"".join(wanted), f"{words}: {len(data(folder + '/out'))} bytes")


@test
def blocked_and_spanned_data_sets_are_read_and_written():
    with Folder() as folder:
        sample = Sample(folder)
        flat = b"".join(sample.all)
        for name, content in (("rdw", flat), ("vb", vb(sample.all)), ("vb4", vb(sample.all, 4096)), ("vbs", vbs(sample.all)), ("vbs2", vbs(sample.all, 120))):
            dump("-o", f"{folder}/out-{name}", sample.file(name, content))
            expect(data(f"{folder}/out-{name}") == flat, name)
        path = sample.file("in")
        dump("-F", "vb", "--block", "4096", "-o", f"{folder}/as-vb", path)
        expect(data(f"{folder}/as-vb") == vb(sample.all, 4096), "written VB is as made by hand")
        dump("-F", "vbs", "--block", "600", "-o", f"{folder}/as-vbs", path)
        expect(data(f"{folder}/as-vbs") != flat, "VBS has blocks")
        dump("-o", f"{folder}/back", f"{folder}/as-vbs")
        expect(data(f"{folder}/back") == flat, "and back")
        expect("KLM0798E" in dump("-F", "vb", "--block", "1024", "-o", f"{folder}/long", path, status=1), "a record longer than a block")
        expect(not os.path.exists(f"{folder}/long"), "nothing is left")


@test
def several_inputs_go_into_one_output():
    with Folder() as folder:
        sample = Sample(folder)
        one, two = sample.file("1", sample.all[:20]), sample.file("2", sample.all[20:])
        dump("-o", f"{folder}/out", one, two)
        expect(data(f"{folder}/out") == b"".join(sample.all), "in their order")


@test
def an_output_that_exists_is_not_touched():
    with Folder() as folder:
        sample = Sample(folder)
        path = sample.file("in")
        write(f"{folder}/out", "dear")
        expect("KLM0790E" in dump("-o", f"{folder}/out", path, status=1), "said")
        expect(read(f"{folder}/out") == "dear" and len(os.listdir(folder)) == 4, os.listdir(folder))
        dump("-r", "-o", f"{folder}/out", path)
        expect(data(f"{folder}/out") == data(path), "replaced")
        expect("KLM0791E" in dump("-r", "-o", path, path, status=1), "input is output")
        expect(data(path) == b"".join(sample.all), "the input stands")


@test
def clearing_comes_after_everything_is_written():
    with Folder() as folder:
        sample = Sample(folder)
        path = sample.file("in")
        write(f"{folder}/sysin", "INDD(DUMPIN,OPTIONS(ALL)) OUTDD(DUMPOUT,TYPE(0:255))")
        words = ("-s", f"{folder}/sysin", "-d", f"DUMPIN={path}", "-d", f"DUMPOUT={folder}/out")
        with open(path, "rb") as active:  # as the task does
            fcntl.flock(active, fcntl.LOCK_EX)
            expect("KLM0792E" in dump(*words, status=1), "refused")
            expect(os.path.getsize(path) and not os.path.exists(f"{folder}/out"), "nothing was done")
        write(f"{folder}/out", "in the way")
        dump(*words, status=1)
        expect(os.path.getsize(path), "not cleared when the output could not be made")
        os.remove(f"{folder}/out")
        said = dump(*words)
        expect(os.path.getsize(path) == 0 and "CLEARED" in said and data(f"{folder}/out") == b"".join(sample.all), said)
        write(f"{folder}/sysin", "INDD(DUMPIN,OPTIONS(CLEAR))")
        sample.file("in")
        dump("-s", f"{folder}/sysin", "-d", f"DUMPIN={path}")
        expect(os.path.getsize(path) == 0, "cleared without a dump")


@test
def an_input_that_is_cut_while_it_is_read_ends_the_program_with_a_message():
    with Folder() as folder:
        sample = Sample(folder)
        content = b"".join(sample.all)
        for turn in range(20):
            path = sample.file("in", content * ((96 << 20) // len(content)))
            reader = subprocess.Popen([os.path.join(BIN, "smfdump"), "--format", "json", "-o", f"{folder}/out{turn}", path], stdin=subprocess.DEVNULL,
                                      stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
            while reader.poll() is None and path not in read(f"/proc/{reader.pid}/maps"):
                time.sleep(0.001)
            time.sleep(0.003 * turn)  # a part of it is read
            os.truncate(path, 0)
            said = reader.communicate(timeout=120 * SLOW)[1]
            if "KLM0733E" in said:
                expect(reader.returncode == 1 and not os.path.exists(f"{folder}/out{turn}"), f"{reader.returncode}: {said}")
                return
            expect(reader.returncode in (0, 1), f"{reader.returncode}: {said}")  # it was not reading yet
        raise AssertionError("never cut in the middle")


@test
def a_damaged_data_set_is_dumped_around_the_damage_and_not_cleared():
    with Folder() as folder:
        sample = Sample(folder)
        content = bytearray(b"".join(sample.all))
        at = len(b"".join(sample.all[:12]))
        content[at:at + 4] = b"\0\1\0\0"
        path = sample.file("in", bytes(content) + b"\x12\x34\0\0cut")
        write(f"{folder}/sysin", "INDD(DUMPIN,OPTIONS(ALL))")
        said = dump("-s", f"{folder}/sysin", "-d", f"DUMPIN={path}", "-d", f"DUMPOUT={folder}/out", status=1)
        expect(f"record 13 at offset {at} is damaged" in said and "KLM0793E" in said, said)
        expect(data(f"{folder}/out") == b"".join(sample.all[:12] + sample.all[13:]), said)
        expect(os.path.getsize(path), "not cleared")
        expect("KLM0795E" in dump("-r", "-o", f"{folder}/out", path, status=1), "counted")
        dump("--tolerate", "-r", "-o", f"{folder}/out", path)


@test
def an_unfinished_record_of_the_active_data_set_is_no_damage():
    with Folder() as folder:
        sample = Sample(folder)
        path = sample.file("in", b"".join(sample.ours) + sample.ours[0][:50])
        with open(path, "rb") as active:
            fcntl.flock(active, fcntl.LOCK_EX)
            expect("ACTIVE" in dump("-o", f"{folder}/out", path), "said")
            expect(data(f"{folder}/out") == b"".join(sample.ours), "the rest is there")
            expect("just writing" in dump("--verify", path), "verify")
        dump("-r", "-o", f"{folder}/out", path, status=1)


@test
def events_as_json_csv_and_flat_text():
    with Folder() as folder:
        sample = Sample(folder, 5)
        records, _ = sample.chain.event(kind="configuration_management", verb="config-set", user="=1+1", object="a,\"b\"", old="über", new="Ω", failed=True)
        path = sample.file("in", sample.ours + records + [foreign(80, WHEN)])
        lines = [json.loads(line) for line in dump("-F", "json", "--sysprint", "/dev/null", path).splitlines()]
        expect(len(lines) == 7, str(lines))
        expect([line["sequence"] for line in lines if line["kind"] != "checkpoint"] == [1, 2, 3, 4, 5, 6], str(lines))
        expect(lines[0]["volser"] == "VOL000" and lines[0]["alias2"] == "LABEL2" and lines[0]["time_utc"] == "2026-11-22T01:03:03.040000Z", str(lines[0]))
        expect(lines[0]["previous_hash"] == "0" * 64 and lines[0]["outcome"] == "success" and lines[0]["system"] == "Z1", str(lines[0]))
        expect(lines[-1]["new"] == "Ω" and lines[-1]["old"] == "über" and lines[-1]["user"] == "=1+1" and lines[-1]["outcome"] == "failure", str(lines[-1]))
        mark = next(line for line in lines if line["kind"] == "checkpoint")
        expect(mark["object"] == fingerprint(sample.certificate).hex() and mark["checkpoint_records"] == 3, str(mark))
        dump("-F", "csv", "-o", f"{folder}/csv", path)
        with open(f"{folder}/csv", encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file, strict=True))
        expect(len(rows) == 7 and rows[-1]["user"] == "'=1+1" and rows[-1]["object"] == 'a,"b"' and rows[-1]["old"] == "über", str(rows[-1]))
        dump("-F", "text", "-o", f"{folder}/text", path)
        flat = read(f"{folder}/text").splitlines()
        expect(len(flat) == 7 and len({len(line) for line in flat}) == 1, "fixed columns")
        expect(flat[0].startswith("key management") and "01:03:03 2026-11-22 Z1" in flat[0], flat[0][:120])
        # What IFASMFDP would do with the exit.
        write(f"{folder}/sysin", "INDD(DUMPIN,OPTIONS(DUMP)) OUTDD(DUMPOUT,TYPE(80))\nUSER2(IRRADU00) USER3(IRRADU86)\n")
        dump("-s", f"{folder}/sysin", "-d", f"DUMPIN={path}", "-d", f"DUMPOUT={folder}/80", "-d", f"OUTDD={folder}/unloaded", "-d", f"ADUPRINT={folder}/adu")
        expect(read(f"{folder}/unloaded") == read(f"{folder}/text") and "OUTPUT OUTDD" in read(f"{folder}/adu"), "unloaded")


@test
def one_record_is_printed_field_by_field():
    with Folder() as folder:
        sample = Sample(folder, 3)
        path = sample.file("in")
        said = dump("--print", "3", path)
        for pattern in (r"^ +6 +SMF83TME +[0-9A-F]{8} +01:03:03\.04", r"^ +10 +SMF83DTE +0126326F +2026, day 326", r"SMF83PNM +\S+ +\"KLMSRV  \"",
                        r"SMF83EVT +04 +4 key management", r"106 VOLSER +E5D6D3F0F0F0 +\"VOL000\"", r"115 SEQUENCE +0000000000000001 +1\b", r"111 LABEL"):
            expect(re.search(pattern, said, re.M), f"{pattern}\n{said}")
        expect("SMF83RTY" in dump("--print", "1", path), "another type")
        expect("KLM0799E" in dump("--print", "99", path, status=1), "there is none")
        dump("--print", "0", path, status=1)


@test
def smf2log_gives_back_the_text():
    with Folder() as folder:
        sample = Sample(folder)
        log = f"{folder}/log"
        said = tool("smf2log", "-o", log, sample.file("in"))
        expect(read(log) == sample.text and "1 checkpoints, 4 other records" in said, said)
        tool("smf2log", "--dd", f"SMFIN={sample.file('1', sample.ours[:8])}", "--dd", f"SMFIN={sample.file('2', vbs(sample.ours[8:]))}", "--dd", f"LOGOUT={log}2")
        expect(read(log + "2") == sample.text, "in two data sets, an event in both")
        # A part that is missing: its event is left out and said.
        parts = [i for i in range(len(sample.ours)) if b"\x00\x74\x00\x04\x00\x02\x00\x03" in sample.ours[i]]
        said = tool("smf2log", "-o", log + "3", sample.file("3", sample.ours[:parts[0]] + sample.ours[parts[0] + 1:]), status=1)
        expect("KLM0797W" in said and len(read(log + "3")) < len(sample.text), said)
        tool("smf2log", status=2)
        expect("KLM0790E" in tool("smf2log", "-o", log, sample.file("in"), status=1), "not over what is there")


@test
def a_good_series_verifies_with_the_certificate_alone():
    with Folder() as folder:
        sample = Sample(folder)
        other, wrong = make_key(folder, "other")
        rsa_key, rsa = make_key(folder, "rsa", "RSA")
        sample.ours.append(sample.chain.checkpoint(rsa_key, rsa, "RSA-PSS-SHA256"))
        sample.ours += sample.chain.event(verb="x")[0]
        paths = [sample.file("3", sample.ours[25:]), sample.file("1", sample.ours[:9]), sample.file("2", vb(sample.ours[9:25]))]
        said = dump("--verify", "--from-start", "-c", sample.certificate, "-c", rsa, *paths)
        expect("VERIFIED" in said and "2 signatures are good" in said and "1 records stand behind the last checkpoint" in said, said)
        expect("3 numbers are not there: left out by configuration" in said and "begins with the first record" in said, said)
        expect("not checked" in dump("--verify", *paths), "chain only, and said so")
        expect("another key" in dump("--verify", "-c", wrong, *paths, status=1), "the wrong certificate")
        expect("KLM0731E" in dump("--verify", "-c", other, *paths, status=1), "a key is no certificate")
        expect("begins later" in dump("--verify", *paths[::2]), "a series that begins later")
        dump("--verify", "--from-start", *paths[::2], status=1)


@test
def what_was_done_to_a_chain_is_named():
    with Folder() as folder:
        sample = Sample(folder)
        ours = sample.ours

        def verify(records, pattern):
            said = dump("--verify", "-c", sample.certificate, sample.file("bad", records), status=1)
            expect(re.search(pattern, said) and "NOT VERIFIED" in said, f"{pattern}\n{said}")

        changed = ours[10][:-3] + bytes([ours[10][-3] ^ 1]) + ours[10][-2:]
        verify(ours[:10] + [changed] + ours[11:], rf"record 11 at offset {len(b''.join(ours[:10]))}, sequence \d+: it was altered")
        verify(ours[:10] + ours[12:], r"record 11 at offset \d+, sequence \d+: records before it are missing")
        verify(ours[:10] + [ours[9]] + ours[10:], r"record 11 .* it is there twice")
        verify(ours[:10] + [ours[11], ours[10]] + ours[12:], r"record 12 .* it stands too late: it belongs before record 11")
        verify([b"".join(ours)[:-20]], rf"record {len(ours)} .* ends in the middle")
        # Made anew with another key from some record on: only the signature tells.
        key, _ = make_key(folder, "forger")
        forged, records = Chain(), []
        for _ in range(5):
            records += forged.event(verb="nothing happened")[0]
        records.append(forged.checkpoint(key, sample.certificate))
        verify(records, r"record 6 .* signature is not of this chain")
        expect("VERIFIED" in dump("--verify", sample.file("bad", records)), "the chain itself holds")


@test
def two_servers_have_chains_of_their_own():
    with Folder() as folder:
        a, b, records = Chain("KLM1"), Chain("KLM2", "Z2"), []
        for _ in range(10):
            records += a.event(verb="x")[0] + b.event(verb="y", skip=1)[0]
        path = f"{folder}/in"
        write(path, b"".join(records))
        said = dump("--verify", path)
        expect("KLM1: 1 data sets, 10 records" in said and "KLM2: 1 data sets, 10 records" in said, said)
        write(path, b"".join(records[:4] + records[5:]))
        said = dump("--verify", path, status=1)
        expect("sequence 4: records before it are missing, sequence 3 to 3" in said and "KLM2: 1 data sets, 10 records" in said, said)


@test
def wrong_use_is_said_and_exits_2():
    with Folder() as folder:
        path = Sample(folder, 1).file("in")
        for words in ((), ("--format", "xml", path), ("--block", "100", path), ("--verify", "--print", "1", path), ("--banana",), ("-t", "1", "-n", "2", path),
                      ("-t", "300", "-o", f"{folder}/x", path), ("--from", "yesterday", "-o", f"{folder}/x", path), ("--dd", "NOEQUALS", path)):
            expect(len(dump(*words, status=2)) > 10, str(words))
        write(f"{folder}/sysin", "\nOUTDD(A,TYPE(83)\n")
        expect("KLM0785E" in dump("-s", f"{folder}/sysin", "-o", f"{folder}/x", path, status=2), "line")
        expect("KLM0787E" in dump("-s", "/dev/null", "-d", "X=y", "-o", f"{folder}/x", status=1), "no DUMPIN")
        expect("KLM0740E" in dump("-o", f"{folder}/x", f"{folder}/none", status=1), "no such file")
        expect(not os.path.exists(f"{folder}/x"), "nothing was made")


@test
def rubbish_never_crashes():
    with Folder() as folder:
        sample = Sample(folder, 8)
        good = b"".join(sample.all)
        inputs = [b"", b"\0", b"\xff" * 5000, bytes(range(256)) * 40, os.urandom(20000), good[:-1], good[1:], b"".join(r[4:] for r in sample.all),
                  rdw(b"\x5e\x53" + b"\0" * 12), good.replace(b"\x00\x6a", b"\xff\xff")]
        inputs += [bytes(b ^ (0xFF if i % 97 == k else 0) for i, b in enumerate(good)) for k in range(6)]
        for i, content in enumerate(inputs):
            path = sample.file("rubbish", content)
            for words in (("-F", "json"), ("-F", "vbs"), ("-F", "text"), ("--verify",), ("--print", "2"), ("--text",)):
                done = subprocess.run([f"{BIN}/smfdump", *words, path], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, check=False)
                expect(done.returncode in (0, 1), f"input {i} {words}: {done.returncode} {done.stderr[-600:]}")
            done = subprocess.run([f"{BIN}/smf2log", path], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, check=False)
            expect(done.returncode in (0, 1), f"input {i} smf2log: {done.returncode} {done.stderr[-600:]}")


# ---- With a real server


class Running:
    """A server of tools/testserver that has something to tell."""

    def __init__(self, folder, *properties):
        self.home = f"{folder}/server"
        self.env = dict(os.environ, KLM_BIN=BIN, PATH=f"{BIN}:{os.environ['PATH']}")
        self.testserver("start", *properties)
        for line in read(f"{self.home}/env").splitlines():
            name, value = line.removeprefix("export ").split("=", 1)
            self.env[name] = value.strip("'")
        self.smf = os.path.dirname(self.env["KLM_SMF_DATASET"])

    def testserver(self, verb, *words):
        run(f"{SOURCE}/tools/testserver", verb, self.home, *words, env=self.env)

    def work(self):
        run("iosdrive", "write", "-v", "AUD001", "--kl1", "Tape_Sol_Tst_Shr_Pvt_2048_Lbl_20", f"{self.home}/AUD001.aws", "/etc/os-release", env=self.env)
        run("oper", "F ISKLM,APPL='modconfig -set -property drive.pending.max -value 50'", env=self.env)
        run("oper", "F ISKLM,APPL='deletedrive -drivename 000000000042'", env=self.env, status=1)

    def caught_up(self):
        """All events of the journal are in the data sets and the text log: what was done before this is."""
        last = max(number for number, _, _ in readjournal.events(f"{self.home}/log/journal"))
        for sink in ("Audit to SMF", "Audit log"):
            wait_until(f"{sink} to be at {last}", 10, lambda sink=sink: int(re.search(rf"(?m)^{sink} +at (\d+)", run("oper", "status", env=self.env))[1]) >= last)

    def data_sets(self):
        return sorted(f"{self.smf}/{name}" for name in os.listdir(self.smf) if ".MAN" in name)


@test
def the_text_log_of_a_server_comes_back_byte_for_byte():
    with Folder() as folder:
        for form in ("RDW", "VBS", "VB"):
            server = Running(f"{folder}/{form}", "Audit.checkpoint.records=5", f"Audit.smf.format={form}")
            server.work()
            run("oper", "I SMF", env=server.env)
            active = run(f"{BIN}/smfdump", "--verify", *server.data_sets(), env=server.env)
            expect("VERIFIED" in active, active)
            run("oper", "RACDCERT ID(TAPEKMS) EXPORT(LABEL('ISKLM_Server')) DSN('AUDIT.CERT') FORMAT(CERTB64)", env=server.env)
            server.testserver("stop")
            log, certificate, signs = f"{folder}/{form}.log", f"{server.home}/files/AUDIT.CERT", server.env["KLM_AUDIT_LOG"] + ".checkpoints"
            tool("smf2log", "-o", log, *server.data_sets())
            expect(data(log) == data(server.env["KLM_AUDIT_LOG"]) and os.path.getsize(log) > 5000, form)
            said = dump("--verify", "--from-start", "--certificate", certificate, log, signs)
            expect("VERIFIED" in said and "signatures are good" in said and "nothing stands behind" in said, said)
            readjournal = (sys.executable, f"{SOURCE}/tests/smf/readjournal.py", "signed", os.path.dirname(signs), os.path.basename(server.env["KLM_AUDIT_LOG"]))
            expect(len(run(*readjournal, certificate).split()) > 2, "checkpoints by count")
            write(log, data(log).replace(b"[result=successful]", b"[result=unsuccessful]", 1))
            said = dump("--verify", "--certificate", certificate, log, signs, status=1)
            expect("KLM0730E" in said and "it was altered" in said and "NOT VERIFIED" in said, said)


@test
def the_commands_of_the_auditors_page_work_as_written():
    with Folder() as folder:
        server = Running(folder, "Audit.checkpoint.records=10")
        try:
            server.work()
            text = read(f"{SOURCE}/docs/auditors.md")
            script = "\n".join(line[4:] for line in text.splitlines() if line.startswith("    "))
            expect(script.count("smfdump") >= 9 and "smf2log" in script, script)
            for path, here in (("/var/log/isklm/smf", server.smf), ("/var/log/isklm/audit", os.path.dirname(server.env["KLM_AUDIT_LOG"])), ("/etc/isklm/files", f"{server.home}/files"), ("/srv/audit", f"{folder}/audit")):
                script = script.replace(path, here)
            write(f"{folder}/script", "set -e\n" + script)
            server.caught_up()
            said = run("bash", f"{folder}/script", env=server.env)
            expect("\nVERIFIED" in said and "signatures are good" in said and "KLM0204E" in said and "SMF83RTY" in said, said)
            log, whole = read(f"{folder}/audit/day.log"), read(server.env["KLM_AUDIT_LOG"])
            expect(len(log) > 3000 and whole.startswith(log), "the log of the dump is the beginning of the server's")
            made = set(os.listdir(f"{folder}/audit"))
            expect(made >= {"day.smf", "report.html", "part.html", "day.json", "day.csv", "day.txt", "day.log"}, str(made))
        finally:
            server.testserver("stop")


@test
def sample_jobs_name_what_the_programs_know():
    for name in ("SMFDUMP", "SMF2LOG"):
        text = read(f"{SOURCE}/jcl-samples/{name}.JCL")
        expect(all(len(line) <= 72 for line in text.splitlines()) and f"PGM={name}" in text, name)
    text = read(f"{SOURCE}/jcl-samples/SMFDUMP.JCL")
    statements = text[text.index("SYSIN    DD   *\n") + 16:text.index("\n/*\n")]
    with Folder() as folder:
        sample = Sample(folder)
        write(f"{folder}/sysin", statements)
        dump("-s", f"{folder}/sysin", "-d", f"MAN1={sample.file('1', sample.all[:20])}", "-d", f"MAN2={sample.file('2', sample.all[20:])}", "-d", f"DUMPOUT={folder}/out")
        expect(data(f"{folder}/out") == b"".join(sample.ours) and os.path.getsize(f"{folder}/1") == 0, "the statements of the sample")
        expect("VERIFIED" in dump("--verify", env={**os.environ, "DD_DUMPIN": f"{folder}/out"}), "its second step")


if __name__ == "__main__":
    sys.exit(main())
