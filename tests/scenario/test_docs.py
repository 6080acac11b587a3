#!/usr/bin/env python3
"""The manuals agree with the programs and the tables: options, commands, messages, properties, codes; and the operator's guide,
followed to the letter, gives a server that runs."""
import glob
import os
import re
import subprocess
import sys

from keyserver import BIN, Server, read, write
from scenario import SOURCE, Folder, expect, main, run, test

os.chdir(SOURCE)
PAGES = sorted(glob.glob("docs/man/*.[1578]"))
GUIDE = "docs/operators-guide.md"


def rows(path, pattern):
    return re.findall(pattern, read(path), re.M)


MESSAGES = {f"KLM{int(number):04d}{severity}" for number, severity in rows("base/msg.def", r"^KLM_MSG\(\w+, (\d+), '(.)'")}
COMMANDS = dict(rows("console/commands.def", r'^CON_COMMAND\("([^"]+)", "([^"]*)"'))
PROPERTIES = set(rows("parmlib/properties.def", r'^PARM\(\w+, "([^"]+)"'))
FUNCTIONS = dict(rows("console/racdcert.def", r'^RACDCERT\("(\w+)", \w+, \w+, "(.*)"\)$'))
PROFILES = dict(rows("console/profile.def", r'^RACF_PROFILE\("(\w+)", "\w+", \w+, \w+, "(.*)"\)$'))
PROGRAMS = sorted(os.path.basename(path).rsplit(".", 1)[0] for path in glob.glob("programs/*.c") + glob.glob("programs/*.sh"))


def page_of(name):
    return next((path for path in PAGES if os.path.basename(path).rsplit(".", 1)[0] == name), None)


def plain(path):
    """A page as a person sees it, in one line."""
    text = run("man", "-E", "ascii", "-l", path, env=dict(os.environ, MANWIDTH="400", MAN_KEEP_FORMATTING="", TERM="dumb"))
    return re.sub(r"\s+", " ", text)


def complete(*words):
    """What completion offers for the last of the words."""
    script = ('. packaging/klmsrv.bash-completion; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _klmsrv; '
              'for word in "${COMPREPLY[@]}"; do echo "$word"; done')
    return run("bash", "-c", script, "bash", *words, env=dict(os.environ, PATH=f"{BIN}:{os.environ['PATH']}")).split("\n")[:-1]


@test
def manual_pages_are_sound_roff():
    for page in PAGES:
        done = subprocess.run(["groff", "-ww", "-man", "-Tutf8", page], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, check=True)
        expect(done.stderr == "", done.stderr)
        done = subprocess.run(["man", "--warnings", "-E", "UTF-8", "-l", page], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, check=True)
        expect(done.stderr == "", done.stderr)


@test
def every_page_has_a_name_that_whatis_finds():
    for page in PAGES:
        name, section = os.path.basename(page).rsplit(".", 1)
        said = run("lexgrog", page)
        expect(f'"{name} - ' in said, said)
        expect(re.search(rf"^\.TH {re.escape(name)} {section} ", read(page), re.M), f"{page}: .TH says otherwise")


@test
def every_program_has_a_page_with_exactly_its_options():
    for program in PROGRAMS:
        page = page_of(program)
        expect(page, f"{program} has no manual page")
        if program == "iosdrive":  # its commands have options of their own
            continue
        shown = set(re.findall(r"--[a-z][a-z-]+", run(os.path.join(BIN, program), "--help"))) - {"--usage"}
        written = set(re.findall(r"--[a-z][a-z-]+", plain(page))) - {"--usage"}
        expect(shown == written, f"{page}: not in it {shown - written}, not an option {written - shown}")


@test
def the_page_of_iosdrive_has_its_commands_and_their_options():
    text = plain(page_of("iosdrive"))
    program = os.path.join(BIN, "iosdrive")
    commands = re.findall(r"^  ([a-z-]+) +\S", run(program, "--help"), re.M)
    expect(len(commands) > 5, str(commands))
    for command in commands:
        expect(re.search(rf"\b{command}\b", text), f"iosdrive {command} is not in its page")
        options = set(re.findall(r"--[a-z][a-z0-9-]+", run(program, command, "--help"))) - {"--usage", "--help"}
        expect(all(option in text for option in options), f"iosdrive {command}: {[o for o in options if o not in text]}")


@test
def pages_name_only_pages_that_are_there():
    there = {tuple(os.path.basename(path).rsplit(".", 1)) for path in PAGES}
    for page in PAGES:
        for name, section in re.findall(r"\b([A-Za-z][\w.-]+)\((\d)\)", plain(page)):
            expect((name, section) in there or name in ("IECIOSxx", "man", "properties", "iconv"), f"{page}: {name}({section})")


