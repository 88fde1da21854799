"""The hemisphere is read from the names of regions, in one way everywhere."""

import pytest

from causal_ivae.imaging.hemispheres import Sided, homologues, split_hemispheres


@pytest.mark.parametrize(
    ("left", "right", "common"),
    [
        ("Hippocampus_L", "Hippocampus_R", "Hippocampus"),
        ("L_V1", "R_V1", "V1"),
        ("lh.V1", "rh.V1", "V1"),
        ("ctx-lh-insula", "ctx-rh-insula", "ctx-insula"),
        ("Left-Putamen", "Right-Putamen", "Putamen"),
        ("Putamen left", "Putamen right", "Putamen"),
        ("LIFG", "RIFG", "IFG"),
        ("7Networks_LH_Vis_1", "7Networks_RH_Vis_1", "7Networks_Vis_1"),
    ],
)
def test_names_that_differ_in_their_side(left, right, common):
    found = homologues([right, "Vermis", left])
    assert len(found) == 1
    assert found[0][1:] == (left, right)
    assert found[0][0] == common


def test_order_is_that_of_the_left_and_the_rest_is_left_out():
    names = ["B_R", "A_L", "B_L", "A_R", "C_L", "Lingual", "Rectus", "Caudal"]
    assert homologues(names) == [("A", "A_L", "A_R"), ("B", "B_L", "B_R")]
    assert homologues(["CA1", "SUB", "RIGHT", "LEFT"]) == []


@pytest.mark.parametrize(
    ("name", "beside", "expected"),
    [
        ("LIFG", "RIFG", Sided("IFG", "left")),
        ("LIFG", "RV1", Sided("LIFG", None)),
        ("RV1", "LV1", Sided("V1", "right")),
        ("RSC", "SC", Sided("RSC", None)),
        ("ctx-lh-precuneus", "", Sided("ctx-precuneus", "left")),
        ("ctx_rh_G_cuneus", "", Sided("ctx_G_cuneus", "right")),
        ("Right-Accumbens-area", "", Sided("Accumbens-area", "right")),
        ("G_Frontal_Sup-1-L", "", Sided("G_Frontal_Sup-1", "left")),
        ("L_area_left", "", Sided("L_area", "left")),
        ("left", "", Sided("left", None)),
        ("Lingual", "Ringual", Sided("Lingual", None)),
    ],
)
def test_the_side_is_taken_off(name, beside, expected):
    assert split_hemispheres([name, beside])[name] == expected
