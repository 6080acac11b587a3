#!/usr/bin/env python3
"""The report for auditors: right numbers, nothing from records taken as markup, no network, and a page that Debian's Chromium shows and prints."""
# time-limit: 300
import html.parser
import os
import re
import struct
import subprocess
import sys
import zlib

from keyserver import BIN, SLOW, read, write
from scenario import Folder, expect, main, run, test
from smfmake import Chain, make_key

EVIL = "<script>alert('x')</script>\"&"


def dump(*words, status=0, **named):
    return run(os.path.join(BIN, "smfdump"), *words, status=status, **named)


def sample(folder, events=200):
    chain, records = Chain(), []
    key, certificate = make_key(folder, "signer")
    for i in range(events):
        drive = f"00000788840{i % 3}"
        if i == 50:
            more = chain.event(kind="configuration_management", verb="config-set", user="alice", user_kind="operator", address="local",
                               object="drive.pending.max", old="20", new=EVIL)
        elif i == 60:
            more = chain.event(kind="configuration_management", verb="config-set", user="alice", user_kind="operator", object="Admin.ssl.keystore.password",
                               old="****", new="****")
        elif i % 40 == 7:
            more = chain.event(kind="runtime", failed=True, verb="key-get", user=EVIL, user_kind="drive", drive=drive, volser="VOL009",
                               message_id="KLM0503E", message="Label " + EVIL)
        elif i == 80:
            more = chain.event(kind="resource_management", verb="drive-add", user="bob", user_kind="operator", object="000007888499", seconds=90000)
        else:
            more = chain.event(verb="key-create" if i % 2 else "key-get", user=drive, user_kind="drive", drive=drive, wwn="500507630240FB0" + drive[-1],
                               volser=f"VOL{i % 7:03d}", labels=("LABEL1",), client="cd" * 32, address="10.0.0.1", seconds=300, skip=4 if i == 100 else 0)
        records += more[0]
        if i % 50 == 49:
            records.append(chain.checkpoint(key, certificate))
    write(f"{folder}/in", b"".join(records))
    return f"{folder}/in", certificate


