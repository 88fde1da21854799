import pytest

from causal_ivae.errors import SettingsError
from causal_ivae.settings import resources


@pytest.fixture
def installed(tmp_path, monkeypatch):
    """Pretend that the package lies in an installation with its own resources."""
    package = tmp_path / "site" / "causal_ivae"
    (package / "_resources" / "pipelines").mkdir(parents=True)
    (package / "_resources" / "pipelines" / "local.yaml").write_text("name: local\n")
    monkeypatch.setattr(resources, "__file__", str(package / "settings" / "resources.py"))
    return package


def test_editable_install_finds_the_checkout():
    assert {"default", "quick", "paper"} <= set(resources.names("pipelines"))
    assert "aal2" in resources.names("atlases")
    assert "hippocampal_circuit" in resources.names("priors")
    assert (resources.folder("pipelines").parent / "pyproject.toml").is_file()


def test_installed_resources_come_first(installed):
    assert resources.names("pipelines") == ["local"]
    assert resources.find("pipelines", "local").parent == installed / "_resources" / "pipelines"


def test_incomplete_installation_is_said(installed):
    with pytest.raises(SettingsError, match="install causal-ivae again"):
        resources.folder("atlases")


def test_folder_beside_the_package_counts_only_in_a_checkout(installed):
    (installed.parent / "reports").mkdir()
    with pytest.raises(SettingsError, match="incomplete"):
        resources.folder("reports")
    (installed.parent / "pyproject.toml").write_text("")
    assert resources.folder("reports") == installed.parent / "reports"


def test_path_wins_over_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "default").write_text("name: mine\n")
    assert resources.find("pipelines", "default") == tmp_path / "default"
    (tmp_path / "default").unlink()
    assert resources.find("pipelines", "default").name == "default.yaml"


@pytest.mark.parametrize("name", ["defaults", "../pipelines/default", "nowhere/default.yaml"])
def test_unknown_name_is_an_error_with_the_nearest(name):
    with pytest.raises(SettingsError, match="'default'"):
        resources.find("pipelines", name)
