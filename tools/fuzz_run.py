#!/usr/bin/env python3
"""Run the fuzzers of a build, each for some seconds over its corpus, and print what they reached: edges, inputs, speed.
The last line is "N passed, N failed": a fuzzer passes when it found nothing, the planted bug passes when it was found."""
import argparse
import concurrent.futures
import os
import re
import shutil
import subprocess
import sys

import csource

STATUS = re.compile(r"^#(\d+)\s+\w+\s+cov: (\d+) ft: (\d+) corp: (\d+)/\S+", re.M)
PLANTED_SECONDS = 60
SHOWN = 40  # lines of a failed fuzzer that are shown


def corpora(name, work):
    """Folder for new inputs, and the corpus of the repository when there is one."""
    new = os.path.join(work, name)
    os.makedirs(new, exist_ok=True)
    kept = os.path.join("tests/fuzz/corpus", name)
    return [new] + ([kept] if os.path.isdir(kept) else [])


def fuzz(program, name, seconds, work):
    """Exit status and output of one fuzzer. Leaks count; memory and time of one input have a limit."""
    command = [program, f"-max_total_time={seconds}", "-rss_limit_mb=2048", "-timeout=10", "-print_final_stats=1",
               f"-artifact_prefix={work}/{name}-"]
    words = f"tests/fuzz/{name}.dict"
    if os.path.exists(words):
        command.append(f"-dict={words}")
    command += [os.path.abspath(folder) for folder in corpora(name, work)]
    try:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              timeout=seconds + 120, check=False)
        return done.returncode, done.stdout.decode(errors="replace")
    except subprocess.TimeoutExpired as late:
        return "no end in time", (late.stdout or b"").decode(errors="replace")


def row(name, output, verdict):
    last = STATUS.findall(output)[-1:] or [("0", "0", "0", "0")]
    speed = re.search(r"stat::average_exec_per_sec:\s+(\d+)", output)
    runs, edges, features, inputs = last[0]
    print(f"{name:24} {edges:>7} {features:>9} {inputs:>7} {runs:>10} {speed.group(1) if speed else '-':>8}  {verdict}", flush=True)


def head():
    print(f"{'fuzzer':24} {'edges':>7} {'features':>9} {'inputs':>7} {'runs':>10} {'per s':>8}  verdict")


def keep(program, name, work):
    """Add to the corpus of the repository the inputs that reach something new."""
    kept = os.path.join("tests/fuzz/corpus", name)
    os.makedirs(kept, exist_ok=True)
    subprocess.run([program, "-merge=1", kept, os.path.join(work, name)], stdout=subprocess.DEVNULL,
                   stderr=subprocess.DEVNULL, check=True)


def show(output, path):
    """What a sanitizer said first, or the last lines; everything is kept in a file."""
    with open(path, "w", encoding="utf-8", errors="replace") as file:
        file.write(output)
    lines = output.splitlines()
    first = next((at for at, line in enumerate(lines) if "ERROR: " in line or "runtime error" in line), max(0, len(lines) - SHOWN))
    print("".join(f"    | {line}\n" for line in lines[first:first + SHOWN]) + f"    | all of it: {path}")


def run_all(programs, options, work):
    failed = 0
    with concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
        runs = {pool.submit(fuzz, program, name, options.seconds, work): (program, name) for program, name in programs}
        for done in concurrent.futures.as_completed(runs):
            program, name = runs[done]
            status, output = done.result()
            row(name, output, "ok" if status == 0 else f"FAILED ({status})")
            if status != 0:
                failed += 1
                show(output, os.path.join(work, f"{name}.log"))
            elif options.keep:
                keep(program, name, work)
    return failed


def run_planted(options, work):
    """The fuzzer with the planted bug must end by finding it."""
    shutil.rmtree(os.path.join(work, "planted-bug"), ignore_errors=True)
    kept = "tests/fuzz/corpus/planted"
    shutil.copytree(kept, os.path.join(work, "planted-bug"))
    status, output = fuzz(os.path.join(options.build, "bin/planted"), "planted-bug", PLANTED_SECONDS, work)
    found = status != 0 and "heap-buffer-overflow" in output
    row("planted off-by-one", output, "found" if found else "NOT FOUND")
    return 0 if found else 1


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--build", required=True)
    parser.add_argument("--seconds", type=int, default=5)
    parser.add_argument("--only", default="", help="run only fuzzers whose name contains this")
    parser.add_argument("--keep", action="store_true", help="keep new inputs in the corpora of the repository")
    parser.add_argument("--planted", action="store_true", help="also look for the planted bug")
    parser.add_argument("--planted-only", action="store_true")
    parser.add_argument("-j", "--jobs", type=int, default=len(os.sched_getaffinity(0)))
    options = parser.parse_args()
    os.chdir(csource.ROOT)
    options.build = os.path.abspath(options.build)
    work = os.path.join(options.build, "work")
    os.makedirs(work, exist_ok=True)
    folder = os.path.join(options.build, "bin")
    names = sorted(name[len("fuzz_"):] for name in os.listdir(folder) if name.startswith("fuzz_") and options.only in name)
    programs = [] if options.planted_only else [(os.path.join(folder, "fuzz_" + name), name) for name in names]
    head()
    failed = run_all(programs, options, work)
    count = len(programs)
    if options.planted or options.planted_only:
        failed += run_planted(options, work)
        count += 1
    print(f"{count - failed} passed, {failed} failed")
    return 1 if failed or not count else 0


if __name__ == "__main__":
    sys.exit(main())