class Page(html.parser.HTMLParser):
    """What is in the page: tags, tables by caption, ids, text, everything that names another place."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.ids, self.links, self.scopes, self.tables, self.cells, self.row, self.caption, self.into = [], [], [], 0, {}, [], [], "", None
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        attrs = dict(attrs)
        self.tags.append(tag)
        self.ids += [attrs["id"]] if "id" in attrs else []
        self.links += [attrs[name] for name in ("src", "href", "action", "data", "xlink:href", "srcset", "poster") if name in attrs]
        expect(not [name for name in attrs if name.startswith("on")], str(attrs))
        if tag == "table":
            self.caption, self.cells = "", []
        elif tag == "tr":
            self.row = []
        elif tag in ("td", "th"):
            expect(tag == "td" or attrs.get("scope") in ("row", "col"), f"th without scope: {attrs}")
            self.row.append("")
        self.into = tag if tag in ("td", "th", "caption") else self.into

    def handle_endtag(self, tag):
        if tag == "tr":
            self.cells.append(self.row)
        elif tag == "table":
            self.tables[self.caption] = self.cells
        self.into = None if tag in ("td", "th", "caption") else self.into

    def handle_data(self, text):
        if self.into == "caption":
            self.caption += text
        elif self.into:
            self.row[-1] += text


def column(page, caption, name):
    rows = page.tables[caption]
    return [row[rows[0].index(name)] for row in rows[1:]]


@test
def the_tables_answer_an_auditors_questions():
    with Folder() as folder:
        path, certificate = sample(folder)
        dump("--report", f"{folder}/r.html", "-c", certificate, path)
        page = Page(read(f"{folder}/r.html"))
        served = page.tables["Keys served"]
        expect(len(served) - 1 == 192, str(len(served)))
        expect(served[1][:8] == ["2026-11-22 01:07:03", "000007888400", "000007888400", "10.0.0.1", "VOL000", "LABEL1", "key, for reading", "KLM1"], str(served[1]))
        expect(sum(int(n) for n in column(page, "Volumes", "Keys to read")) == 97 and sum(int(n) for n in column(page, "Volumes", "Keys to write")) == 95, "volumes")
        expect(column(page, "Drives", "Drive") and len(column(page, "Drives", "Drive")) == 3, "drives")
        expect(column(page, "Operators", "Operator") == ["alice", "bob"] and column(page, "Operators", "Events") == ["2", "1"], str(page.tables["Operators"]))
        expect(column(page, "Reasons", "Message") == ["KLM0503E"] and column(page, "Reasons", "Events") == ["5"], str(page.tables["Reasons"]))
        expect(len(page.tables["Each failure"]) == 6 and set(column(page, "Each failure", "Who")) == {EVIL}, "failures")
        expect(list(zip(column(page, "Configuration", "Old value"), column(page, "Configuration", "New value"))) == [("20", EVIL), ("****", "****")], "changes")
        expect(column(page, "Drives, rings, certificates, keys", "Operation") == ["drive-add"], "management")
        expect(page.tables["Gaps in sequence"][1][:4] == ["KLM1", "101", "104", "4"], str(page.tables["Gaps in sequence"]))
        expect(page.tables["Longest times without an event"][1][2] == "1 d 1 h", str(page.tables["Longest times without an event"]))
        expect(column(page, "First contacts of drives", "Drive")[0] == "000007888400" and len(column(page, "First contacts of clients", "Client")) == 1, "contacts")
        expect("signatures of all 4 checkpoints are good" in read(f"{folder}/r.html"), "the chain")


@test
def nothing_from_records_becomes_markup_and_nothing_is_fetched():
    with Folder() as folder:
        path, _ = sample(folder)
        dump("--report", f"{folder}/r.html", path)
        text = read(f"{folder}/r.html")
        page = Page(text)
        expect("script" not in page.tags and EVIL not in text, "escaped")
        expect("&lt;script&gt;alert(&apos;x&apos;)&lt;/script&gt;&quot;&amp;" in text, "and shown")
        expect(all(link.startswith("#") and link[1:] in page.ids for link in page.links), str(page.links))
        expect(len(page.ids) == len(set(page.ids)), "ids are unique")
        expect(not re.search(r"url\((?!#)|@import|https?://(?!www\.w3\.org/2000/svg)", text), "no address but the name of SVG")
        expect("default-src 'none'" in text and page.tags.count("svg") >= 3 and page.tags.count("title") == page.tags.count("svg") + 1, "policy, titles")


@test
def the_report_as_text_has_the_same_answers():
    with Folder() as folder:
        path, certificate = sample(folder)
        said = dump("--text", "-c", certificate, path)
        for word in ("Keys served", "VOL003", "drive.pending.max", "KLM0503E", "1 d 1 h", "the chain of 204 records holds", "alice", "Events by hour"):
            expect(word in said, word)
        expect("\x1b" not in said, "no control characters")
        both = dump("--text", "--report", f"{folder}/r.html", path)
        expect("Keys served" in both and os.path.getsize(f"{folder}/r.html") > 10000, "both at once")


@test
def a_chain_that_does_not_hold_stands_at_the_top():
    with Folder() as folder:
        path, _ = sample(folder)
        content = bytearray(open(path, "rb").read())
        content[4000] ^= 1
        write(f"{folder}/bad", bytes(content))
        dump("--report", f"{folder}/r.html", f"{folder}/bad", status=None)
        expect(re.search(r'class="verdict bad">KLM1: the chain of records does NOT hold', read(f"{folder}/r.html")), "said")


@test
def limits_and_selections_hold():
    with Folder() as folder:
        path, _ = sample(folder)
        dump("--report", f"{folder}/r.html", "--limit", "10", path)
        page = Page(read(f"{folder}/r.html"))
        expect(len(page.tables["Keys served"]) == 11 and "and 182 more" in read(f"{folder}/r.html"), "limit")
        expect("KLM0790E" in dump("--report", f"{folder}/r.html", path, status=1), "not over what is there")
        dump("--report", f"{folder}/r.html", "--replace", "--from", "2026-11-23T12:00", path)
        times = column(Page(read(f"{folder}/r.html")), "Keys served", "Time (UTC)")
        expect(10 < len(times) < 100 and min(times) >= "2026-11-23 12:00", str(times[:1]))
        write(f"{folder}/empty", b"")
        dump("--report", f"{folder}/e.html", "--text", f"{folder}/empty")
        expect("No events" in read(f"{folder}/e.html"), "an empty data set")


# ---- In the browser


def chromium(folder, *words):
    done = subprocess.run(["chromium", "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--hide-scrollbars", "--no-first-run",
                           f"--user-data-dir={folder}/profile", "--window-size=1280,2000", *words, f"file://{folder}/r.html"],
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, check=False, timeout=90 * SLOW,
                          env=dict(os.environ, HOME=folder, XDG_CONFIG_HOME=folder, XDG_CACHE_HOME=folder, ASAN_OPTIONS="", LD_PRELOAD=""))
    expect(done.returncode == 0, done.stderr[-2000:])
    return done.stdout


def png_rows(path):
    """Width, and the rows of pixels of a PNG of 8 bits a sample."""
    with open(path, "rb") as file:
        content = file.read()
    expect(content[:8] == b"\x89PNG\r\n\x1a\n", "a PNG")
    at, packed = 8, b""
    while at < len(content):
        length, kind = struct.unpack(">I4s", content[at:at + 8])
        body = content[at + 8:at + 8 + length]
        if kind == b"IHDR":
            width, height, depth, colour = struct.unpack(">IIBB", body[:10])
        packed += body if kind == b"IDAT" else b""
        at += length + 12
    expect(depth == 8 and colour in (2, 6), f"{depth} {colour}")
    size = 3 if colour == 2 else 4
    raw, rows, before = zlib.decompress(packed), [], bytearray(width * size)
    for y in range(height):
        line = unfilter(raw[y * (width * size + 1)], bytearray(raw[y * (width * size + 1) + 1:(y + 1) * (width * size + 1)]), before, size)
        rows.append(line)
        before = line
    return width, size, rows


def unfilter(kind, line, before, size):
    for i in range(len(line)):
        left = line[i - size] if i >= size else 0
        up, corner = before[i], before[i - size] if i >= size else 0
        if kind == 4:
            guess = left + up - corner
            near = [abs(guess - left), abs(guess - up), abs(guess - corner)]
            add = (left, up, corner)[near.index(min(near))]
        else:
            add = (0, left, up, (left + up) // 2)[kind]
        line[i] = (line[i] + add) & 0xFF
    return line


@test
def chromium_shows_and_prints_the_page():
    with Folder() as folder:
        path, certificate = sample(folder)
        dump("--report", f"{folder}/r.html", "-c", certificate, path)
        dom = chromium(folder, "--dump-dom")
        page = Page(dom)
        expect(page.tags.count("svg") >= 3 and "Keys served" in page.tables and "rect" in page.tags, "tables and charts are there")
        chromium(folder, f"--screenshot={folder}/shot.png")
        width, size, rows = png_rows(f"{folder}/shot.png")
        expect(width == 1280 and len(rows) == 2000, f"{width} {len(rows)}")
        seen = {bytes(rows[y][x * size:x * size + 3]) for y in range(0, 2000, 7) for x in range(0, width, 5)}
        expect(len(seen) > 20, f"{len(seen)} colours")
        expect(bytes.fromhex("33658a") in seen and bytes.fromhex("e4f0e6") in seen, "bars of a chart and the good verdict are seen")
        chromium(folder, "--no-pdf-header-footer", f"--print-to-pdf={folder}/r.pdf")
        with open(f"{folder}/r.pdf", "rb") as file:
            pdf = file.read()
        expect(pdf[:5] == b"%PDF-" and len(pdf) > 20000 and len(re.findall(rb"/Type /Page\b", pdf)) >= 2, f"{len(pdf)} bytes")


if __name__ == "__main__":
    sys.exit(main())
