"""Compute group statistics: edges that hold over subjects, and what their scores depend on."""

from typing import TYPE_CHECKING

from causal_ivae.group.participants import (
    excluded_participants,
    find_participants,
    read_participants,
    says_who_is_excluded,
)
from causal_ivae.group.ratings import CHOICES, RATINGS, Rating, read_ratings, write_rating
from causal_ivae.lazy_names import on_first_use

if TYPE_CHECKING:
    from causal_ivae.group.combine import combine_subjects as combine_subjects
    from causal_ivae.group.combine import split_half_entry as split_half_entry
    from causal_ivae.group.combine import unanimous_pairs_needed as unanimous_pairs_needed
    from causal_ivae.group.model import GroupModel as GroupModel
    from causal_ivae.group.model import check_model as check_model
    from causal_ivae.group.model import covariates_of as covariates_of
    from causal_ivae.group.model import fit_model as fit_model
    from causal_ivae.group.subjects import Subjects as Subjects
    from causal_ivae.group.subjects import align as align

__all__ = [
    "CHOICES",
    "RATINGS",
    "GroupModel",
    "Rating",
    "Subjects",
    "align",
    "check_model",
    "combine_subjects",
    "covariates_of",
    "excluded_participants",
    "find_participants",
    "fit_model",
    "read_participants",
    "read_ratings",
    "says_who_is_excluded",
    "split_half_entry",
    "unanimous_pairs_needed",
    "write_rating",
]

__getattr__ = on_first_use(
    __name__,
    {
        **dict.fromkeys(
            ("combine_subjects", "split_half_entry", "unanimous_pairs_needed"),
            "causal_ivae.group.combine",
        ),
        **dict.fromkeys(
            ("GroupModel", "check_model", "covariates_of", "fit_model"), "causal_ivae.group.model"
        ),
        **dict.fromkeys(("Subjects", "align"), "causal_ivae.group.subjects"),
    },
)
