"""The files around the code agree with it, and with each other."""

from __future__ import annotations

import ast
import configparser
import re
from collections.abc import Iterator
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version
from pages import ROOT

from czictypes.model import lazy
from native.sources import read_sources, read_toml

yaml = pytest.importorskip("yaml", reason="the project's own files are YAML: pip install pyyaml")

if not (ROOT / ".github").is_dir():
    pytest.skip(
        "a source distribution has no .github; the repository has it", allow_module_level=True
    )

ADDRESS = "https://github.com/czictypes/czictypes"
HEADINGS = ["Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"]


def loaded(path: str) -> Any:
    return yaml.safe_load((ROOT / path).read_text(encoding="utf-8"))


def text(path: str) -> str:
    return (ROOT / path).read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def pyproject() -> dict[str, Any]:
    return read_toml(ROOT / "pyproject.toml")


@pytest.fixture(scope="module")
def tox() -> configparser.ConfigParser:
    parser = configparser.ConfigParser(interpolation=None)
    parser.read(ROOT / "tox.ini", encoding="utf-8")
    return parser


def workflow_jobs() -> dict[str, Any]:
    workflows = (ROOT / ".github" / "workflows").glob("*.yml")
    return {
        name: job
        for path in workflows
        for name, job in loaded(f".github/workflows/{path.name}")["jobs"].items()
    }


def test_every_python_of_the_classifiers_is_tested(pyproject: dict[str, Any]) -> None:
    pythons = workflow_jobs()["tests"]["strategy"]["matrix"]["python"]
    promised = re.findall(r"Python :: (3\.\d+)", "\n".join(pyproject["project"]["classifiers"]))
    assert [one for one in pythons if one.startswith("3.") and not one.endswith("t")] == promised
    assert pyproject["project"]["requires-python"] == f">={promised[0]}"
    assert {one.rstrip("t") for one in pythons if one.endswith("t")} <= set(promised)


def test_every_system_of_the_classifiers_is_tested(pyproject: dict[str, Any]) -> None:
    matrix = workflow_jobs()["tests"]["strategy"]["matrix"]
    tested = {one["os"].split("-")[0] for one in matrix["include"]} | set(matrix["os"])
    names = {"linux": "ubuntu", "windows": "windows", "macos": "macos"}
    promised = [one for one in pyproject["project"]["classifiers"] if one.startswith("Operating")]
    assert len(promised) == len(names)
    for one in promised:
        assert names[one.split(":: ")[-1].split()[-1].lower()] in tested


def test_workflows_and_contributing_name_environments_of_tox(tox: Any) -> None:
    steps = [step for job in workflow_jobs().values() for step in job.get("steps", ())]
    commands = "\n".join(step.get("run", "") for step in steps) + text("CONTRIBUTING.md")
    named = set(re.findall(r"tox(?: run)? -e ([\w-]+)", commands))
    named |= {one["tests"] for one in workflow_jobs()["tests"]["strategy"]["matrix"]["include"]}
    assert {"lint", "wheels", "core", "py"} <= named
    assert {f"testenv:{name}" for name in named} <= set(tox.sections())
    assert "python build_native.py --wheels dist" in tox["testenv:wheels"]["commands"]


def test_the_recipe_has_the_pinned_sources() -> None:
    pinned = read_sources()
    needed = [pinned.libczi_source(pinned.default_libczi), *pinned.parts.values()]
    listed = loaded("recipe/recipe.yaml")["source"][1:]
    assert {(one["file_name"], one["sha256"]) for one in listed} == {
        (one.file, one.sha256) for one in needed
    }
    for one in listed:
        assert one["url"].rsplit("/", 1)[1] == one["file_name"]
        assert one["target_directory"] == "cache/downloads"


def test_the_recipe_has_the_requirements_of_pyproject(pyproject: dict[str, Any]) -> None:
    def names(requirements: list[str]) -> list[str]:
        return [one.split(";")[0].replace(">=", " >=").strip() for one in requirements]

    recipe = loaded("recipe/recipe.yaml")
    python = f"python {pyproject['project']['requires-python']}"
    needed = [python, *names(pyproject["project"]["dependencies"])]
    assert recipe["requirements"]["run"] == needed
    built_with = {one.split()[0] for one in names(pyproject["build-system"]["requires"])}
    host = {one.split()[0] for one in recipe["requirements"]["host"]}
    assert built_with - {"tomli"} == (host | {"cmake", "ninja"}) - {"python"}
    assert recipe["about"]["license"] == pyproject["project"]["license"]


