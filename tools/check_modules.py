#!/usr/bin/env python3
"""Checks the walls between modules: docs/modules.txt against every #include in include/ and src/.

    tools/check_modules.py [ROOT]      check a tree (default: the one this file lies in)
    tools/check_modules.py --self-test  check the checker on small broken trees

Refused: a module that uses what its line does not list; a line that uses a module not listed before it (so no
cycles); a folder or public header without a line and a line without a public header or a folder; a private header
of one module included by another; a project header in angle brackets.
"""
import pathlib
import re
import sys
import tempfile

INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*(?:"([^"\n]*)"|<([^>\n]*)>)', re.M)
LINE = re.compile(r"([a-z][a-z0-9_]*):((?:[ \t]+[a-z][a-z0-9_]*)*)[ \t]*")
HEADERLESS = {"cmd"}  # the programs' main functions: nobody may include them


def read_uses(path, problems):
    """{module: set of modules it may use}, in file order."""
    uses = {}
    for number, line in enumerate(path.read_text().splitlines(), 1):
        text = line.split("#", 1)[0].rstrip()
        if not text:
            continue
        match = LINE.fullmatch(text)
        if not match:
            problems.append(f"{path.name}:{number}: not of the form 'name: module module...'")
            continue
        name, used = match.group(1), match.group(2).split()
        if name in uses:
            problems.append(f"{path.name}:{number}: {name} is listed twice")
        for other in used:
            if other not in uses:
                problems.append(f"{path.name}:{number}: {name} uses {other}, which is not listed above it (unknown, or a cycle)")
        uses[name] = set(used)
    return uses


def includes_of(path):
    text = path.read_text(errors="replace")
    for match in INCLUDE.finditer(text):
        yield text.count("\n", 0, match.start()) + 1, match.group(1), match.group(2)


def public_module(name):
    """The module of "ringside/MODULE.h", or None."""
    match = re.fullmatch(r"ringside/([a-z0-9_]+)\.h", name)
    return match.group(1) if match else None


def check_file(root, path, module, uses, problems):
    private_root = root / "src" / module
    is_public = path.parent == root / "include" / "ringside"
    for line, quoted, angled in includes_of(path):
        where = f"{path.relative_to(root)}:{line}"
        name = quoted if quoted is not None else angled
        target = public_module(name)
        if target is None and name.startswith("ringside/"):
            problems.append(f"{where}: {name}: public headers lie directly in include/ringside")
        elif target is not None and quoted is None:
            problems.append(f"{where}: {name}: project headers are included with quotes")
        elif target is not None:
            if target != module and target not in uses[module]:
                problems.append(f"{where}: {module} may not use {target} (docs/modules.txt)")
        elif quoted is not None and is_public:
            problems.append(f"{where}: {quoted}: a public header may include public headers only")
        elif quoted is not None:
            check_private(root, path, quoted, private_root, where, problems)


def check_private(root, path, quoted, private_root, where, problems):
    """A quoted include that is not public must be a private header of the same module, or generated (in no source folder)."""
    if ".." in pathlib.PurePath(quoted).parts:
        problems.append(f"{where}: {quoted}: no way out of the module's folder")
        return
    if (path.parent / quoted).exists() or (private_root / quoted).exists():
        return
    owners = [p for p in (root / "src").glob(f"*/{quoted}")]
    if owners:
        problems.append(f"{where}: {quoted} is private to {owners[0].relative_to(root / 'src').parts[0]}")


def check_tree(root):
    problems = []
    uses = read_uses(root / "docs" / "modules.txt", problems)
    headers = {p.stem: p for p in (root / "include" / "ringside").glob("*.h")}
    folders = {p.name: p for p in (root / "src").iterdir() if p.is_dir()}

    for name in sorted(set(headers) - set(uses)):
        problems.append(f"include/ringside/{name}.h: module not in docs/modules.txt")
    for name in sorted(set(folders) - set(uses)):
        problems.append(f"src/{name}: module not in docs/modules.txt")
    for stray in sorted(p for p in (root / "src").iterdir() if p.is_file()):
        problems.append(f"src/{stray.name}: code lives in a module's folder")
    for stray in sorted(p for p in (root / "include").rglob("*") if p.is_file() and p.parent != root / "include" / "ringside"):
        problems.append(f"{stray.relative_to(root)}: public headers lie directly in include/ringside")

    for module in uses:
        if module not in headers and module not in HEADERLESS:
            problems.append(f"{module}: no public header include/ringside/{module}.h")
        code = sorted(p for p in folders[module].rglob("*") if p.suffix in (".c", ".h")) if module in folders else []
        if module in headers:
            code.append(headers[module])
        elif module not in folders:
            problems.append(f"{module}: neither a header nor a folder")
        for path in code:
            check_file(root, path, module, uses, problems)
    return problems


