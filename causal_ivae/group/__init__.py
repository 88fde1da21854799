"""Compute group statistics: edges that hold over subjects, and what their scores depend on."""

from causal_ivae.group.combine import (
    combine_subjects,
    split_half_entry,
    unanimous_pairs_needed,
)
from causal_ivae.group.model import GroupModel, check_model, covariates_of, fit_model
from causal_ivae.group.participants import (
    excluded_participants,
    find_participants,
    read_participants,
    says_who_is_excluded,
)
from causal_ivae.group.subjects import Subjects, align

__all__ = [
    "GroupModel",
    "Subjects",
    "align",
    "check_model",
    "combine_subjects",
    "covariates_of",
    "excluded_participants",
    "find_participants",
    "fit_model",
    "read_participants",
    "says_who_is_excluded",
    "split_half_entry",
    "unanimous_pairs_needed",
]