@pytest.mark.parametrize("form", ["problem", "wish"])
def test_a_form_can_be_filled_in(form: str) -> None:
    content = loaded(f".github/ISSUE_TEMPLATE/{form}.yml")
    assert {"name", "description", "body"} <= set(content)
    ids = [field["id"] for field in content["body"]]
    assert len(set(ids)) == len(ids)
    assert any(field.get("validations", {}).get("required") for field in content["body"])
    for field in content["body"]:
        assert field["type"] in ("input", "textarea", "dropdown", "checkboxes")
        assert field["attributes"]["label"]


def test_the_citation_is_of_this_project(pyproject: dict[str, Any]) -> None:
    citation = loaded("CITATION.cff")
    assert citation["cff-version"] == "1.2.0"
    assert citation["title"].startswith(pyproject["project"]["name"])
    assert citation["license"] == "MIT"
    names = [author["name"] for author in pyproject["project"]["authors"]]
    assert [author["name"] for author in citation["authors"]] == names


def test_the_address_stands_where_contributing_says(pyproject: dict[str, Any]) -> None:
    assert {url[: len(ADDRESS)] for url in pyproject["project"]["urls"].values()} == {ADDRESS}
    _, told = text("CONTRIBUTING.md").rsplit("The address of the repository", 1)
    listed = set(re.findall(r"`([^`]+)`", told))
    for folder in (".", "docs", "recipe", ".github", ".github/ISSUE_TEMPLATE"):
        for path in (ROOT / folder).iterdir():
            if path.suffix in (".md", ".toml", ".yml", ".yaml", ".cff", ".in"):
                name = path.relative_to(ROOT).as_posix()
                assert (ADDRESS in text(name)) == (name in listed), name


def test_the_files_that_contributing_names_exist() -> None:
    page = text("CONTRIBUTING.md")
    names = set(
        re.findall(r"(?<![\w/])((?:czictypes|native|tests|recipe|\.github)/[\w./-]+\w)", page)
    )
    assert len(names) > 10
    missing = {name for name in names if not (ROOT / name).exists()}
    assert missing <= {"czictypes/_native"}


def test_the_changelog_has_the_usual_headings() -> None:
    unreleased = text("CHANGELOG.md").split("\n## ")[1]
    assert unreleased.startswith("Unreleased\n")
    found = re.findall(r"^### (.+)$", unreleased, re.MULTILINE)
    assert found == [heading for heading in HEADINGS if heading in found]
    assert len(found) > 3


def test_without_git_the_version_is_above_the_last_release(pyproject: dict[str, Any]) -> None:
    fallback = Version(pyproject["tool"]["hatch"]["version"]["fallback-version"])
    dated = re.findall(r"^## \[?([\d.]+)\]? - \d{4}", text("CHANGELOG.md"), re.MULTILINE)
    assert fallback.is_devrelease
    assert all(fallback > Version(one) for one in dated)


def requirements(pyproject: dict[str, Any], extra: str) -> Iterator[Requirement]:
    for line in pyproject["project"]["optional-dependencies"][extra]:
        one = Requirement(line)
        if one.name == "czictypes":
            for inner in one.extras:
                yield from requirements(pyproject, inner)
        else:
            yield one


def required_modules() -> Iterator[tuple[str, str, str]]:
    """Yield the place, module and extra of each call of `require`, as far as they are literals."""
    for path in sorted((ROOT / "czictypes").rglob("*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        named = {
            node.targets[0].id: node.value.value
            for node in tree.body
            if isinstance(node, ast.Assign)
            and isinstance(node.targets[0], ast.Name)
            and isinstance(node.value, ast.Constant)
        }
        for call in ast.walk(tree):
            if isinstance(call, ast.Call) and getattr(call.func, "id", "") == "require":
                module = getattr(call.args[0], "value", "")
                given = next(one.value for one in call.keywords if one.arg == "extra")
                extra = named.get(getattr(given, "id", ""), getattr(given, "value", None))
                if isinstance(module, str) and module and isinstance(extra, str):
                    yield f"{path.name}:{call.lineno}", module.partition(".")[0], extra


def test_every_extra_that_an_error_names_brings_the_package(pyproject: dict[str, Any]) -> None:
    calls = [one for one in required_modules() if one[1] != "czictypes"]
    assert len(calls) > 40
    for place, module, extra in calls:
        package = canonicalize_name(lazy._PACKAGES.get(module, module))
        brought = {canonicalize_name(one.name) for one in requirements(pyproject, extra)}
        assert package in brought, f"{place}: {package} is not in the extra {extra}"


def test_extras_for_newer_pythons_are_known_as_such(pyproject: dict[str, Any]) -> None:
    for extra, oldest in lazy._OLDEST_PYTHON.items():
        wanted = f'python_version >= "{oldest[0]}.{oldest[1]}"'
        assert any(str(one.marker) == wanted for one in requirements(pyproject, extra)), extra
