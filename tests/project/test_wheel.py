"""The sdist and the wheel contain the whole app, and nothing of the site that uses it."""

import os
import re
import subprocess
import sys
import tarfile
from email import message_from_bytes
from email.message import Message
from pathlib import Path
from zipfile import ZipFile

import pytest
from django.conf import settings

ROOT = Path(settings.BASE_DIR)
BLOB, RAW = (
    "https://github.com/mozilla/mozillians_basket/blob/main/",
    "https://raw.githubusercontent.com/mozilla/mozillians_basket/main/",
)


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the sdist, and the wheel from the sdist."""
    folder = tmp_path_factory.mktemp("dist")
    build = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(folder)]
    subprocess.run([*build, str(ROOT)], check=True, capture_output=True)
    return folder


@pytest.fixture(scope="module")
def wheel(built: Path) -> Path:
    (file,) = built.glob("*.whl")
    return file


@pytest.fixture(scope="module")
def metadata(wheel: Path) -> Message:
    with ZipFile(wheel) as archive:
        (name,) = (name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
        return message_from_bytes(archive.read(name))


def names(wheel: Path, *, metadata: bool) -> set[str]:
    with ZipFile(wheel) as archive:
        return {name for name in archive.namelist() if (".dist-info/" in name) == metadata}


def test_the_wheel_holds_every_file_of_the_app_and_no_other(wheel: Path) -> None:
    files = (file for file in (ROOT / "mozillians_basket").rglob("*") if file.is_file())

    assert names(wheel, metadata=False) == {
        str(file.relative_to(ROOT)) for file in files if "__pycache__" not in file.parts
    }


def test_the_wheel_says_that_the_app_is_typed(wheel: Path) -> None:
    assert "mozillians_basket/py.typed" in names(wheel, metadata=False)


def test_the_wheel_brings_the_licence(wheel: Path) -> None:
    assert any(name.endswith("/licenses/LICENSE") for name in names(wheel, metadata=True))


def test_the_sdist_holds_the_app_and_the_pages_about_it_alone(built: Path) -> None:
    (file,) = built.glob("*.tar.gz")
    with tarfile.open(file) as archive:
        paths = {Path(*Path(name).parts[1:]) for name in archive.getnames()}

    assert {path.parts[0] for path in paths} == {
        "mozillians_basket", "README.md", "CHANGELOG.md", "SECURITY.md", "LICENSE",
        "pyproject.toml", "PKG-INFO", ".gitignore",
    }  # fmt: skip


def test_links_of_the_long_description_lead_somewhere(metadata: Message) -> None:
    text = str(metadata.get_payload())
    links = re.findall(r"\]\(([^)\s]+)", text)
    ours = [link for link in links if link.startswith((BLOB, RAW))]

    assert metadata["Description-Content-Type"] == "text/markdown"
    assert len(ours) > 5
    assert [link for link in links if not link.startswith("https://")] == []
    for link in ours:
        path = link.removeprefix(BLOB).removeprefix(RAW).partition("#")[0]
        assert (ROOT / path).exists(), link


def test_the_index_is_told_where_the_project_lives_and_what_it_offers(metadata: Message) -> None:
    urls = {url.partition(",")[0] for url in metadata.get_all("Project-URL", [])}

    assert urls >= {"Changelog", "Documentation", "Issues", "Source"}
    assert metadata["Author"]
    assert {*metadata.get_all("Provides-Extra", [])} >= {"health", "metrics", "redis", "sandbox"}


def test_version_is_the_latest_in_the_changelog(metadata: Message) -> None:
    text = (ROOT / "CHANGELOG.md").read_text()
    headings = re.findall(r"^## \[(.+?)\](?: - (\d{4}-\d\d-\d\d))?$", text, re.MULTILINE)

    assert headings[0] == ("Unreleased", "")
    assert headings[1][0] == metadata["Version"]
    assert headings[1][1]


def test_classifiers_name_the_versions_that_nox_tests(metadata: Message) -> None:
    import noxfile

    classifiers = metadata.get_all("Classifier", [])

    def versions(of: str) -> set[str]:
        found = (re.fullmatch(rf"{of} :: (\d\.\d+)", each) for each in classifiers)
        return {match[1] for match in found if match}

    assert versions("Programming Language :: Python") == {python for python, _ in noxfile.PAIRS}
    assert versions("Framework :: Django") == {django for _, django in noxfile.PAIRS}


@pytest.mark.parametrize("package", ["email_validator", "waitress"])
def test_the_sandbox_without_its_extra_says_what_to_install(tmp_path: Path, package: str) -> None:
    (tmp_path / f"{package}.py").write_text(f"raise ModuleNotFoundError(name={package!r})")

    ended = subprocess.run(
        [sys.executable, "-m", "mozillians_basket.sandbox", "--port", "0"],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert ended.returncode == 1
    assert f"{package} cannot be imported" in ended.stderr
    assert "pip install 'mozillians-basket[sandbox]'" in ended.stderr
    assert "Traceback" not in ended.stderr
