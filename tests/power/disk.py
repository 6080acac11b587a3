"""What a disk can hold after a power loss at any point of a trace.

The rules, no kinder than POSIX: what a sync covered is there. Other writes may be there or not, page by page: of the writes
to one page (4,096 bytes) some first ones, torn at a sector (512 bytes) when the page was on its way. A file's size comes and
goes on its own; bytes inside the size that were never written are zero. A new, changed or removed name is there for certain
when its folder was synced; of other names some first ones of all are there, since file systems keep their order. With
names="file", a sync of a file also keeps every name so far, as the usual Linux file systems do.
"""
import hashlib
import os
import random

import records as tr

PAGE, SECTOR = 4096, 512
KEEP_SIZE, PUNCH_HOLE, ZERO_RANGE = 1, 2, 16


class File:
    """Content of one inode: what is durable, and later changes in order, each (index, offset, data, size after)."""

    def __init__(self, data=b"", mode=0o600):
        self.durable, self.mode, self.pending, self.size = bytearray(data), mode, [], len(data)
        self.floor_pages, self.floor_size = {}, -1  # what a synchronous write made certain, page by page

    def change(self, index, offset, data, size, durable):
        self.pending.append((index, offset, data, size))
        if durable:
            self.floor_size = index
            for page in pages(offset, len(data)):
                self.floor_pages[page] = index
        self.size = size

    def write(self, index, offset, data, durable):
        self.change(index, offset, data, max(self.size, offset + len(data)), durable)

    def truncate(self, index, size, durable):
        self.change(index, size, bytes(max(0, self.size - size)), size, durable)

    def allocate(self, index, mode, offset, length):
        size = self.size if mode & KEEP_SIZE else max(self.size, offset + length)
        end = min(offset + length, self.size)
        zeroed = bytes(max(0, end - offset)) if mode & (PUNCH_HOLE | ZERO_RANGE) else b""
        self.change(index, offset, zeroed, size, False)

    def sync(self, before):
        """Changes recorded before an index become durable."""
        kept = [change for change in self.pending if change[0] < before]
        apply_to(self.durable, kept)
        self.pending = self.pending[len(kept):]
        self.floor_pages = {page: index for page, index in self.floor_pages.items() if index >= before}
        if self.floor_size < before:
            self.floor_size = -1


