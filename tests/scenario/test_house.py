#!/usr/bin/env python3
"""The house itself: layers, tables, manuals, the service unit, and what install places and uninstall removes."""
import os
import re
import subprocess
import sys

from scenario import BUILD, SOURCE, Folder, expect, main, run, test

os.chdir(SOURCE)


def make(*words):
    env = {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS"))}
    return run("make", "--no-print-directory", f"B={BUILD}", *words, env=env)


def place(verb, folder):
    """What make install does after building: this build's programs are placed as they are, whatever their flags."""
    programs = " ".join(sorted(os.listdir(os.path.join(BUILD, "bin"))))
    run("packaging/install.sh", verb, env=dict(os.environ, B=BUILD, DESTDIR=folder, PREFIX="/usr", SYSCONFDIR="/etc",
                                               PROGRAMS=programs, SBIN_PROGRAMS="klmsrv"))


def files_below(folder):
    return sorted(os.path.relpath(os.path.join(top, name), folder) for top, _, names in os.walk(folder) for name in names)


@test
def no_folder_includes_what_it_may_not():
    run("tools/check_layers.py")


@test
def functions_that_are_banned_are_not_called():
    run("tools/check_banned.py")


@test
def tables_have_sound_rows_and_every_message_is_said():
    run("tools/check_tables.py")


@test
def manuals_from_tables_are_up_to_date():
    run("tools/docs.sh", "--check", f"{BUILD}/tools/gendocs", "docs")


@test
def make_help_lists_every_target_of_the_house():
    listed = set(re.findall(r"^([a-z0-9-]+) ", make("help"), re.M))
    wanted = set("deps all demo check check-asan check-ubsan check-tsan check-valgrind check-s390x coverage lint check-layers "
                 "docs fuzz-smoke fuzz bench measure longest install uninstall dist clean help".split())
    expect(wanted <= listed, f"not listed: {wanted - listed}")


@test
def a_forbidden_include_is_found():
    with Folder() as folder:
        for name in ("base", "store"):
            os.makedirs(os.path.join(folder, name))
        with open(os.path.join(folder, "Layers.mk"), "w", encoding="utf-8") as file:
            file.write("FOLDERS := base store\nMAY_base :=\nMAY_store := base\n")
        with open(os.path.join(folder, "base/a.c"), "w", encoding="utf-8") as file:
            file.write('#include "store/b.h"\n#include <db.h>\n/* #include "store/c.h" */\n')
        with open(os.path.join(folder, "store/b.h"), "w", encoding="utf-8") as file:
            file.write('#include "base/a.h"\n')
        said = run("tools/check_layers.py", "--root", folder, status=1)
        expect('base/a.c:1: base may not include "store/b.h"' in said, said)
        expect("base/a.c:2: <db.h> stays inside" in said and "store/c.h" not in said, said)


@test
def install_places_all_and_uninstall_removes_it():
    with Folder() as folder:
        place("install", folder)
        placed = files_below(folder)
        for name in ("usr/lib/systemd/system/klmsrv.service", "usr/lib/sysusers.d/klmsrv.conf", "usr/lib/tmpfiles.d/klmsrv.conf",
                     "usr/share/doc/klmsrv/LICENSE"):
            expect(name in placed, f"{name} is not in {placed}")
        for top, _, names in os.walk(folder):
            for name in names:
                with open(os.path.join(top, name), "rb") as file:
                    expect(not re.search(rb"@[A-Z]+DIR@", file.read()), f"{name} has a place that was not filled in")
        place("uninstall", folder)
        expect(files_below(folder) == [], f"left: {files_below(folder)}")


@test
def installed_programs_are_hardened():
    programs = [os.path.join(BUILD, "bin", name) for name in os.listdir(os.path.join(BUILD, "bin"))]
    expect(programs, "there are no programs")
    for program in programs:
        with open(program, "rb") as file:
            if file.read(2) == b"#!":  # klmpartner is a script
                continue
        said = run("readelf", "-W", "-hld", program)
        expect("DYN (Position-Independent Executable file)" in said, f"{program} is not PIE")
        expect("GNU_RELRO" in said and re.search(r"FLAGS.*\b(NOW|BIND_NOW)\b", said), f"{program}: relocations stay writable")
        expect(not re.search(r"GNU_STACK.*RWE", said), f"{program}: the stack is executable")


@test
def the_service_is_confined_to_a_score_of_two_or_better():
    with Folder() as folder:
        place("install", folder)
        unit = os.path.join(folder, "usr/lib/systemd/system/klmsrv.service")
        said = run("systemd-analyze", "security", "--no-pager", "--offline=true", unit)
        score = float(re.search(r"Overall exposure level for \S+: ([\d.]+)", said).group(1))
        expect(score <= 2.0, said)


@test
def packages_are_installed_only_when_missing():
    stubs = {"dpkg-query": 'case "$*" in *gcc) printf "installed ";; *) exit 1;; esac', "id": "echo 0", "apt-get": 'echo "$*" >>"$LOG"'}
    with Folder() as folder:
        for name, text in stubs.items():
            with open(os.path.join(folder, name), "w", encoding="utf-8") as file:
                file.write("#!/bin/sh\n" + text + "\n")
            os.chmod(os.path.join(folder, name), 0o755)
        log = os.path.join(folder, "log")
        env = dict(os.environ, PATH=f"{folder}:{os.environ['PATH']}", LOG=log, TMPDIR=folder)
        run("tools/deps", "gcc", env=env)
        expect(not os.path.exists(log), "something was installed though nothing was missing")
        run("tools/deps", "gcc", "make", env=env)
        with open(log, encoding="utf-8") as file:
            asked = file.read().splitlines()
        expect(asked[0].startswith("update") and asked[1].startswith("install") and asked[1].endswith(" make"), str(asked))
        expect("--no-install-recommends" in asked[1] and "gcc" not in asked[1], str(asked))


@test
def a_runner_counts_crashes_leftovers_and_silence_as_failures():
    scripts = {"test_good.sh": "echo ok one", "test_crash.sh": "echo ok two; kill -SEGV $$", "test_silent.sh": ":",
               "test_files.sh": "echo ok three; touch $TMPDIR/left", "test_process.sh": "echo ok four; sleep 60 & exit 0",
               "test_slow.sh": "# time-limit: 1\necho ok five; sleep 60"}
    with Folder() as folder:
        for name, text in scripts.items():
            with open(os.path.join(folder, name), "w", encoding="utf-8") as file:
                file.write("#!/bin/sh\n" + text + "\n")
        paths = [os.path.join(folder, name) for name in scripts]
        done = subprocess.run(["tests/run", "--build", folder, *paths], stdout=subprocess.PIPE, text=True, check=False, timeout=60)
        expect(done.returncode == 1, done.stdout)
        expect(done.stdout.endswith("5 passed, 5 failed\n"), done.stdout)
        for words in ("ended by SIGSEGV", "ran no test", "left files: left", "left running: sleep 60", "takes longer than 1 s"):
            expect(words in done.stdout, f"{words}: {done.stdout}")


@test
def a_runner_that_stutters_holds_what_it_runs_and_lets_it_go_on():
    with Folder() as folder:
        path = os.path.join(folder, "test_held.sh")
        with open(path, "w", encoding="utf-8") as file:
            file.write("#!/bin/sh\ntrap 'echo ok held; exit 0' CONT\nwhile :; do sleep 0.1; done\n")
        expect(run("tests/run", "--build", folder, "--stutter", "0.2", path).endswith("1 passed, 0 failed\n"), "never held")


@test
def a_run_of_no_test_is_no_success():
    said = run("tests/run", "--build", BUILD, status=1)
    expect(said.endswith("0 passed, 0 failed\n"), said)


if __name__ == "__main__":
    sys.exit(main())