@test
def the_page_of_racdcert_has_every_function_and_keyword():
    text = plain(page_of("racdcert"))
    for name, syntax in FUNCTIONS.items():
        for word in {name, *re.findall(r"[A-Z][A-Z0-9]+", syntax)}:
            expect(re.search(rf"\b{word}\b", text), f"{name}: {word} is not described")


@test
def the_page_of_racf_has_every_command_class_and_keyword():
    text = plain(page_of("racf"))
    expect(len(PROFILES) == 6, str(PROFILES))
    for name, syntax in PROFILES.items():
        for word in {name, *re.findall(r"[A-Z][A-Z0-9]+", syntax)}:
            expect(re.search(rf"\b{word}\b", text), f"{name}: {word} is not described")
        expect(name in complete("racf", name[:3]), name)
        for word in re.findall(r"[A-Z][A-Z0-9]+", syntax.split(" ", 1)[1]):
            expect(word in complete("racf", name, word[:2]), f"{name} {word}")
    for name in re.findall(r'^PR_CLASS\(\w+, "(\w+)"', read("profile/class.def"), re.M):
        expect(re.search(rf"\b{name}\b", text) and name in complete("racf", "RDEFINE", name[:3]), name)
    expect("RACDCERT ID(TAPEKMS) ADDRING" in complete("racf", '"RACDCERT ID(TAPEKMS) ADDR'), "RACDCERT")


@test
def completion_offers_every_command_and_its_options():
    offered = set(complete("oper", ""))
    names = set(COMMANDS) | {alias for aliases in COMMANDS.values() for alias in aliases.split(",") if alias}
    expect(names <= offered, f"not offered: {names - offered}")
    for name, syntax in rows("console/commands.def", r'^CON_COMMAND\("([^"]+)".*?, "((?:[^"\\]|\\.)*)", "[^"]*"\)$'):
        expect(set(complete("oper", name, "-")) == set(re.findall(r"(?<=[ \[{])-[A-Za-z0-9]+", syntax)), name)
    expect(set(complete("oper", "modconfig", "-set", "-property", "")) == PROPERTIES, "properties")
    expect(complete("oper", "P", "") == ["ISKLM"], "P")


@test
def completion_knows_the_other_programs():
    for name, syntax in FUNCTIONS.items():
        expect(name in complete("racdcert", "ID(TAPEKMS)", name[:2]), name)
        expect(f"CERTAUTH {name} WITHLABEL" in complete("racdcert", f'"CERTAUTH {name} WITHL') or "WITHLABEL" not in syntax, name)
    expect(set(complete("iosdrive", "")) == set(re.findall(r"^  ([a-z-]+) +\S", run(os.path.join(BIN, "iosdrive"), "--help"), re.M)), "iosdrive")
    expect("--kl1" in complete("iosdrive", "write", "--k"), "iosdrive write")
    commands = set(re.findall(r"^  ([a-z]+) +\S", run(os.path.join(BIN, "iosdrive"), "system", "--help"), re.M))
    expect(set(complete("iosdrive", "system", "")) == commands and "chencryption" in commands, "iosdrive system")
    expect(complete("iosdrive", "system", "chencryption", "-key", "p") == ["prepare"] and
           "-keyserver" in complete("iosdrive", "system", "chencryption", "-key"), "iosdrive system chencryption")
    text = plain(page_of("iosdrive"))
    for name in commands:
        expect(f"system {name}" in text, f"iosdrive system {name} is not described")
    expect(complete("smfdump", "--format", "") == ["smf", "vb", "vbs", "text", "csv", "json"] and "--from-start" in complete("smfdump", "--from"), "smfdump")
    expect(complete("smf2log", "--dd", "S") == ["SMFIN="] and complete("smf2log", "--tol") == ["--tolerate"], "smf2log")
    expect(complete("klmsrv", "--make-m") == ["--make-master"] and complete("keyxfer", "W") == ["WRITE,"], "klmsrv, keyxfer")


@test
def messages_that_are_named_exist():
    for path in [*PAGES, *glob.glob("*.md"), *glob.glob("*/*.md")]:
        unknown = set(re.findall(r"\bKLM\d{4}[A-Z]\b", read(path))) - MESSAGES
        expect(not unknown, f"{path}: {unknown}")


