"""Pages of the documentation taken apart: blocks of code, commands in them, links, tables, names of variables."""
import pathlib
import re
import shlex

SOURCE = pathlib.Path(__file__).resolve().parent.parent.parent
PAGES = sorted([*SOURCE.glob("*.md"), *SOURCE.glob("docs/**/*.md")])
EXAMPLES = SOURCE / "docs/examples"

FENCE = re.compile(r"^ *```(\w*)\n(.*?)^ *```$", re.MULTILINE | re.DOTALL)
VARIABLE = re.compile(r"\b(?:RINGSIDE|DD|DATADOG|OTEL|PYROSCOPE|PARCA)_[A-Z][A-Z_]*[A-Z]\b")
ASSIGNED = re.compile(r"[A-Za-z_]+=")


def name_of(page):
    return str(page.relative_to(SOURCE))


def without_code(text):
    return re.sub(r"`[^`\n]*`", "", FENCE.sub("", text))


class Command:
    """A command line of ringside's and the variables set for it."""

    def __init__(self, page, line, exported):
        self.where = f"{name_of(page)}: {line.strip()}"
        words = shlex.split(line.removeprefix("$ "), comments=True)
        if "|" in words:
            words = words[: words.index("|")]
        self.env = dict(exported)
        while ASSIGNED.match(words[0]):
            self.env.update([words.pop(0).split("=", 1)])
        self.words = words

    def __repr__(self):
        return self.where


def commands_of_block(page, block):
    exported = {}
    for line in block.splitlines():
        if line.strip().startswith("export "):
            exported.update(word.split("=", 1) for word in shlex.split(line)[1:])
        elif re.match(r"\s*(\$ )?([A-Z_]+=\S+ )*ringside ", line):
            yield Command(page, line.strip(), exported)


def commands(page):
    """All of a page but those with [placeholders]."""
    text = page.read_text()
    found = []
    for _, block in FENCE.findall(text):
        found += commands_of_block(page, block)
    text = FENCE.sub("", text)
    for line in re.findall(r"^    +(?:\$ )?(?:[A-Z_]+=\S+ )*ringside .*$", text, re.MULTILINE) + re.findall(r"`((?:[A-Z_]+=\S+ )*ringside [^`]*)`", text):
        found += commands_of_block(page, line)
    return [command for command in found if not re.search(r"\[|\b[A-Z]{4,}\b", " ".join(command.words))]


def anchors(page):
    """What a heading is called in a link, by GitHub's rule."""
    headings = re.findall(r"^#+ (.*)$", FENCE.sub("", page.read_text()), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", text).lower()).replace(" ", "-") for text in headings}


def sections(page):
    """{heading: text} of those of the second level."""
    return dict(re.findall(r"^## (.*?)\n(.*?)(?=^## |\Z)", page.read_text(), re.MULTILINE | re.DOTALL))


def links(page):
    return re.findall(r"\]\(([^)\s]+)\)", without_code(page.read_text()))


def tables(page):
    """Rows of cells; `\\|` and bars in code are no borders in what is counted here, as GitHub wants the former escaped."""
    rows = []
    for line in [*FENCE.sub("", page.read_text()).splitlines(), ""]:
        if line.startswith("|"):
            rows.append([cell.strip() for cell in re.split(r"(?<!\\)\|", line.strip())[1:-1]])
        elif rows:
            yield rows
            rows = []
