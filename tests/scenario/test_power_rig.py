#!/usr/bin/env python3
"""The power rig itself: a program that syncs as it should passes at every crash point; each sync left out is caught."""
import os
import sys

from scenario import BUILD, SOURCE, Folder, expect, main, run, test

REPLAY = os.path.join(SOURCE, "tests/power/replay.py")
CHECK = os.path.join(SOURCE, "tests/power/check_sample.py")
sys.path.insert(0, os.path.join(SOURCE, "tests/power"))
import disk  # noqa: E402  (after its folder is in the path)
import records as tr  # noqa: E402


def record(folder, how):
    """Run the sample recorded; the path of the trace."""
    root, trace, marks = (os.path.join(folder, name) for name in ("root", "trace", "marks"))
    os.mkdir(root)
    open(marks, "w", encoding="utf-8").close()
    run(REPLAY, "record", "--root", root, "--trace", trace, "--marks", marks, "--shim", f"{BUILD}/power/record.so", "--",
        f"{BUILD}/power/sample", how, root, marks)
    return trace


def replay(trace, *more, status=None):
    return run(REPLAY, "crash", "--trace", trace, "--verify", f"exec {sys.executable} -I -S {CHECK}", *more, status=status)


def is_caught(how, words, *more):
    with Folder() as folder:
        said = replay(record(folder, how), "--failures", "3", *more, status=1)
        expect(words in said, said)


@test
def a_program_that_syncs_passes_at_every_crash_point():
    with Folder() as folder:
        trace = record(folder, "good")
        said = run(REPLAY, "complete", "--trace", trace)
        expect("explains" in said, said)
        said = replay(trace, status=0)
        points, of, states = [int(word) for word in said.split() if word.isdigit()][:3]
        expect(points == of and points > 40 and states > 40, said)


@test
def a_missing_sync_of_the_log_is_caught():
    is_caught("nosync", "was promised and is lost")


@test
def a_promise_before_the_sync_is_caught():
    is_caught("early", "was promised and is lost")


@test
def a_missing_sync_before_a_rename_is_caught():
    is_caught("notmp", "settings")


@test
def a_missing_sync_of_the_folder_is_caught():
    is_caught("nofolder", "promised")


@test
def a_file_overwritten_in_place_is_caught_torn():
    is_caught("inplace", "settings are torn")


@test
def a_write_that_was_not_recorded_is_said():
    with Folder() as folder:
        trace = record(folder, "stdio")
        said = run(REPLAY, "complete", "--trace", trace, status=1)
        expect("unseen is in the folder only" in said, said)


@test
def a_file_sync_keeps_names_when_asked_to_believe_so():
    # With names="file" the log's own sync keeps its name, though its folder was never synced.
    with Folder() as folder:
        trace = record(folder, "nofolder")
        records = tr.read(trace)
        names = {}
        for rule in ("strict", "file"):
            model = disk.Disk(trace, rule)
            for index, item in enumerate(records):
                model.advance(index, item)
            names[rule] = [path for path, _, _ in model.tree(disk.Choice("none"))]
        expect("log" not in names["strict"] and "log" in names["file"], str(names))


@test
def marks_stand_behind_the_sync_that_they_rely_on():
    with Folder() as folder:
        order = [tr.NAMES[item.what] for item in tr.read(record(folder, "good"))]
        first = order.index("mark")
        expect("sync ends" in order[:first] and order[first - 1] == "sync ends", str(order))


@test
def a_trace_cut_in_its_last_record_is_read_up_to_there():
    with Folder() as folder:
        trace = record(folder, "good")
        whole = len(tr.read(trace))
        os.truncate(trace, os.path.getsize(trace) - 1)
        expect(len(tr.read(trace)) == whole - 1, "a cut record was read")


@test
def a_state_laid_out_is_the_folder_when_all_was_kept():
    with Folder() as folder:
        trace = record(folder, "good")
        to = os.path.join(folder, "to")
        run(REPLAY, "make", "--trace", trace, "--point", str(len(tr.read(trace))), "--state", "all", "--to", to)
        run("diff", "-r", os.path.join(folder, "root"), to)


@test
def earlier_content_is_kept_and_later_content_is_lost_without_sync():
    file = disk.File(b"old" * 2000)
    file.write(1, 0, b"n" * 6000, False)
    expect(disk.content_of(file, disk.Choice("none")) == b"old" * 2000, "none")
    expect(disk.content_of(file, disk.Choice("all")) == b"n" * 6000, "all")
    seen = {disk.content_of(file, disk.Choice("random", seed)) for seed in range(60)}
    expect(b"old" * 2000 in seen and b"n" * 6000 in seen and len(seen) > 3, f"{len(seen)} states")
    expect(all(len(content) == 6000 for content in seen), "size")
    file.sync(2)
    expect(disk.content_of(file, disk.Choice("none")) == b"n" * 6000, "synced")


@test
def a_file_written_in_whole_pages_is_never_torn_within_one():
    for unit, torn in ((disk.SECTOR, True), (disk.PAGE, False)):
        file = disk.File(b"0" * 8192, unit=unit)
        file.write(1, 0, b"1" * 8192, False)
        seen = {disk.content_of(file, disk.Choice(name, seed)) for name in ("random", "torn") for seed in range(60)}
        halves = {content[start:start + disk.PAGE] for content in seen for start in (0, disk.PAGE)}
        expect(torn == bool(halves - {b"0" * disk.PAGE, b"1" * disk.PAGE}), f"unit {unit}: {len(halves)} kinds of pages")
        expect(len(halves) >= 2, "nothing was lost or kept")


@test
def a_write_of_what_is_there_already_is_no_change():
    file = disk.File(bytes(8192))
    expect(not file.write(1, 100, bytes(5000), False) and not file.pending, "zeroes over zeroes")
    expect(file.write(2, 100, b"x", False) and file.write(3, 8190, bytes(3), False), "changes")
    expect(file.write(4, 100, bytes(1), False) and len(file.pending) == 3, "back to what it was before")
    expect(file.write(5, 0, bytes(10), True), "a synchronous write makes certain what is there")


@test
def a_synchronous_write_is_certain_while_others_are_not():
    file = disk.File(b"0" * 8192)
    file.write(1, 0, b"1" * 100, False)
    file.write(2, 4096, b"2" * 100, True)
    content = disk.content_of(file, disk.Choice("none"))
    expect(content[:100] == b"0" * 100 and content[4096:4196] == b"2" * 100, "pages")


@test
def a_cut_file_grows_again_with_zeroes():
    file = disk.File(b"x" * 5000)
    file.truncate(1, 10, False)
    file.write(2, 100, b"y", False)
    expect(disk.content_of(file, disk.Choice("all")) == b"x" * 10 + bytes(90) + b"y", "all")
    for seed in range(40):
        content = disk.content_of(file, disk.Choice("random", seed))
        expect(len(content) in (5000, 10, 101) and content[:10] == b"x" * 10, f"{len(content)} bytes")


if __name__ == "__main__":
    sys.exit(main())
