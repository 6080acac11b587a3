"""The trace that record.c writes, as records, and the folder as it was before."""
import json
import os
import shutil
import stat
import struct

HEAD = struct.Struct("=4sHHQQQII")
OPEN, WRITE, TRUNCATE, ALLOCATE, RENAME, LINK, UNLINK, MKDIR, RMDIR, SYNC_BEGIN, SYNC_END, MARK, MODE, UNSEEN = range(1, 15)
NAMES = ["", "open", "write", "truncate", "allocate", "rename", "link", "unlink", "mkdir", "rmdir", "sync begins", "sync ends",
         "mark", "mode", "unseen"]
CREATED, DURABLE, FOLDER, EVERYTHING = 1, 2, 4, 8


class Record:
    """One thing that happened: what, flags, inode, two numbers, names, data."""
    __slots__ = ("what", "flags", "inode", "a", "b", "names", "data")

    def __init__(self, what, flags, inode, a, b, names, data):
        self.what, self.flags, self.inode, self.a, self.b, self.names, self.data = what, flags, inode, a, b, names, data

    def __str__(self):
        text = f"{NAMES[self.what]} {' -> '.join(self.names)}"
        if self.what == MARK:
            return f"{text}{self.data.decode(errors='replace').rstrip()}"
        if self.what in (WRITE, TRUNCATE, ALLOCATE):
            text += f" at {self.a} length {len(self.data) if self.what == WRITE else self.b}"
        return f"{text} inode {self.inode} flags {self.flags}"


def read(path):
    """All records of a trace. A last one that is cut (the machine stopped in it) is left out."""
    with open(path, "rb") as file:
        raw = file.read()
    records, at = [], 0
    while at + HEAD.size <= len(raw):
        magic, what, flags, inode, a, b, names, data = HEAD.unpack_from(raw, at)
        if magic != b"KPW1":
            raise ValueError(f"{path} is damaged at byte {at}")
        body = at + HEAD.size
        at = body + names + data
        if at > len(raw):
            break
        words = raw[body:body + names].split(b"\0")[:-1] if names else []
        records.append(Record(what, flags, inode, a, b, [os.fsdecode(word) for word in words], raw[body + names:at]))
    return records


def mark(path, text):
    """Write down a fact that somebody was told, as one write: it stands behind every sync that had ended by now."""
    data = text.encode()
    handle = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        os.write(handle, HEAD.pack(b"KPW1", MARK, 0, 0, 0, 0, 0, len(data)) + data)
    finally:
        os.close(handle)


def start(root, path):
    """Begin a recording: keep the folder as it is now beside the trace. Nothing may change it meanwhile."""
    root = os.path.realpath(root)
    shutil.rmtree(path + ".before", ignore_errors=True)
    shutil.copytree(root, path + ".before", symlinks=True, ignore=_no_special)
    inodes = {}
    for top, folders, files in os.walk(root):
        for name in ["."] + folders + files:
            full = os.path.normpath(os.path.join(top, name))
            inodes[os.path.relpath(full, root)] = os.lstat(full).st_ino
    with open(path + ".json", "w", encoding="utf-8") as file:
        json.dump({"root": root, "inodes": inodes}, file)
    open(path, "wb").close()


def _no_special(top, names):
    """Sockets and pipes are no part of what a power loss leaves."""
    return [name for name in names if not _plain(os.lstat(os.path.join(top, name)).st_mode)]


def _plain(mode):
    return stat.S_ISREG(mode) or stat.S_ISDIR(mode)


def started(path):
    """Root and inodes by relative path of a recording."""
    with open(path + ".json", encoding="utf-8") as file:
        facts = json.load(file)
    return facts["root"], facts["inodes"]


def environment(root, path, shim, marks=None):
    """What to add to a program's environment so that it is recorded."""
    if not os.path.exists(shim):
        raise FileNotFoundError(f"{shim} is not built; KLM_BUILD names the build folder")
    added = {"LD_PRELOAD": os.path.abspath(shim), "KLM_POWER_ROOT": os.path.realpath(root), "KLM_POWER_TRACE": os.path.abspath(path)}
    if marks:
        added["KLM_POWER_MARK"] = os.path.realpath(marks)
    return added
