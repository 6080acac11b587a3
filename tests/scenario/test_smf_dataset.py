#!/usr/bin/env python3
"""SMF data sets under the running task: what is in them, what an operator does with them, members, formats, refusals."""
import os
import re
import shutil
import subprocess
import sys

from keyserver import BIN, RING, Site, read, wait_until, write
from scenario import SLOW, SOURCE, Folder, expect, main, run, test

sys.path.insert(0, f"{SOURCE}/tests/smf")
import readjournal  # noqa: E402  (after its folder is in the path)
import smfseries  # noqa: E402

SITE = Site(labels=False)
SITE.master.racf("ID(TAPEKMS) EXPORT(LABEL('ISKLM_Server')) DSN('SERVER.CERT') FORMAT(CERTB64)")


def folder(server):
    return f"{server.home}/log/smf"


def caught_up(server):
    """All events that the journal holds now are in the data sets and in the text log."""
    last = max(number for number, _, _ in readjournal.events(f"{server.home}/log/journal"))
    for item in ("Audit to SMF", "Audit log"):
        wait_until(f"{item} to be at {last}", 10, lambda item=item: int(re.match(r"at (\d+)", server.status(item)).group(1)) >= last)


def series(server, missing=()):
    """The data sets, judged by the independent readers; only of a server that is down. The text log has the same lines."""
    found, made = smfseries.problems(folder(server), f"{server.home}/log/journal", f"{server.files}/SERVER.CERT", missing)
    expect(not found, "\n".join(found))
    if not missing:
        lines = "".join(f"{line}\n" for line in made.lines)
        expect(lines == smfseries.text_of(f"{server.home}/log/audit", "isklm_audit.log"), "the lines of the text log differ")
    return made


def datasets(server):
    """What D SMF shows: name, size, percent, status."""
    said = server.system("D SMF")
    expect(re.match(r"IEE974I \d\d\.\d\d\.\d\d SMF DATA SETS\nNAME +SIZE +PERCENT FULL +STATUS\n", said), said)
    return [re.split(r" {2,}", line.strip()) for line in said.splitlines()[2:]]


def switch(server):
    said = server.system("I SMF")
    expect(re.match(r"IEE360I SMF NOW RECORDING ON SYS1\.\w+\.MAN\d ON /\S+ TIME=\d\d\.\d\d\.\d\d\n"
                    r"IEE362A SMF ENTER DUMP FOR SYS1\.\S+ ON /\S+\n$", said), said)


@test
def a_sink_switched_on_later_begins_there_and_the_past_comes_when_it_is_asked_for():
    with SITE.server("Audit.smf=false") as server:
        server.start()
        server.oper("listdrives")
        server.stop()
        server.set("Audit.smf=true")
        server.start()
        before = int(re.search(r"KLM0779I Audit events go to SMF from event (\d+) on", server.console()).group(1))
        server.oper("listdrives")
        server.stop()
        made = f"{server.home}/later.log"
        server.tool("smf2log", "-o", made, *(f"{folder(server)}/{name}" for name in os.listdir(folder(server)) if ".MAN" in name))
        log = read(f"{server.home}/log/audit/isklm_audit.log")
        expect(before > 3 and log.endswith(read(made)) and f"  sequence={before}\n" in read(made) and f"  sequence={before - 1}\n" not in read(made),
               "the end of the text log, byte for byte")
        shutil.rmtree(folder(server))
        server.set("Audit.begin=oldest")
        began = server.mark()
        server.start()
        server.stop()
        expect("KLM0779I" not in server.console()[began:], "it begins with the oldest")
        series(server)


@test
def every_event_is_in_the_data_sets_with_signed_checkpoints():
    with SITE.server("Audit.checkpoint.records=10") as server:
        server.start()
        for _ in range(20):
            server.oper("listdrives")
        server.stop()
        made = series(server)
        expect(made.verifier.checkpoints >= 2 and len(made.sequences) > 20, f"{made.verifier.checkpoints} of {len(made.sequences)}")
        server.start()
        server.oper("version")
        server.stop()
        expect(len(series(server).sequences) > len(made.sequences), "nothing since the restart")


@test
def the_checkpoint_at_the_end_is_the_last_record():
    with SITE.server() as server:
        server.start()
        server.stop()
        made = series(server)
        expect(made.verifier.checkpoints == 1, f"{made.verifier.checkpoints} checkpoints")
        expect(re.search(rf"(?m)^checkpoint={made.verifier.records}$", read(f"{folder(server)}/smf.cursor")), "the cursor")


