import pytest
import yaml

from causal_ivae.errors import SettingsError
from causal_ivae.imaging.bids import find_subjects
from causal_ivae.imaging.confounds import load_run_confounds
from causal_ivae.reporting.references import bibliography
from causal_ivae.settings import Pipeline, resources
from causal_ivae.settings.pipeline_files import load_pipeline
from causal_ivae.settings.presets import KEYS, load_preset

WITH_GLOBAL_SIGNAL = {
    "simple": "simple_gsr", "scrubbing": "scrubbing_gsr", "compcor": "compcor_gsr",
    "24P": "24P_gsr", "32P": "36P",
}  # fmt: skip
# Regressors beside the three cosines of the tree.
REGRESSORS = {
    "simple": 26, "simple_gsr": 27, "scrubbing": 32, "scrubbing_gsr": 33,
    "24P": 24, "24P_gsr": 25, "32P": 32, "36P": 36,
}  # fmt: skip


def write(path, text):
    path.write_text(text, encoding="utf-8")
    return path


def test_every_preset_is_there_with_and_without_the_global_signal():
    names = {name for pair in WITH_GLOBAL_SIGNAL.items() for name in pair}
    assert set(resources.names("denoise")) == names
    for without, with_it in WITH_GLOBAL_SIGNAL.items():
        plain, global_signal = load_preset(without).settings, load_preset(with_it).settings
        added = set(global_signal["strategy"]) - set(plain["strategy"])
        assert added == {"global_signal"}
        left_out = ("strategy", "global_signal")
        assert {k: v for k, v in plain.items() if k not in left_out} == {
            k: v for k, v in global_signal.items() if k not in left_out
        }


@pytest.mark.parametrize("name", resources.names("denoise"))
def test_every_parameter_of_a_preset_is_explicit_and_cited(name):
    path = resources.find("denoise", name)
    text = path.read_text(encoding="utf-8")
    assert set(yaml.safe_load(text)) == {"name", "description", "citations", *KEYS}
    preset = load_preset(name)
    assert preset.name == name
    assert preset.citations
    assert set(preset.citations) <= set(bibliography())
    remarks = text.split("strategy:")[1].split("\n")[1:]
    for key in KEYS[1:]:
        first = next(i for i, line in enumerate(remarks) if line.startswith(f"{key}:"))
        following = remarks[first + 1 :]
        length = next(
            (i for i, line in enumerate(following) if not line.startswith(" ")), len(following)
        )
        remark = " ".join(remarks[first : first + 1 + length])
        assert "doi:10." in remark or "not used" in remark, (name, key)
        part = {"n_compcor": "compcor", "fd_threshold": "scrub", "std_dvars_threshold": "scrub"}
        used = part.get(key, key) in preset.settings["strategy"]
        assert used is ("not used" not in remark), (name, key)


@pytest.mark.parametrize("name", sorted(REGRESSORS))
def test_presets_give_the_regressors_that_they_are_named_after(name, tmp_path, make_fmriprep_tree):
    import numpy as np
    import pandas as pd

    tree = make_fmriprep_tree(tmp_path, n_subjects=1, n_volumes=80, bad=(20,))
    (path,) = tree.root.glob("sub-01/func/*confounds_timeseries.tsv")
    table = pd.read_csv(path, sep="\t", na_values=["n/a"])
    for column in list(table):
        if column.startswith(("trans", "rot", "csf", "white", "global")):
            table[f"{column}_power2"] = table[column] ** 2
    table.to_csv(path, sep="\t", index=False, na_rep="n/a")
    settings = Pipeline().changed({"denoise.preset": name}).denoise
    image = find_subjects(tree.root)[0].runs[0].path
    found = load_run_confounds(image, 80, 2.0, settings)
    assert found.design.shape[1] == 3 + REGRESSORS[name]
    censored = np.flatnonzero(~found.kept)
    assert list(censored) == ([20] if name.startswith("scrubbing") else [])


def test_a_preset_in_a_pipeline_stands_for_its_settings(tmp_path):
    path = write(tmp_path / "mine.yaml", "denoise: {preset: scrubbing_gsr, min_volumes: 70}\n")
    denoise = load_pipeline(path).denoise
    assert denoise.preset == "scrubbing_gsr"
    assert (denoise.scrub, denoise.wm_csf, denoise.std_dvars_threshold) == (5, "full", 1.5)
    assert denoise.min_volumes == 70
    by_option = load_pipeline("default").changed({"denoise.preset": "scrubbing_gsr"}).denoise
    assert by_option.model_copy(update={"min_volumes": 70}) == denoise


def test_a_preset_and_the_same_settings_written_out_are_the_same_analysis():
    preset = Pipeline().changed({"denoise.preset": "24P"})
    written = Pipeline().changed(
        {f"denoise.{key}": value for key, value in load_preset("24P").settings.items()}
    )
    assert written.denoise.preset is None
    assert preset.load_digest == written.load_digest != Pipeline().load_digest


def test_a_setting_beside_a_preset_may_not_contradict_it(tmp_path):
    path = write(tmp_path / "mine.yaml", "denoise: {preset: 24P, motion: basic}\n")
    with pytest.raises(SettingsError, match=r"'denoise\.motion' in .*mine\.yaml' is 'basic', but"):
        load_pipeline(path)
    write(path, "denoise: {preset: 24P, motion: full}\n")
    assert load_pipeline(path).denoise.motion == "full"


def test_own_presets(tmp_path):
    text = resources.find("denoise", "24P").read_text(encoding="utf-8")
    own = write(tmp_path / "mine.yaml", text.replace("name: 24P\n", "").replace("full", "basic", 1))
    assert load_preset(own).name == "mine"
    assert Pipeline().changed({"denoise.preset": str(own)}).denoise.motion == "basic"
    write(own, text + "motoin: full\n")
    with pytest.raises(SettingsError, match=r"Unknown key 'motoin'.*Did you mean 'motion'"):
        load_preset(own)
    write(own, "\n".join(line for line in text.split("\n") if not line.startswith("scrub:")))
    with pytest.raises(SettingsError, match=r"mine\.yaml' has no 'scrub'; a preset spells out"):
        load_preset(own)
    with pytest.raises(SettingsError, match=r"bundled denoising presets\. Did you mean '36P'"):
        load_preset("36Q")
    with pytest.raises(SettingsError, match=r"'citations' in .*mine\.yaml' must be a list"):
        load_preset(write(own, text.replace("[friston1996, satterthwaite2013]", "friston")))
    write(own, text.replace("motion: full", "motion: fuller"))
    with pytest.raises(SettingsError, match=r"denoise\.motion"):
        Pipeline().changed({"denoise.preset": str(own)})
