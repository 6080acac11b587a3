"""What a disk can hold after a power loss at any point of a trace.

The rules, no kinder than POSIX: what a sync covered is there. Other writes may be there or not, page by page: of the writes
to one page (4,096 bytes) some first ones, torn at a sector (512 bytes) when the page was on its way, but for files that are
said to be written in whole pages. A file's size comes and
goes on its own; bytes inside the size that were never written are zero. A new, changed or removed name is there for certain
when its folder was synced; of other names some first ones of all are there, since file systems keep their order. With
names="file", a sync of a file also keeps every name so far, as the usual Linux file systems do.
"""
import os
import random
import re

import records as tr

PAGE, SECTOR = 4096, 512
KEEP_SIZE, PUNCH_HOLE, ZERO_RANGE = 1, 2, 16


ZEROES = bytes(PAGE)


class Content:
    """Bytes of a file, page by page; pages of zeroes are left out and pages are never changed in place, so that copies are cheap
    and a state can be told from another without reading all of it."""
    __slots__ = ("pages", "size", "inode")

    def __init__(self, data=b""):
        self.pages, self.size, self.inode = {}, 0, 0
        self.write(0, data, len(data))

    def copy(self):
        other = Content()
        other.pages, other.size = dict(self.pages), self.size
        return other

    def page(self, number):
        return self.pages.get(number, ZEROES)

    def put(self, number, page):
        if page == ZEROES:
            self.pages.pop(number, None)
        else:
            self.pages[number] = bytes(page)

    def write(self, offset, data, size):
        for number in pages(offset, len(data)):
            self.put(number, overwritten(self.page(number), number * PAGE, offset, data))
        self.size = max(self.size, offset + len(data))
        self.resize(size)

    def resize(self, size):
        if size < self.size:
            for number in [number for number in self.pages if number * PAGE >= size]:
                del self.pages[number]
            if size % PAGE:
                self.put(size // PAGE, self.page(size // PAGE)[:size % PAGE].ljust(PAGE, b"\0"))
        self.size = size

    def holds(self, offset, data):
        """Does the data stand there already?"""
        for number in pages(offset, len(data)):
            begin, end = max(offset, number * PAGE), min(offset + len(data), number * PAGE + PAGE)
            if self.page(number)[begin - number * PAGE:end - number * PAGE] != data[begin - offset:end - offset]:
                return False
        return True

    def __bytes__(self):
        whole = bytearray(self.size)
        for number, page in self.pages.items():
            start = number * PAGE
            whole[start:start + PAGE] = page[:max(0, self.size - start)]
        return bytes(whole)

    def mark(self):
        """Tells contents apart. Python remembers the hash of a page."""
        return self.size, tuple(sorted((number, hash(page)) for number, page in self.pages.items()))


class File:
    """Content of one inode: what is durable, and later changes in order, each (index, offset, data, size after)."""

    def __init__(self, data=b"", mode=0o600, unit=SECTOR, inode=0):
        self.durable, self.mode, self.pending, self.size = Content(data), mode, [], len(data)
        self.unit, self.inode = unit, inode         # what is written whole; the number the file had
        self.floor_pages, self.floor_size = {}, -1  # what a synchronous write made certain, page by page
        self.latest = self.durable.copy()           # with all changes

    def change(self, index, offset, data, size, durable):
        """False: it changes nothing, as when what is zero is zeroed again, and no state can tell whether it was made."""
        if not durable and size == self.latest.size and self.latest.holds(offset, data):
            return False
        self.pending.append((index, offset, data, size))
        self.latest.write(offset, data, size)
        if durable:
            self.floor_size = index
            for page in pages(offset, len(data)):
                self.floor_pages[page] = index
        self.size = size
        return True

    def write(self, index, offset, data, durable):
        return self.change(index, offset, data, max(self.size, offset + len(data)), durable)

    def truncate(self, index, size, durable):
        return self.change(index, size, bytes(max(0, self.size - size)), size, durable)

    def allocate(self, index, mode, offset, length):
        size = self.size if mode & KEEP_SIZE else max(self.size, offset + length)
        end = min(offset + length, self.size)
        zeroed = bytes(max(0, end - offset)) if mode & (PUNCH_HOLE | ZERO_RANGE) else b""
        return self.change(index, offset, zeroed, size, False)

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


def overwritten(page, start, offset, data):
    """A page that starts at a place in the file, with the part of data that falls into it."""
    begin, end = max(offset, start), min(offset + len(data), start + PAGE)
    return page[:begin - start] + data[begin - offset:end - offset] + page[end - start:]


def apply(content, changes):
    """All changes, whole and in order."""
    content = content.copy()
    apply_to(content, changes)
    return content


def apply_to(content, changes):
    for _, offset, data, size in changes:
        content.write(offset, data, size)


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
    """One possible content of a file after the power loss, as bytes."""
    return bytes(pages_of(file, choice))


def pages_of(file, choice):
    if not file.pending:
        return file.durable.copy()
    if choice.name in ("all", "data"):
        return apply(file.durable, file.pending)
    if choice.name == "torn":
        return torn_content(file, choice)
    by_page = {}
    for number, (index, offset, data, _) in enumerate(file.pending):
        for page in pages(offset, len(data)):
            by_page.setdefault(page, []).append((index, number))
    content = file.durable.copy()
    for page, touched in sorted(by_page.items()):
        floor = sum(index <= file.floor_pages.get(page, -1) for index, _ in touched)
        cut = max(floor, choice.page_cut(touched))
        mix = page_after(file, page, [number for _, number in touched[:cut]])
        if choice.torn() and cut < len(touched):
            mix = tear(mix, page_after(file, page, [number for _, number in touched[:cut + 1]]), file.unit, choice)
        content.put(page, mix)
    sizes = [file.durable.size] + [size for _, _, _, size in file.pending]
    floor = sum(index <= file.floor_size for index, _, _, _ in file.pending)
    content.size = max(content.size, PAGE * (max(by_page, default=-1) + 1))
    content.resize(sizes[max(floor, choice.page_cut(file.pending))])
    return content


def page_after(file, page, numbers):
    result = file.durable.page(page)
    for number in numbers:
        _, offset, data, _ = file.pending[number]
        result = overwritten(result, page * PAGE, offset, data)
    return result


def tear(old, new, unit, choice):
    """A page of which only some sectors were written."""
    mixed = bytearray(old)
    for at in range(0, PAGE, unit):
        if choice.random.random() < 0.5:
            mixed[at:at + unit] = new[at:at + unit]
    return mixed


def torn_content(file, choice):
    """All but the last change, and of that one only the sectors before some point; its size is there."""
    _, offset, data, size = file.pending[-1]
    content = apply(file.durable, file.pending[:-1])
    point = choice.random.randint(0, len(data))
    point = max(0, (offset + point) // file.unit * file.unit - offset)
    content.write(offset, data[:point], size)
    return content


class Folder:
    """Names of one inode: name to inode, as they are for certain."""

    def __init__(self, mode=0o700):
        self.names, self.mode = {}, mode


class Disk:
    """The model: advanced record by record, asked for states in between."""

    def __init__(self, path, names="strict", whole=None):
        """whole: expression that finds paths of files that reach the disk in whole pages."""
        self.whole = re.compile(whole) if whole else None
        self.root, inodes = tr.started(path)
        self.names, self.objects, self.begun, self.marks, self.unseen, self.serial = names, {}, {}, [], [], 0
        self.current = {}     # inode number now -> object key
        self.paths = {}       # path now -> object key, to find what a name means
        self.changes = []     # unsynced changes of names: (index, [(folder key, name, object key or None)])
        self.idle = set()     # records of changes that change nothing
        self.before(path + ".before", inodes)

    def new(self, thing, inode, path):
        self.serial += 1
        self.objects[self.serial] = thing
        self.current[inode] = self.serial
        self.paths[path] = self.serial
        return self.serial

    def new_file(self, data, mode, inode, path):
        whole = self.whole and self.whole.search(path)
        return File(data, mode, PAGE if whole else SECTOR, inode)

    def before(self, kept, inodes):
        for relative, inode in sorted(inodes.items()):
            here = os.path.normpath(os.path.join(kept, relative))
            path = os.path.normpath(os.path.join(self.root, relative))
            if os.path.isdir(here):
                key = self.new(Folder(os.stat(here).st_mode & 0o7777), inode, path)
            elif os.path.isfile(here):
                with open(here, "rb") as file:
                    key = self.new(self.new_file(file.read(), os.stat(here).st_mode & 0o7777, inode, path), inode, path)
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
            key = self.new(self.new_file(b"", record.a, record.inode, path), record.inode, path)
            self.changes.append((index, [self.entry(path, key)]))
        elif path in self.paths:
            self.current[record.inode] = self.paths[path]
            self.idle.add(index)
        elif record.inode not in self.current:
            self.unseen.append(f"{path} came from nowhere")

    def file(self, record):
        found = self.objects.get(self.current.get(record.inode))
        if not isinstance(found, File):
            self.unseen.append(f"a change of an unknown file: {record}")
            return File()
        return found

    def on_write(self, index, record):
        self.changed(index, self.file(record).write(index, record.a, record.data, record.flags & tr.DURABLE))

    def on_truncate(self, index, record):
        self.changed(index, self.file(record).truncate(index, record.a, record.flags & tr.DURABLE))

    def on_allocate(self, index, record):
        self.changed(index, self.file(record).allocate(index, record.flags >> 8, record.a, record.b))

    def changed(self, index, any_change):
        if not any_change:
            self.idle.add(index)

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
                content = pages_of(thing, choice)
                content.inode = thing.inode
                found.append((path, thing.mode, content))
        return found


def set_name(names, name, key):
    if key is None:
        names.pop(name, None)
    else:
        names[name] = key


def digest(tree):
    """Tells states apart, within one run."""
    return hash(tuple((path, mode, content and content.mark()) for path, mode, content in tree))


def write_tree(tree, folder):
    """Lay a state out as files."""
    os.makedirs(folder, exist_ok=True)
    for path, mode, content in tree:
        here = os.path.join(folder, path) if path else folder
        if content is None:
            os.makedirs(here, exist_ok=True)
            os.chmod(here, mode | 0o700)
        else:
            write_file(content, here)
            os.chmod(here, mode)


def write_file(content, here):
    """With holes where there are only zeroes."""
    with open(here, "wb") as file:
        for number, page in sorted(content.pages.items()):
            file.seek(number * PAGE)
            file.write(page)
        file.truncate(content.size)