@test
def data_sets_switch_at_a_command_and_when_they_are_full():
    with SITE.server("Audit.smf.dataset.size=32") as server:
        server.start()
        names = [row[0] for row in datasets(server)]
        expect(len(names) == 2 and all(re.fullmatch(r"SYS1\.\w+\.MAN[12]", name) for name in names), names)
        expect([row[3] for row in datasets(server)] == ["ACTIVE", "ALTERNATE"], datasets(server))
        server.oper("version")
        caught_up(server)
        switch(server)
        expect([row[3] for row in datasets(server)] == ["DUMP REQUIRED", "ACTIVE"], datasets(server))
        expect(all(row[1] == "32768" for row in datasets(server)), datasets(server))
        since = server.mark()
        for _ in range(60):
            server.oper("listconfig")
        caught_up(server)
        said = server.says("KLM0754W No SMF data set was empty; the oldest full one was renamed to " + names[0] + ".D", since=since)
        expect(f"KLM0752I SMF now recording on {names[0]}" in said and f"KLM0753I SMF enter dump for {names[1]}" in said, said)
        expect(server.audited("smf-switch", "result=successful", "user="), "no event of I SMF")
        server.stop()
        expect(len(series(server).files) > 2, os.listdir(folder(server)))


@test
def a_data_set_that_was_dumped_and_cleared_is_recorded_on_again():
    with SITE.server() as server:
        server.start()
        server.oper("version")
        caught_up(server)
        switch(server)
        rows = datasets(server)
        os.truncate(f"{folder(server)}/{rows[0][0]}", 0)
        expect(datasets(server)[0][3] == "ALTERNATE", datasets(server))
        caught_up(server)
        switch(server)
        expect([row[3] for row in datasets(server)] == ["ACTIVE", "DUMP REQUIRED"], datasets(server))


@test
def every_format_holds_the_same():
    for form in ("VB", "VBS", "RDW"):
        with SITE.server(f"Audit.smf.format={form}", "Audit.smf.dataset.size=16") as server:
            server.start()
            for _ in range(30):
                server.oper("listdrives")
            server.stop()
            series(server)


@test
def the_filter_decides_for_all_sinks_once_and_for_ever():
    with SITE.server("Audit.event.types=runtime") as server:
        server.start()
        server.oper("listdrives")  # resource management
        server.oper("status")
        server.oper("modconfig -set -property Audit.event.types -value all")
        server.oper("listdrives")
        server.stop()
        some = len(series(server).sequences)
        _, every = max((number, number) for number, _, _ in readjournal.events(f"{server.home}/log/journal"))
        expect(0 < some < every, f"{some} of {every}")
        server.set("Audit.event.types=none", "Audit.begin=oldest")
        shutil.rmtree(folder(server))  # made anew from the journal: what was left out stays out
        server.start()
        server.stop()
        expect(len(series(server).sequences) == some, "the sinks do not agree any more")


@test
def who_may_not_switch_is_refused_and_it_is_audited():
    with SITE.server("console.role.OPERATOR=nobody", "console.role.SECADMIN=nobody", "console.role.AUDITOR=root",
                     "console.role.BACKUP=nobody") as server:
        server.start()
        expect(len(datasets(server)) == 2, "an auditor may look")
        expect("KLM0900E" in server.system("I SMF", status=1), "an auditor switched")
        expect(server.audited("smf-switch", "result=unsuccessful"), "no event")


@test
def commands_given_wrongly_are_refused():
    with SITE.server() as server:
        server.start()
        for command in ("I", "I SMF,X", "I SMFX", "D SMF,X", "SWITCH"):
            expect("KLM096" in server.system(command, status=2), command)
        expect("IEE360I" in server.system("switch smf"), "SWITCH SMF")
        expect("IEE974I" in server.system("DISPLAY SMF"), "DISPLAY SMF")


@test
def without_smf_the_commands_say_so():
    with SITE.server("Audit.smf=off") as server:
        server.start()
        for command in ("I SMF", "D SMF"):
            expect("KLM0767E SMF recording is not on" in server.system(command, status=1), command)
        server.stop()
        expect(not os.path.exists(folder(server)), "data sets were made")