# ---- the checker's own tests ----

GOOD = {
    "docs/modules.txt": "# words\nbase:\nring: base\ncmd: base ring\n",
    "include/ringside/base.h": "#include <stdint.h>\n",
    "include/ringside/ring.h": '#include "ringside/base.h"\n',
    "src/base/base.c": '#include "ringside/base.h"\n#include <stdio.h>\n',
    "src/ring/ring.c": '#include "ringside/ring.h"\n#include "page.h"\n#include "made.pb-c.h"\n',
    "src/ring/page.h": '#include "ringside/base.h"\n',
    "src/cmd/main.c": '#include "ringside/ring.h"\n',
}
BROKEN = [  # (what is wrong, changes, words of the complaint)
    ("use that is not listed", {"src/base/base.c": '#include "ringside/ring.h"\n'}, "base may not use ring"),
    ("spaces do not hide it", {"src/base/base.c": ' # include  "ringside/ring.h"\n'}, "base may not use ring"),
    ("headers count too", {"include/ringside/base.h": '#include "ringside/ring.h"\n'}, "base may not use ring"),
    ("private headers count too", {"src/base/x.h": '#include "ringside/ring.h"\n'}, "base may not use ring"),
    ("deep files count too", {"src/base/deep/x.c": '#include "ringside/ring.h"\n'}, "base may not use ring"),
    ("cycle", {"docs/modules.txt": "base: ring\nring: base\ncmd: base ring\n"}, "a cycle"),
    ("itself", {"docs/modules.txt": "base: base\nring: base\ncmd: base ring\n"}, "a cycle"),
    ("unknown module", {"docs/modules.txt": "base:\nring: base bass\ncmd: base ring\n"}, "uses bass"),
    ("twice", {"docs/modules.txt": "base:\nring: base\nring: base\ncmd: base ring\n"}, "listed twice"),
    ("bad line", {"docs/modules.txt": "base:\nring: base\ncmd: base ring\nsome words\n"}, "not of the form"),
    ("folder without a line", {"src/extra/x.c": ""}, "src/extra: module not in"),
    ("header without a line", {"include/ringside/extra.h": ""}, "extra.h: module not in"),
    ("line without a header", {"include/ringside/ring.h": None}, "no public header"),
    ("line without anything", {"docs/modules.txt": GOOD["docs/modules.txt"] + "ghost: base\n"}, "neither"),
    ("private header of another", {"src/cmd/main.c": '#include "page.h"\n'}, "private to ring"),
    ("way out", {"src/cmd/main.c": '#include "../ring/page.h"\n'}, "no way out"),
    ("private header in a public one", {"include/ringside/ring.h": '#include "page.h"\n'}, "public headers only"),
    ("angle brackets", {"src/base/base.c": "#include <ringside/base.h>\n"}, "with quotes"),
    ("include of main", {"src/ring/ring.c": '#include "ringside/cmd.h"\n'}, "may not use cmd"),
    ("code outside", {"src/loose.c": ""}, "lives in a module's folder"),
    ("header outside", {"include/loose.h": ""}, "directly in include/ringside"),
    ("nested public header", {"src/cmd/main.c": '#include "ringside/a/b.h"\n'}, "directly in include/ringside"),
]


def write_tree(root, files):
    for name, text in files.items():
        if text is not None:
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).write_text(text)


def self_test():
    failed = 0
    for what, changes, complaint in [("nothing", {}, None)] + BROKEN:
        with tempfile.TemporaryDirectory() as folder:
            root = pathlib.Path(folder)
            write_tree(root, {**GOOD, **changes})
            problems = check_tree(root)
        good = not problems if complaint is None else any(complaint in p for p in problems)
        if not good:
            failed += 1
            print(f"self-test '{what}': expected {complaint!r}, got {problems}")
    print(f"self-test: {len(BROKEN) + 1} trees, {failed} judged wrongly")
    return 1 if failed else 0


def main(args):
    if args == ["--self-test"]:
        return self_test()
    root = pathlib.Path(args[0] if args else pathlib.Path(__file__).resolve().parent.parent)
    problems = check_tree(root)
    for problem in problems:
        print(problem)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
