"""Declare every table that is written: its file, its columns, and what each column means.

Readers, writers, BIDS sidecars, what a group must delete of an earlier analysis, and the reference
of columns in the documentation all derive from here.
"""

from functools import partial

from causal_ivae.derivatives.declaration import Column, Table
from causal_ivae.derivatives.edge_columns import (
    DECISION,
    LEANING,
    OF_NETWORK,
    PAIR,
    PROBABILITIES,
    QUALITY,
    REASON,
)
from causal_ivae.derivatives.network_tables import INPUTS, NETWORK, POWER, TWINS
from causal_ivae.derivatives.unit_tables import MODEL, NODES, OUTLIERS, STATUS, SUBJECTS, TIMESERIES
from causal_ivae.settings import fit_limits

_text = partial(Column, text=True)

PROBABILITY_COLUMNS = tuple(PROBABILITIES)

EDGES = Table(
    "edges",
    "One row per pair of regions: what the method decided, and how sure it is.",
    {
        **DECISION,
        "score": Column("Direction score; positive favours x -> y."),
        "score_low": Column("Lower end of its 95 % interval; n/a where segments are too few."),
        "score_high": Column("Upper end of its 95 % interval."),
        "score_error": Column("Standard error of the score over segments."),
        "p_value": Column(
            "The larger of the p-values of the tests that the pair is independent and that it has "
            "no direction; n/a by iVAE and TCL, which have no test of the latter. Of a pair that a "
            "screen left out the p-value of the screen."
        ),
        "q_value": Column(
            "Beside twins: of the arrow of the pair (the less sure one of two), the least share of "
            "the data's claims that a twin makes as well where the arrow is claimed, at most 1; "
            "n/a where none is claimed. Without twins: p_value after Benjamini and Hochberg across "
            "pairs, and n/a by iVAE, TCL and the network method."
        ),
        "confidence": Column(
            "By structural flows the probability of the decision, for 'undecided' that of the "
            "likelier direction. By other methods the stability of the decision, which is no "
            "probability of being right: the share of resamples of segments and restarts with the "
            "same decision, for 'undecided' with the more frequent direction; under the rule "
            "'paper' the share of restarts."
        ),
        **PROBABILITIES,
        "interval_level": Column(
            "Level of the widest interval of the direction score, over resamples of segments and "
            "restarts, that leaves out 0 (probability of a smaller |t|), from 0 to 1; only by "
            "iVAE and TCL. Nothing is fitted again, so that one minus this is no p-value of there "
            "being no direction.",
            optional=True,
        ),
        **OF_NETWORK,
        **LEANING,
        **QUALITY,
        **REASON,
    },
)
GROUP_EDGES = Table(
    "edges",
    "One row per pair of regions: what holds over subjects. Probabilities are missing.",
    {
        **DECISION,
        "score": Column("Mean over subjects of the direction score; positive favours x -> y."),
        "score_low": Column("Lower end of the 95 % t interval of the mean score."),
        "score_high": Column("Upper end of the 95 % t interval of the mean score."),
        "score_error": Column("Standard error of the mean score; n/a for one subject."),
        "p_value": Column(
            "Of the null hypothesis that the mean score is zero, by flipping the subjects' signs."
        ),
        "q_value": Column(
            "p_value after Benjamini and Hochberg across the pairs that are tested for direction; "
            "n/a for a pair with the decision 'none'."
        ),
        "confidence": Column("Share of subjects whose score has the sign of the mean."),
        **PROBABILITIES,
        "n_subjects": Column("Number of subjects."),
        "n_x_to_y": Column("Number of subjects with the decision x -> y."),
        "n_y_to_x": Column("Number of subjects with the decision y -> x."),
        "n_both": Column("Number of subjects with the decision 'both'."),
        "n_none": Column("Number of subjects with the decision 'none'."),
        "n_undecided": Column("Number of subjects with the decision 'undecided'."),
        "share_low": Column("Lower end of the 95 % Wilson interval of confidence."),
        "share_high": Column("Upper end of the 95 % Wilson interval of confidence."),
        "p_dependence": Column(
            "The subjects' tests that the pair is independent, combined by Fisher's method."
        ),
        "unexplained_spread": Column(
            "Share of the variance over subjects that resampling the segments of unchanged fits "
            "does not explain. Subjects who follow one law reach .7 to .8: no test of differences."
        ),
        "leave_one_out": Column(
            "Share of the groups without one subject that decide alike. A smaller group has less "
            "power, so that in small groups decisions get lost whoever is left out."
        ),
        "sign_without_one": Column(
            "Share of the groups without one subject whose mean score has the same sign: below 1, "
            "a single subject turns the direction."
        ),
        "split_half": Column(
            "Share of random splits of the subjects in which both halves favour the same "
            "direction; n/a for fewer than four subjects."
        ),
        "n_usable": Column(
            "Number of subjects whose fit of the pair is usable; the others may still be right.",
            optional=True,
        ),
        "usable_decision": _text(
            "Decision if only the subjects whose results are usable by this method are combined; "
            "empty if they are fewer than group.min_subjects.",
            optional=True,
        ),
        "probability_adjacent": Column(
            "Mean over subjects of the probability that the two regions are connected directly, by "
            "methods that estimate it.",
            optional=True,
        ),
        **{name: LEANING[name] for name in ("leaning", "probability_leaning")},
        **REASON,
    },
    level="group",
)
TESTS = Table(
    "tests",
    "One row per HSIC test, and one per pair for the two regions themselves.",
    {
        **PAIR,
        "restart": Column(
            "Which fit; by structural flows 0 is that of x -> y and 1 that of y -> x; n/a for the "
            "test of the two regions themselves."
        ),
        "first": _text("The region that is tested."),
        "second": _text("What it is tested against: 'n1', 'n2' or the other region."),
        "statistic": Column("HSIC given the segment; n/a where the fit diverged."),
        "null_mean": Column("Mean of the statistic under the null."),
        "p_value": Column("p-value of the test that the two are independent given the segment."),
    },
)
RESTARTS = Table(
    "restarts",
    "One row per pair and fit.",
    {
        **PAIR,
        "restart": Column("Which fit, as in the tests."),
        "vote": _text("Of the four-test rule: 'x->y', 'y->x', 'none' or 'inconclusive'."),
        "score": Column("Direction score of this fit alone; positive favours x -> y."),
        "objective": Column("At the end of training, higher is better; n/a where it diverged."),
        "slope": Column("Of the objective over the last tenth of training, per 100 steps."),
        "steps": Column("Number of training steps."),
        "retried": Column("1 if training diverged and was done again at half the rate, else 0."),
        "diverged": Column("1 if the fit diverged in the end, else 0.", of_cohort=True),
    },
)
TRAINING = Table(
    "training",
    "One row per pair, fit and recorded step of training; of thousands of fits fewer steps.",
    {
        **PAIR,
        "restart": Column("Which fit, as in the tests."),
        "step": Column("Training step."),
        "objective": Column("What is maximised; higher is better."),
    },
)
SCREEN = Table(
    "screen",
    "One row per pair, where pairs were screened by a cheap test before they were unmixed.",
    {
        **PAIR,
        "statistic": Column(
            "What the pair was screened by: HSIC given the segment, less its mean under the null, "
            "the correlation given all other regions, or for a skeleton that of its tests with the "
            "largest p-value."
        ),
        "p_value": Column("Its p-value."),
        "kept": Column(
            "1 if the pair was unmixed; 0 if its decision is 'none' by the screen alone."
        ),
        "given": _text(
            "Of a skeleton: the regions given in that test, which separate a pair not kept.",
            optional=True,
        ),
        "colliders": _text(
            "Of a skeleton: the regions that both regions of a separated pair drive, for they are "
            "adjacent to both and not needed to separate them.",
            optional=True,
        ),
    },
)
EQUATIONS = Table(
    "equations",
    "One row per ordered pair, by structural equations of all regions at once (`discover_all`).",
    {
        "cause": _text("Region that may be a cause."),
        "effect": _text("Region that may be its effect."),
        "direct": Column("1 if the best graph has an edge from cause to effect, else 0."),
        "ancestor": Column(
            "1 if the best graph leads from cause to effect by one or more edges, else 0."
        ),
        "share": Column("Share of resamples of segments whose best graph has the edge."),
        "ancestor_share": Column("Share of resamples whose best graph leads from cause to effect."),
        "gain": Column(
            "Held-out log-likelihood of the best graph with the edge less that of the best without "
            "an edge of the pair, nats per volume; n/a for a pair outside the skeleton."
        ),
        "slope": Column(
            "Root mean square over volumes of the derivative of the effect by the cause, both in "
            "standard deviations, at fixed disturbance and other causes; 0 without an edge."
        ),
        "dependence_p": Column(
            "p-value of the test (HSIC given the segment) that the effect is independent of the "
            "cause's disturbance, which it is if and only if the cause is no ancestor; median over "
            "restarts."
        ),
    },
)
EVIDENCE = Table(
    "evidence",
    "One row per unmixed pair, by structural flows: what speaks for either direction.",
    {
        **PAIR,
        "mechanism": _text(
            "What decided: structural equations with a linear effect of the cause, or nonlinear "
            "ones."
        ),
        "shortfall": Column(
            "By how much the better direction of that mechanism predicts volumes of segments held "
            "out worse than the best of all, nats per volume."
        ),
        "gain": Column("Log-likelihood under x -> y less that under y -> x, nats per volume."),
        "statistic": Column(
            "Vuong's statistic of the gain over blocks of volumes, as a standard normal number; "
            "positive favours x -> y."
        ),
        "residual_forward": Column(
            "HSIC of the two disturbances given the segment, less its mean under the null, per "
            "volume, under x -> y: what dependence that direction leaves."
        ),
        "residual_backward": Column("As residual_forward, under y -> x."),
        "residual_sd_forward": Column("Standard deviation of residual_forward under the null."),
        "residual_sd_backward": Column("Standard deviation of residual_backward under the null."),
        "dependence": Column("HSIC of the two regions themselves, as residual_forward."),
        "dependence_p": Column(
            "p-value of the test that the regions are independent given the segment."
        ),
        "lagged_noise_forward": Column(
            "Standard normal number of the test that x is measured without noise, under x -> y: "
            "positive where its neighbours in time say that noise makes the slope of y on x "
            "smaller."
        ),
        "lagged_noise_backward": Column("As lagged_noise_forward, of y under y -> x."),
        "modulated_noise_forward": Column(
            "As lagged_noise_forward, by how the variance of x changes with the segment."
        ),
        "modulated_noise_backward": Column("As modulated_noise_forward, of y under y -> x."),
    },
)
STABILITY = Table(
    "stability",
    "One row per unmixed pair: how often resamples and restarts lead to each decision.",
    {
        **PAIR,
        "resamples_forward": Column(
            "Share of resamples with the decision x -> y: of segments (and stretches within them) "
            "by structural flows, of segments and restarts by other methods. Nothing is fitted "
            "again."
        ),
        "resamples_backward": Column("As resamples_forward, of y -> x."),
        "resamples_none": Column("As resamples_forward, of 'none'."),
        "resamples_undecided": Column(
            "As resamples_forward, of 'undecided'; 0 where a resample that is dependent counts by "
            "the sign of its score."
        ),
        "restarts_forward": Column(
            "Share of restarts whose score favours x -> y; n/a by structural flows, which are "
            "fitted once for each direction."
        ),
        "restarts_backward": Column("As restarts_forward, of y -> x."),
    },
)
DIAGNOSTICS = Table(
    "diagnostics",
    "One row per unmixed pair, on its best fit: whether that can be believed, and why.",
    {
        **PAIR,
        "verdict": _text(
            "Of the restart with the best objective: 'usable', 'doubtful', 'modulation not shown' "
            "(which is no proof that there is none: see detectable) or 'not identifiable' (too few "
            "segments).",
            of_cohort=True,
        ),
        "reasons": _text("The verdict and what speaks for it, as a sentence.", of_cohort=True),
        "segments": Column("Number of distinct segments u."),
        "segments_needed": Column(
            "Number of distinct segments that theorem 1 of Khemakhem et al. 2020 asks for, nk + 1: "
            "n disturbances, k = 1 where the segment changes their scale, 2 where also their mean."
        ),
        "rank": Column(
            "Rank of the matrix L of theorem 1 (iv), which holds how the parameters of the "
            "disturbances' law differ between segments: singular values above sampling error. The "
            "theorem asks for nk."
        ),
        "condition": Column(
            "Condition number of L, its largest singular value over its smallest; 'inf' where that "
            f"is nil. Doubtful above {fit_limits.MAX_CONDITION:g}."
        ),
        "modulation_1": Column(
            "How much the first disturbance's scale changes with the segment: standard deviation "
            "over segments of its logarithm, sampling error taken off. Doubtful below "
            f"{fit_limits.MIN_STANDARD_ERRORS:g} standard errors."
        ),
        "modulation_error_1": Column("Standard error of modulation_1."),
        "modulation_2": Column("As modulation_1, of the second disturbance."),
        "modulation_error_2": Column("Standard error of modulation_2."),
        "detectable": Column(
            "Modulation that both disturbances must have for the full rank to be shown in 80 % of "
            "cases, given the number and the length of these segments.",
            of_cohort=True,
        ),
        "kl_1": Column(
            "Kullback-Leibler divergence of the first disturbance's posterior from its prior, mean "
            "over volumes, nats; n/a for a method without one. Doubtful below "
            f"{fit_limits.MIN_KL:g}: collapsed to the prior."
        ),
        "kl_2": Column("As kl_1, of the second disturbance."),
        "rise": Column(
            "What the objective still gained over the last tenth of training, nats per volume. "
            f"Doubtful above {fit_limits.MAX_RISE:g}."
        ),
        "agreement": Column(
            "Mean correlation (MCC) between the disturbances of every two restarts; n/a for a "
            f"single restart. Doubtful below {fit_limits.MIN_AGREEMENT:g}.",
            of_cohort=True,
        ),
        "dependence_p": Column(
            "p-value of the test (HSIC given the segment) that the two disturbances are "
            "independent, as the model takes them to be. Doubtful below "
            f"{fit_limits.ALPHA:g}.",
            of_cohort=True,
        ),
        "retried": Column(
            "1 if the restart's training diverged and was done again at half the rate, else 0."
        ),
    },
)
PRIOR_CHECK = Table(
    "priorcheck",
    "One row per decided edge that the anatomical prior was asked about.",
    {
        "cause": _text("Cause of the edge."),
        "effect": _text("Effect of the edge."),
        "verdict": _text(
            "'direct', 'indirect' or 'not feasible'; empty where the prior says nothing of the "
            "pair."
        ),
        "path": _text("The regions of the path that explains the edge, joined by ' > '."),
    },
    level="any",
)
TABLES = (
    EDGES, GROUP_EDGES, TESTS, RESTARTS, TRAINING, SCREEN, EVIDENCE, STABILITY, DIAGNOSTICS,
    EQUATIONS, NETWORK, TWINS, POWER, INPUTS, PRIOR_CHECK, MODEL, TIMESERIES, OUTLIERS, NODES,
    SUBJECTS, STATUS,
)  # fmt: skip


ADDED_TABLES: dict[str, Table] = {}
"""This mapping holds the tables of methods from outside the package, by name.

`causal_ivae.discovery.methods.register` adds them to `TABLES`.
"""


def all_tables() -> tuple[Table, ...]:
    """Return all declared tables, with those from outside the package."""
    return (*TABLES, *ADDED_TABLES.values())


def columns_of(name: str) -> dict[str, Column]:
    """Return the columns of the tables whose files end in a name; edges are declared twice."""
    found = (table.columns for table in all_tables() if table.name == name)
    return {key: column for columns in found for key, column in columns.items()}