@test
def properties_that_are_named_exist():
    families = {name.split(".")[0] for name in PROPERTIES if "." in name}
    for path in ("README.md", GUIDE):
        named = re.findall(r"`([A-Za-z]\w*(?:\.\w+)+)(?:=[^`]*)?`", read(path))
        unknown = {name for name in named if name.split(".")[0] in families} - PROPERTIES
        expect(not unknown, f"{path}: {unknown}")
    expect(len(re.findall(r"console\.role\.", read(GUIDE))) > 3, "the guide says who may do what")


@test
def the_guide_explains_every_device_code():
    codes = rows("exchange/codes.def", r"^KX_CODE\(0x([0-9A-F]{4})")
    expect(len(codes) > 10, str(codes))
    explained = rows(GUIDE, r"^\| ([0-9A-F]{4}) \|")
    expect(set(codes) == set(explained), f"{set(codes) ^ set(explained)}")  # one may have a row for each kind of drive


@test
def the_guide_explains_every_weak_setting():
    weak = set(re.findall(r"^KLM_MSG\(KLM_MSG_PARM_(?:WEAK|PASSWORD|CCA)\w*, (\d+)", read("base/msg.def"), re.M))
    expect(len(weak) >= 8, str(weak))
    for number in weak:
        expect(f"KLM{int(number):04d}W" in read(GUIDE), f"KLM{int(number):04d}W")


@test
def commands_in_the_guide_exist():
    names = {*COMMANDS, *(alias for aliases in COMMANDS.values() for alias in aliases.split(","))}
    given = re.findall(r"""oper "F ISKLM,APPL='(\w+)|oper "?([a-z]\w+)""", read(GUIDE))
    given += [("", word) for word in re.findall(r"`(\w+) -drivename", read(GUIDE))]
    expect(len(given) > 15, str(given))
    for pair in given:
        expect((pair[0] or pair[1]) in names, str(pair))


@test
def messages_of_scripts_are_those_of_the_table():
    texts = {f"KLM{int(number):04d}{severity}": text for number, severity, text in rows("base/msg.def", r'^KLM_MSG\(\w+, (\d+), \'(.)\', "((?:[^"\\\\]|\\\\.)*)"')}
    said = re.findall(r'"?(KLM\d{4}[IWEA]) "?([^"\n]*)', read("programs/klmpartner.sh"))
    said = [(name, text) for name, text in said if name != "KLM0950E"]
    expect(len(said) >= 8, str(said))
    for name, text in said:
        form = re.sub(r"\\{\d\\}", ".+", re.escape(texts[name]))
        expect(re.match(form, text.replace("$(pattern_there)", "X")), f"{name} {text}: {form}")


@test
def files_that_manuals_name_exist():
    for path in ("README.md", GUIDE, "examples/README.md", "docs/ARCHITECTURE.md"):
        for name in re.findall(r"`((?:docs|examples|smf|ios|keyring|drivetable|exchange|keymgr|tools|parmlib)/[\w./-]+)`", read(path)):
            expect(os.path.exists(name), f"{path}: {name}")


def blocks(text, first, last):
    """Indented commands of the guide's sections from one heading to another."""
    part = text[text.index(f"### {first} "):text.index(last)]
    return "\n".join(line[4:] for line in part.splitlines() if line.startswith("    "))


@test
def the_first_start_of_the_guide_works_as_written():
    with Folder() as folder:
        server = Server(folder).prepare("console.role.SECADMIN=" + run("id", "-un").strip())
        os.remove(f"{folder}/masterkey/masterkey.sealed")
        guide = re.sub(r"### 1\.2a .*?(?=### 1\.3 )", "", read(GUIDE), flags=re.S)  # another way, which needs a token
        script = blocks(guide, "1.2", "### 1.5")
        expect(script.count("racdcert ") >= 6 and "--split-master" in script, script)
        for path, here in (("/etc/isklm/ISKLMConfig", f"{folder}/etc/ISKLMConfig"), ("/etc/isklm", folder), ("/run/lock", folder)):
            script = script.replace(path, here)
        write(f"{folder}/script", f'set -e\nsudo() {{ shift 2; command "$@"; }}\nexport KLM_OPER_SOCKET=/nowhere/s PATH={BIN}:$PATH\n' + script)
        run("bash", f"{folder}/script")
        server.start()
        said = server.oper("status")
        expect("Server is running" in said and re.search(r"escrow\s+confirmed", said), said)
        expect("Tape_Sol_Tst_Shr_Pvt_2048_Lbl_20" in server.oper("list"), server.oper("list"))
        server.stop()


if __name__ == "__main__":
    sys.exit(main())