def pages(offset, length):
    return range(offset // PAGE, (offset + length - 1) // PAGE + 1) if length else range(0)


def resize(content, size):
    if len(content) > size:
        del content[size:]
    else:
        content.extend(bytes(size - len(content)))


def apply(content, changes):
    """All changes, whole and in order."""
    content = bytearray(content)
    apply_to(content, changes)
    return content


def apply_to(content, changes):
    for _, offset, data, size in changes:
        if len(content) < offset + len(data):
            content.extend(bytes(offset + len(data) - len(content)))
        content[offset:offset + len(data)] = data
        resize(content, size)


class Choice:
    """How a state is chosen: which unsynced changes of content, of sizes, and of names are there."""

    def __init__(self, name, seed=0):
        self.name, self.random = name, random.Random(f"{name}/{seed}")

    def page_cut(self, indexes):
        """How many of the changes to a page are there; -1: the last one is torn."""
        if self.name in ("none", "names"):
            return 0
        if self.name in ("all", "data", "torn"):
            return len(indexes)
        return self.random.choice((0, len(indexes), self.random.randint(0, len(indexes))))

    def torn(self):
        return self.name == "random" and self.random.random() < 0.25

    def names_cut(self, first, last):
        """Unsynced changes of names are there up to this index."""
        if self.name in ("none", "data"):
            return first
        if self.name in ("all", "names", "torn"):
            return last
        return self.random.choice((first, last, self.random.randint(first, last)))


def content_of(file, choice):
    """One possible content of a file after the power loss."""
    if not file.pending:
        return bytes(file.durable)
    if choice.name in ("all", "data"):
        return bytes(apply(file.durable, file.pending))
    if choice.name == "torn":
        return torn_content(file, choice)
    by_page = {}
    for number, (index, offset, data, _) in enumerate(file.pending):
        for page in pages(offset, len(data)):
            by_page.setdefault(page, []).append((index, number))
    content = bytearray(file.durable)
    for page, touched in sorted(by_page.items()):
        floor = sum(index <= file.floor_pages.get(page, -1) for index, _ in touched)
        cut = max(floor, choice.page_cut(touched))
        mix = page_after(file, content, page, [number for _, number in touched[:cut]])
        if choice.torn() and cut < len(touched):
            mix = tear(mix, page_after(file, content, page, [number for _, number in touched[:cut + 1]]), choice)
        put_page(content, page, mix)
    sizes = [len(file.durable)] + [size for _, _, _, size in file.pending]
    floor = sum(index <= file.floor_size for index, _, _, _ in file.pending)
    resize(content, sizes[max(floor, choice.page_cut(file.pending))])
    return bytes(content)


def page_after(file, content, page, numbers):
    start = page * PAGE
    result = bytearray(content[start:start + PAGE].ljust(PAGE, b"\0"))
    for number in numbers:
        _, offset, data, _ = file.pending[number]
        begin, end = max(offset, start), min(offset + len(data), start + PAGE)
        result[begin - start:end - start] = data[begin - offset:end - offset]
    return result


def put_page(content, page, data):
    start = page * PAGE
    if len(content) < start + PAGE:
        content.extend(bytes(start + PAGE - len(content)))
    content[start:start + PAGE] = data


def tear(old, new, choice):
    """A page of which only some sectors were written."""
    mixed = bytearray(old)
    for at in range(0, PAGE, SECTOR):
        if choice.random.random() < 0.5:
            mixed[at:at + SECTOR] = new[at:at + SECTOR]
    return mixed


def torn_content(file, choice):
    """All but the last change, and of that one only the sectors before some point; its size is there."""
    _, offset, data, size = file.pending[-1]
    content = apply(file.durable, file.pending[:-1])
    point = choice.random.randint(0, len(data))
    point = max(0, (offset + point) // SECTOR * SECTOR - offset)
    if len(content) < offset + point:
        content.extend(bytes(offset + point - len(content)))
    content[offset:offset + point] = data[:point]
    resize(content, size)
    return bytes(content)


class Folder:
    """Names of one inode: name to inode, as they are for certain."""

    def __init__(self, mode=0o700):
        self.names, self.mode = {}, mode


class Disk:
    """The model: advanced record by record, asked for states in between."""

    def __init__(self, path, names="strict"):
        self.root, inodes = tr.started(path)
        self.names, self.objects, self.begun, self.marks, self.unseen, self.serial = names, {}, {}, [], [], 0
        self.current = {}     # inode number now -> object key
        self.paths = {}       # path now -> object key, to find what a name means
        self.changes = []     # unsynced changes of names: (index, [(folder key, name, object key or None)])
        self.before(path + ".before", inodes)

    def new(self, thing, inode, path):
        self.serial += 1
        self.objects[self.serial] = thing
        self.current[inode] = self.serial
        self.paths[path] = self.serial
        return self.serial

    def before(self, kept, inodes):
        for relative, inode in sorted(inodes.items()):
            here = os.path.normpath(os.path.join(kept, relative))
            path = os.path.normpath(os.path.join(self.root, relative))
            if os.path.isdir(here):
                key = self.new(Folder(os.stat(here).st_mode & 0o7777), inode, path)
            elif os.path.isfile(here):
                with open(here, "rb") as file:
                    key = self.new(File(file.read(), os.stat(here).st_mode & 0o7777), inode, path)
            else:
                continue
            if path != self.root:
                self.objects[self.paths[os.path.dirname(path)]].names[os.path.basename(path)] = key
        self.root_key = self.paths[self.root]

    # ---- Records

    def advance(self, index, record):
        getattr(self, "on_" + tr.NAMES[record.what].replace(" ", "_"))(index, record)

    def entry(self, path, key):
        """A change of one name: its folder, the name, what it names from now on."""
        if key is None:
            self.paths.pop(path, None)
        else:
            self.paths[path] = key
        where = self.paths.get(os.path.dirname(path))
        if where is None:
            self.unseen.append(f"the folder of {path} came from nowhere")
        return (where, os.path.basename(path), key)

    def on_open(self, index, record):
        path = record.names[0]
        if record.flags & tr.CREATED:
            key = self.new(File(mode=record.a), record.inode, path)
            self.changes.append((index, [self.entry(path, key)]))
        elif path in self.paths:
            self.current[record.inode] = self.paths[path]
        elif record.inode not in self.current:
            self.unseen.append(f"{path} came from nowhere")

    def file(self, record):
        found = self.objects.get(self.current.get(record.inode))
        if not isinstance(found, File):
            self.unseen.append(f"a change of an unknown file: {record}")
            return File()
        return found

    def on_write(self, index, record):
        self.file(record).write(index, record.a, record.data, record.flags & tr.DURABLE)

    def on_truncate(self, index, record):
        self.file(record).truncate(index, record.a, record.flags & tr.DURABLE)

    def on_allocate(self, index, record):
        self.file(record).allocate(index, record.flags >> 8, record.a, record.b)

    def on_mode(self, _index, record):
        key = self.current.get(record.inode)
        if key:
            self.objects[key].mode = record.a

    def on_mkdir(self, index, record):
        key = self.new(Folder(record.a), record.inode, record.names[0])
        self.changes.append((index, [self.entry(record.names[0], key)]))

    def on_rename(self, index, record):
        old, new = record.names
        key = self.paths.get(old)
        if key is None:
            self.unseen.append(f"a rename of an unknown file: {record}")
            return
        inner = [(path, held) for path, held in self.paths.items() if path.startswith(old + "/")]
        self.changes.append((index, [self.entry(old, None), self.entry(new, key)]))
        for path, held in inner:
            del self.paths[path]
            self.paths[new + path[len(old):]] = held

    def on_link(self, index, record):
        self.changes.append((index, [self.entry(record.names[1], self.paths.get(record.names[0]))]))

    def on_unlink(self, index, record):
        self.changes.append((index, [self.entry(record.names[0], None)]))

    on_rmdir = on_unlink

    def on_sync_begins(self, index, record):
        self.begun[record.a, record.b] = index

    def on_sync_ends(self, _index, record):
        before = self.begun.pop((record.a, record.b))
        key = self.current.get(record.inode)
        everything = record.flags & tr.EVERYTHING
        synced = self.objects.values() if everything else [self.objects[key]] if key in self.objects else []
        for thing in synced:
            if isinstance(thing, File):
                thing.sync(before)
        whole = everything or self.names == "file"
        folder = key if isinstance(self.objects.get(key), Folder) else None
        self.settle(lambda index, entries: index < before and (whole or any(where == folder for where, _, _ in entries)))

    def on_mark(self, index, record):
        self.marks.append((index, record.data.decode(errors="replace")))

    def on_unseen(self, _index, record):
        self.unseen.append(": ".join(record.names))

    def settle(self, durable):
        """Changes of names that became durable leave the list; entries are applied in order."""
        left = []
        for index, entries in self.changes:
            if durable(index, entries):
                for where, name, key in entries:
                    set_name(self.objects[where].names if where else {}, name, key)
            else:
                left.append((index, entries))
        self.changes = left

    # ---- States

    def tree(self, choice):
        """One possible state as (path, mode, content or None for a folder), parents first."""
        names = {key: dict(thing.names) for key, thing in self.objects.items() if isinstance(thing, Folder)}
        if self.changes:
            cut = choice.names_cut(self.changes[0][0] - 1, self.changes[-1][0])
            for index, entries in self.changes:
                for where, name, key in entries if index <= cut else []:
                    set_name(names[where] if where else {}, name, key)
        found, queue = [], [("", self.root_key)]
        while queue:
            path, key = queue.pop(0)
            thing = self.objects[key]
            if isinstance(thing, Folder):
                found.append((path, thing.mode, None))
                queue += [(os.path.join(path, name), inner) for name, inner in sorted(names[key].items())]
            else:
                found.append((path, thing.mode, content_of(thing, choice)))
        return found


def set_name(names, name, key):
    if key is None:
        names.pop(name, None)
    else:
        names[name] = key


def digest(tree):
    whole = hashlib.sha256()
    for path, mode, content in tree:
        whole.update(f"{path}\0{mode}\0{-1 if content is None else len(content)}\0".encode())
        whole.update(content or b"")
    return whole.hexdigest()


def write_tree(tree, folder):
    """Lay a state out as files."""
    os.makedirs(folder, exist_ok=True)
    for path, mode, content in tree:
        here = os.path.join(folder, path) if path else folder
        if content is None:
            os.makedirs(here, exist_ok=True)
            os.chmod(here, mode | 0o700)
        else:
            with open(here, "wb") as file:
                file.write(content)
            os.chmod(here, mode)
