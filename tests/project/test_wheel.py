"""The wheel contains the whole app and nothing of the site that uses it."""

import subprocess
import sys
from pathlib import Path
from zipfile import ZipFile

import pytest
from django.conf import settings

ROOT = Path(settings.BASE_DIR)


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder)]
    subprocess.run([*build, str(ROOT)], check=True, capture_output=True)
    (file,) = folder.iterdir()
    return file


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
