"""What the checks share: finding sources, the layers of Layers.mk, C text without comments and strings."""
import os
import re
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
_PIECE = re.compile(r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', re.S)


def read(path):
    with open(path, encoding="utf-8") as file:
        return file.read()


def layers(root="."):
    """The folders in order, and a table of what each may include."""
    text = read(os.path.join(root, "Layers.mk")).replace("\\\n", " ")
    folders = re.search(r"^FOLDERS\s*:?=(.*)$", text, re.M).group(1).split()
    rows = dict(re.findall(r"^MAY_(\w+)\s*:?=(.*)$", text, re.M))
    return folders, {folder: rows.get(folder.replace("/", "_"), "").split() for folder in folders}


def sources(folder, endings=(".c", ".h", ".def"), root="."):
    """Files of one folder, not of the folders below it."""
    path = os.path.join(root, folder)
    names = sorted(os.listdir(path)) if os.path.isdir(path) else []
    return [os.path.join(path, name) for name in names if name.endswith(endings) and not name.startswith(".")]


def all_sources(endings=(".c", ".h", ".def"), tests=True, root="."):
    """Every source of the project; paths are relative to root, with forward slashes."""
    folders, _ = layers(root)
    files = [path for folder in folders for path in sources(folder, endings, root)]
    if tests:
        for top in ("tests", "tools"):
            for place, inside, names in os.walk(os.path.join(root, top)):
                inside.sort()
                files += [os.path.join(place, name) for name in sorted(names) if name.endswith(endings)]
    return [os.path.relpath(path, root) for path in files]


def _blank(match):
    """Spaces of the same shape, so that line numbers and columns stay true; quotes stay."""
    text = match.group(0)
    inner = re.sub(r"[^\n]", " ", text)
    return text[0] + inner[1:-1] + text[-1] if text[0] in "\"'" else inner


def without_comments_and_strings(text):
    return _PIECE.sub(_blank, text)


def line_of(text, offset):
    return text.count("\n", 0, offset) + 1


def report(problems, what):
    """Print "FILE:LINE: problem" lines and return the exit status."""
    for problem in problems:
        print(problem)
    print(f"{what}: {len(problems)} problems" if problems else f"{what}: ok")
    sys.stdout.flush()
    return 1 if problems else 0