@test
def a_member_that_leaves_type_83_out_is_said_at_start():
    with SITE.server() as server:
        for member in ("NOACTIVE", "SYS(NOTYPE(83))", "SYS(TYPE(83)) SUBSYS(STC,TYPE(30))", "SYS(TYPE(83(1:5)))"):
            write(f"{server.home}/etc/SMFPRM00", member + "\n")
            said = server.start()
            expect("does not record type 83 subtype 6 for subsystem STC: nothing goes to SMF" in server.console(), f"{member}: {said}")
            server.stop()
            expect(not os.path.exists(folder(server)), member)
        server.set("Audit.smf.subsystem=KLM")
        write(f"{server.home}/etc/SMFPRM00", "SYS(NOTYPE(83)) SUBSYS(KLM,TYPE(83)) SID(ABCD) DSNAME(OUR.DATA)\n")
        server.start()
        server.stop()
        expect(os.path.getsize(f"{folder(server)}/OUR.DATA") > 0, "nothing was recorded")
        said = run("python3", f"{SOURCE}/tests/smf/readsmf.py", f"{folder(server)}/OUR.DATA")
        expect('"system": "ABCD"' in said and '"subsystem": "KLM "' in said and '"job": "ISKLM"' in said, said[:300])


@test
def a_member_that_cannot_be_understood_stops_the_start():
    with SITE.server() as server:
        write(f"{server.home}/etc/SMFPRM00", "ACTIVE\nDSNAME(../../escape)\n")
        expect("KLM0764E Line 2 of " in server.refuses_to_start(status=None), server.console())
        os.unlink(f"{server.home}/etc/SMFPRM00")
        expect("SMFPRM00" in server.refuses_to_start(status=None), server.console())
        write(f"{server.home}/etc/SMFPRM00", "WHATEVER\n")
        server.start()
        expect("KLM0765W Line 1 of" in server.console(), server.console())


@test
def without_a_member_there_are_two_data_sets_with_the_usual_names():
    with SITE.server() as server:
        server.unset("Audit.smf.member")
        server.start()
        expect([row[0] for row in datasets(server)] == ["SYS1.MAN1", "SYS1.MAN2"], datasets(server))


@test
def two_tasks_do_not_record_in_one_folder():
    with SITE.server() as server:
        server.start()
        with SITE.server(f"Audit.smf.directory={folder(server)}") as other:
            expect("KLM0762E SMF data set" in other.refuses_to_start(status=None), other.console())


@test
def a_missing_checkpoint_key_is_said_and_recording_goes_on():
    with SITE.server("Audit.checkpoint.label=NoSuchLabel", "Audit.checkpoint.records=1") as server:
        server.start()
        server.says("KLM0760W SMF data sets: no checkpoint was signed")
        server.oper("listdrives")
        server.stop()
        made = series(server)
        expect(made.verifier.checkpoints == 0 and len(made.sequences) > 2, "records")


@test
def status_says_where_each_sink_is():
    with SITE.server() as server:
        server.start()
        caught_up(server)
        for item in ("Audit log", "Audit to SMF"):
            expect(re.fullmatch(r"at \d+, \d+ behind", server.status(item)), server.status(item))


@test
def the_active_data_set_taken_away_is_said_and_the_next_event_makes_it_anew():
    with SITE.server() as server:
        server.start()
        caught_up(server)
        name = datasets(server)[0][0]
        os.rename(f"{folder(server)}/{name}", f"{folder(server)}/AWAY")
        server.oper("version")
        server.says(f"KLM0756W SMF data set {name} was removed or renamed")
        caught_up(server)
        server.stop()
        expect(series(server).files == ["AWAY", name], os.listdir(folder(server)))


@test
def the_test_server_tells_where_the_data_set_and_the_log_are():
    with Folder() as home:
        env = dict(os.environ, KLM_BIN=BIN)
        run(f"{SOURCE}/tools/testserver", "start", home, "config.keystore.file=" + RING, env=env)
        try:
            values = dict(re.findall(r"(?m)^export (KLM_\w+)='?([^'\n]*)'?$", read(f"{home}/env")))
            for name in ("KLM_SMF_DATASET", "KLM_AUDIT_LOG"):
                expect(os.path.getsize(values[name]) > 0, values.get(name))
        finally:
            subprocess.run([f"{SOURCE}/tools/testserver", "stop", home], env=env, check=True, timeout=60 * SLOW)


if __name__ == "__main__":
    sys.exit(main())
