"""House rules that a reader cannot keep in mind: sizes, names, money without float, nothing of a machine."""

import ast
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.servers import ROOT

FUNCTION_LINES = 50
FILE_LINES = 400
PRODUCT = ("emabler", "payments", "sessions_app", "chargers", "tariffs")
DRAWERS = {
    "utils",
    "util",
    "helpers",
    "helper",
    "services",
    "service",
    "manager",
    "managers",
    "misc",
    "common",
}
MONEY = re.compile(
    r"amount|price|cost|total|limit_minor|fee|vat|money|captured|authorized|_minor", re.IGNORECASE
)
# Homes and mounts of a machine; system directories such as /usr/lib are fine.
MACHINE_PATH = re.compile(r"(?<![\w.:/])/(?:home|root|Users|work)/[\w.-]+")
# Written so that this file does not hold what it looks for.
REGISTRY = re.compile(
    r"(py[p]i\.org|python[h]osted\.org|registry\.[n]pm|npm[j]s\.(?:org|com)|deb\.[d]ebian\.org"
    r"|--?(?:no-emit-|emit-|extra-)?index[-]url)"
)
BINARY = {".png", ".jpg", ".ico", ".ttf", ".woff2", ".pdf", ".gz"}


def _tracked(*suffixes: str) -> list[Path]:
    listed = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True, text=True
    ).stdout.split("\0")
    files = [ROOT / name for name in listed if name and (not suffixes or name.endswith(suffixes))]
    return [file for file in files if file.is_file()]


def _product_modules() -> list[Path]:
    return [file for file in _tracked(".py") if file.relative_to(ROOT).parts[0] in PRODUCT]


def _say(file: Path, line: int, what: str) -> str:
    return f"{file.relative_to(ROOT)}:{line}: {what}"


def _functions(tree: ast.AST) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def test_a_function_fits_on_a_screen() -> None:
    too_long = []
    for file in _tracked(".py"):
        if "migrations" in file.parts:
            continue
        for function in _functions(ast.parse(file.read_text(encoding="utf-8"))):
            lines = (function.end_lineno or function.lineno) - function.lineno + 1
            if lines > FUNCTION_LINES:
                too_long.append(_say(file, function.lineno, f"{function.name} has {lines} lines"))

    assert not too_long, f"more than {FUNCTION_LINES} lines:\n" + "\n".join(too_long)


def test_a_file_has_one_subject_and_few_lines() -> None:
    too_long = []
    for file in _tracked(".py"):
        lines = len(file.read_text(encoding="utf-8").splitlines())
        if lines > FILE_LINES and "migrations" not in file.parts:
            too_long.append(_say(file, lines, "lines"))

    assert not too_long, f"more than {FILE_LINES} lines:\n" + "\n".join(too_long)


def test_no_module_is_a_drawer() -> None:
    drawers = [file for file in _product_modules() if file.stem in DRAWERS or file.parent.name in DRAWERS]

    assert not drawers, "name these after an act: " + ", ".join(str(file) for file in drawers)


def test_every_module_says_what_it_is_for() -> None:
    silent = [
        _say(file, 1, "no module docstring")
        for file in _product_modules()
        if "migrations" not in file.parts
        and file.name != "apps.py"
        and (tree := ast.parse(file.read_text(encoding="utf-8"))).body
        and ast.get_docstring(tree) is None
    ]

    assert not silent, "\n".join(silent)


def test_money_never_passes_through_a_float() -> None:
    floats = []
    for file in _product_modules():
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call | ast.Assign | ast.AnnAssign) and _floats_money(node):
                floats.append(_say(file, node.lineno, ast.unparse(node)))

    assert not floats, "\n".join(floats)


def _floats_money(node: ast.Call | ast.Assign | ast.AnnAssign) -> bool:
    """Whether this is `float(<money>)` or `<money> = models.FloatField(…)`."""
    if isinstance(node, ast.Call):
        return ast.unparse(node.func) == "float" and bool(MONEY.search(ast.unparse(node)))
    target = node.target if isinstance(node, ast.AnnAssign) else node.targets[0]
    return "FloatField" in ast.unparse(node) and bool(MONEY.search(ast.unparse(target)))


def test_a_name_that_holds_money_is_never_annotated_as_float() -> None:
    floats = []
    for file in _product_modules():
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            name, annotation = _annotated(node)
            if (
                annotation is not None
                and MONEY.search(name)
                and re.search(r"\bfloat\b", ast.unparse(annotation))
            ):
                floats.append(_say(file, getattr(node, "lineno", 0), f"{name}: {ast.unparse(annotation)}"))

    assert not floats, "\n".join(floats)


def _annotated(node: ast.AST) -> tuple[str, ast.expr | None]:
    if isinstance(node, ast.AnnAssign):
        return ast.unparse(node.target), node.annotation
    if isinstance(node, ast.arg):
        return node.arg, node.annotation
    return "", None


def test_no_text_is_declared_safe_by_hand() -> None:
    slips = []
    for file in [*_product_modules(), *_tracked(".html")]:
        for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), 1):
            if re.search(r"\bmark_safe\b|\|\s*safe\b|autoescape off", line):
                slips.append(_say(file, number, line.strip()))

    assert not slips, "\n".join(slips)


def test_templates_carry_no_inline_script_or_style() -> None:
    slips = []
    for file in _tracked(".html"):
        text = file.read_text(encoding="utf-8")
        for found in re.finditer(r"<script(?![^>]*\bsrc=)|<style\b|\sstyle=|\son[a-z]+=", text):
            slips.append(_say(file, text.count("\n", 0, found.start()) + 1, found.group()))

    assert not slips, "the content security policy forbids it:\n" + "\n".join(slips)


@pytest.mark.parametrize(
    ("what", "pattern"), [("path of a machine", MACHINE_PATH), ("registry host", REGISTRY)]
)
def test_nothing_of_one_machine_is_in_the_repository(what: str, pattern: re.Pattern[str]) -> None:
    slips = []
    for file in _tracked():
        if file.suffix in BINARY:
            continue
        for number, line in enumerate(file.read_text(encoding="utf-8", errors="replace").splitlines(), 1):
            if found := pattern.search(line):
                slips.append(_say(file, number, f"{what}: {found.group()}"))

    assert not slips, "\n".join(slips)


def test_tests_are_named_the_same_in_every_process() -> None:
    """Processes that share the tests collect them at different moments, and must find the same ones."""
    clocks = {"now", "today", "utcnow", "uuid4", "random", "monotonic"}
    found = []
    for file in _tracked(".py"):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Call) and ast.unparse(node.func).endswith("mark.parametrize"):
                called = {
                    ast.unparse(inner.func).rsplit(".")[-1]
                    for inner in ast.walk(node)
                    if isinstance(inner, ast.Call)
                }
                if called & clocks:
                    found.append(_say(file, node.lineno, f"parametrised by {called & clocks}"))
    assert found == []
