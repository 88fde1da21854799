"""A methods paragraph for a paper, from the settings and the numbers that came of them."""

from dataclasses import dataclass, field

from causal_ivae.drawing.wording import count, listed
from causal_ivae.reporting.method_names import METHOD_NAMES
from causal_ivae.settings import (
    IVAESettings,
    Null,
    Pipeline,
    SegmentKind,
    StructuralSettings,
    TCLSettings,
    resources,
)
from causal_ivae.settings.presets import KEYS, load_preset

_NULLS: dict[Null, str] = {
    "circular_shift": (
        "{draws} circular shifts of one series within its segments, which keep its "
        "autocorrelation [@chwialkowski2014a], moved to the mean that independent stationary "
        "series have (a shifted series has a seam)"
    ),
    "wild_bootstrap": "{draws} draws of the wild bootstrap for time series [@chwialkowski2014b]",
    "permutation": (
        "{draws} permutations within segments, which take volumes as exchangeable and so ignore "
        "autocorrelation"
    ),
    "gamma": (
        "a gamma distribution with matched moments, which takes volumes as independent "
        "[@gretton2007]"
    ),
}
_CONFOUNDS = {
    "motion": "head motion",
    "wm_csf": "white-matter and cerebrospinal-fluid signals",
    "global_signal": "the global signal",
    "compcor": "CompCor components",
    "high_pass": "cosine drift terms",
}
_FOUND: dict[SegmentKind, tuple[str, ...]] = {
    "changepoints": (
        "Segments were found in the series themselves, where the regions' variances change, by "
        "the exact search PELT [@killick2012] of the package ruptures [@truong2020] in every "
        "stretch without a gap.",
    ),
    "hmm": (
        "Segments were found in the series themselves, as the states of a hidden Markov model "
        "[@rabiner1989] with a variance for every region and state, fitted by the package "
        "hmmlearn; no transition was modelled across a gap.",
    ),
}
_ICA = {
    "fastica": "FastICA [@hyvarinen1999]",
    "score_matching": "score matching of piecewise-stationary components [@monti2019]",
}
_WORDS = {
    "gaussian": "Gaussian",
    "laplace": "Laplace",
    "variance": "scale",
    "mean_variance": "location and scale",
    "leaky_relu": "leaky ReLU",
    "xtanh": "tanh-plus-linear (xtanh)",
}


@dataclass(frozen=True)
class Realised:
    """What the settings came to in one subject, or in the group.

    Attributes
    ----------
    n_regions, n_pairs : int
    methods : tuple of str
        Methods that finished.
    seed : int
    images : bool or None
        Whether the series were taken from images (else from tables); None if not known.
    tr : float or None
        Repetition time, s.
    n_kept, n_acquired : int or None
        Volumes.
    n_segments : int or None
    segment_kind : str
        In words.
    n_subjects : int or None
        For the group.
    prior : str or None
        Name of the prior that the graph was compared with.
    versions : dict
        Package to version.
    simulated : bool
    """

    n_regions: int
    n_pairs: int
    methods: tuple[str, ...]
    seed: int
    images: bool | None = False
    tr: float | None = None
    n_kept: int | None = None
    n_acquired: int | None = None
    n_segments: int | None = None
    segment_kind: str = ""
    n_subjects: int | None = None
    prior: str | None = None
    versions: dict[str, str] = field(default_factory=dict)
    simulated: bool = False


def methods_text(settings: Pipeline, realised: Realised) -> str:
    """Return the paragraph, citations as ``[@key]`` of ``reports/references.bib``.

    Parameters
    ----------
    settings : Pipeline
    realised : Realised

    Returns
    -------
    str
        `causal_ivae.reporting.references.resolve` writes the citations out.
    """
    sentences = [
        *_data(settings, realised),
        *_segments(settings, realised),
        *_screen(settings),
        *(_structural(settings, realised) if "structural" in realised.methods else []),
        *(_ivae(settings, realised) if "ivae" in realised.methods else []),
        *(_tcl(settings, realised) if "tcl" in realised.methods else []),
        *_diagnostics(realised),
        *_tests(settings),
        *(_probability(settings) if "structural" in realised.methods else []),
        *(_decision(settings, realised) if {"ivae", "tcl"} & set(realised.methods) else []),
        *_adjustment(settings),
        *_prior(settings, realised),
        *(_group(settings, realised) if realised.n_subjects is not None else []),
        *_software(realised),
    ]
    return " ".join(sentences)


def _data(settings: Pipeline, realised: Realised) -> list[str]:
    regions = count(realised.n_regions, "region")
    tr = f" (repetition time {realised.tr:g} s)" if realised.tr else ""
    if realised.simulated:
        text = [f"Time series of {regions}{tr} were simulated; they are no measurement."]
    elif realised.images:
        text = _denoising(settings, regions, tr)
    elif realised.images is None:
        text = [f"Time series of {regions}{tr} were analysed, z-scored per run."]
    else:
        order = settings.tables.detrend_order
        text = [
            f"Time series of {regions}{tr} were read from tables; from each run a polynomial of "
            f"order {order} was removed, and each region was z-scored."
        ]
    if realised.n_kept is not None and realised.n_acquired is not None:
        text.append(f"Of {realised.n_acquired:,} volumes, {realised.n_kept:,} were kept.")
    return text


def _denoising(settings: Pipeline, regions: str, tr: str) -> list[str]:
    denoise = settings.denoise
    removed = [_CONFOUNDS[name] for name in denoise.strategy if name in _CONFOUNDS]
    smoothing = (
        f"smoothed with a kernel of {denoise.smoothing_fwhm:g} mm full width at half maximum"
        if denoise.smoothing_fwhm
        else "not smoothed"
    )
    text = [
        f"Images{tr} preprocessed with fMRIPrep [@esteban2019] were {smoothing} and averaged "
        f"within {regions} with nilearn [@abraham2014]."
    ]
    preset = _preset(settings)
    if removed:
        text.append(f"Regressors for {listed(removed)} were removed{preset}.")
    if "scrub" in denoise.strategy:
        text.append(
            f"Volumes with a framewise displacement above {denoise.fd_threshold:g} mm "
            f"[@power2014] or standardised DVARS above {denoise.std_dvars_threshold:g} were "
            "censored."
        )
    text.append("Each region was z-scored within each run.")
    return text


def _preset(settings: Pipeline) -> str:
    """Return what the settings were taken from and its sources, if they still are the same."""
    name = settings.denoise.preset
    if name is None:
        return ""
    cited = ""
    if name in resources.names("denoise"):
        preset = load_preset(name)
        if preset.settings == settings.denoise.model_dump(mode="json", include=set(KEYS)):
            cited = " [" + "; ".join(f"@{key}" for key in preset.citations) + "]"
    return f" (preset '{name}'{cited})"


def _segments(settings: Pipeline, realised: Realised) -> list[str]:
    kind = realised.segment_kind or settings.segments.by
    made = "" if realised.n_segments is None else f", {count(realised.n_segments, 'segment')}"
    return [
        f"The auxiliary variable u was the time segment ({kind}{made}; segments with fewer than "
        f"{settings.segments.min_volumes} volumes were left out).",
        *_FOUND.get(settings.segments.by, ()),
    ]


def _structural(settings: Pipeline, realised: Realised) -> list[str]:
    model = settings.unmixing.structural
    held = (
        f"{count(model.folds, 'fold')} of segments, each judged on those that it was not trained on"
        if model.folds > 1
        else "all segments"
    )
    passes = f", or {model.passes:g} passes over the volumes where these are more"
    return [
        f"For every pair of regions ({count(realised.n_pairs, 'pair')}), the structural equations "
        "of either direction [@monti2019] were fitted by exact likelihood, as the noiseless case "
        "of the identifiable variational autoencoder [@khemakhem2020]: each disturbance is an "
        "increasing function of its region, given the cause where there is one, with a "
        f"{_WORDS[model.prior]} law whose {_WORDS[model.modulates]} varied between segments. The "
        "effect depended on its cause linearly, or through a network of "
        f"{count(model.hidden, 'unit')} a layer and {count(model.layers, 'piecewise function')} "
        "[@mueller2019]; the linear form was taken where it predicted nearly as well and told "
        f"the directions further apart, by trials of {model.trial_steps:,} steps on {held}.",
        "The form that was taken was fitted to all segments (Adam [@kingma2015], "
        f"{_steps(model)}{passes if model.passes else ''}, batches of {model.batch_size}, learning "
        f"rate {model.learning_rate:g}).",
    ]


def _ivae(settings: Pipeline, realised: Realised) -> list[str]:
    model, restarts = settings.unmixing.ivae, settings.unmixing.restarts
    noise = (
        "a learned noise level"
        if model.noise == "learned"
        else f"a noise standard deviation of {model.noise:g}"
    )
    weights = model.weights
    weighted = (
        ""
        if weights.plain
        else " Its parts [@chen2018] were weighted: reconstruction by "
        f"{weights.reconstruction:g}, mutual information by {weights.mutual_information:g}, total "
        f"correlation by {weights.total_correlation:g}, dimension-wise Kullback-Leibler "
        f"divergence by {weights.dimension_wise_kl:g}."
    )
    return [
        f"For every pair of regions ({count(realised.n_pairs, 'pair')}), an identifiable "
        "variational autoencoder [@khemakhem2020] estimated two latent disturbances, with a "
        f"{_WORDS[model.prior]} conditional prior whose {_WORDS[model.modulates]} varied between "
        f"segments, encoder and decoder networks of {model.layers} layers with {model.hidden} "
        f"hidden units and {_WORDS[model.activation]} activations, and a Gaussian likelihood with "
        f"{noise}.",
        f"The evidence lower bound was maximised with Adam [@kingma2015] from "
        f"{count(restarts, 'random start')} per pair ({_steps(model)}, batches of "
        f"{model.batch_size}, learning rate {model.learning_rate:g}, Kullback-Leibler term "
        f"annealed over the first {100 * model.warmup:.0f}% of the steps).{weighted}",
    ]


def _tcl(settings: Pipeline, realised: Realised) -> list[str]:
    model, restarts = settings.unmixing.tcl, settings.unmixing.restarts
    again = "The" if realised.methods == ("tcl",) else "For comparison, the"
    return [
        f"{again} disturbances of each pair were estimated by time-contrastive learning "
        f"[@hyvarinen2016]: a network of {model.layers} layers with {model.hidden} maxout units "
        "was trained to tell the segments apart, and linear independent component analysis "
        f"({_ICA[model.ica]}) separated its features "
        f"({count(restarts, 'random start')}, {_steps(model)}, batches of "
        f"{model.batch_size}, learning rate {model.learning_rate:g})."
    ]


def _steps(model: IVAESettings | TCLSettings | StructuralSettings) -> str:
    if not model.patience:
        return f"{model.steps:,} steps"
    return f"up to {model.steps:,} steps, fewer where {model.patience:.0%} of them brought no gain"


def _diagnostics(realised: Realised) -> list[str]:
    collapse = "a disturbance collapsed to its prior, " if "ivae" in realised.methods else ""
    return [
        "Of each pair, the fit with the best objective was called not identifiable if the "
        "number of segments, or the rank beyond sampling error of the differences that they make "
        "to the disturbances' distributions, was below what the identifiability theorem requires "
        "[@khemakhem2020]; it was called doubtful if a disturbance hardly changed with the "
        f"segment, {collapse}or training had not converged. Disagreement of fits and "
        "dependence left between the disturbances given the segment were noted."
    ]


def _screen(settings: Pipeline) -> list[str]:
    level = f"{settings.screen.alpha:g}"
    if settings.screen.by == "dependence":
        return [
            f"Pairs of regions that were not dependent given the segment at level {level} were "
            "not analysed further and given no edge."
        ]
    if settings.screen.by == "partial_correlation":
        return [
            "Pairs of regions whose partial correlation given all other regions (degrees of "
            "freedom reduced for autocorrelation) did not differ from zero at level "
            f"{level} were not analysed further and given no edge."
        ]
    if settings.screen.by == "skeleton":
        most = settings.screen.max_given
        limit = "" if most is None else f" of at most {most}"
        test = {
            "kernel": "a kernel test of conditional independence [@zhang2011]",
            "partial_correlation": "partial correlations, degrees of freedom reduced for "
            "autocorrelation,",
        }[settings.screen.test]
        return [
            f"The skeleton came from the order-independent PC algorithm [@colombo2014] with {test} "
            f"at level {level}: pairs of regions that a set{limit} other regions separated were "
            "not analysed further and given no edge."
        ]
    return []


def _tests(settings: Pipeline) -> list[str]:
    tests = settings.independence
    null = _NULLS[tests.null].format(draws=f"{tests.draws:,}")
    return [
        "Independence of each region from each disturbance, given the segments, was tested with "
        "the Hilbert-Schmidt independence criterion [@gretton2005; @gretton2007] computed within "
        f"segments and pooled; the null distribution came from {null}."
    ]


def _probability(settings: Pipeline) -> list[str]:
    decision = settings.decision
    outcomes, needed = (
        "both directions, of no edge and of none of these",
        f"{decision.confidence:g}, and dependence of the two regions at level {decision.alpha:g}",
    )
    if decision.assume_arrow:
        outcomes = "both directions, taking for granted that one of them is true,"
        needed = f"{decision.confidence:g}"
    return [
        f"The structural fits gave each pair the probabilities of {outcomes} by a logistic model "
        "of the gain in likelihood of one direction over the other, its statistic over stretches "
        "of volumes [@vuong1989], and the dependence that either leaves between the disturbances; "
        f"the model was calibrated on simulated pairs. A direction needed a probability of "
        f"{needed}; confidence is the probability of what was decided."
    ]


def _decision(settings: Pipeline, realised: Realised) -> list[str]:
    decision = settings.decision
    whose = ""
    if "structural" in realised.methods:
        rest = [METHOD_NAMES[name] for name in realised.methods if name != "structural"]
        whose = f" of {listed(rest)}"
    if decision.rule == "paper":
        rule = (
            f"Each restart{whose} voted by the rule of non-linear causal discovery [@monti2019]: a "
            "region is the cause if, of the four tests at level "
            f"{decision.alpha:g}/4, its independence of the other region's disturbance is the "
            "only one not rejected; the majority of the restarts decided."
        )
    else:
        rule = (
            f"A direction{whose} needed two tests at level "
            f"{decision.alpha:g}: the two regions had to be dependent, and the direction score had "
            "to differ from zero by a t test whose standard error comes from resampling segments "
            "and restarts. The score follows the "
            "test pattern of non-linear causal discovery [@monti2019]: it says how much more "
            "independent one region than the other is of the disturbance that it depends on "
            "least. Pairs that were not dependent were given no edge, all others were left "
            "undecided."
        )
    sure = (
        "of the restarts"
        if decision.rule == "paper"
        else f"of {decision.resamples:,} resamples of segments and restarts"
    )
    return [
        rule,
        f"Confidence{whose} is the share {sure} with the same outcome.",
    ]


def _adjustment(settings: Pipeline) -> list[str]:
    broken = "Where directions closed a cycle, its least confident edge was left undecided."
    return [
        "q-values control the false discovery rate across pairs [@benjamini1995].",
        *([broken] if settings.decision.acyclic else []),
    ]


def _prior(settings: Pipeline, realised: Realised) -> list[str]:
    if realised.prior is None:
        return []
    return [
        f"The graph was set against the anatomical prior '{realised.prior}', which the "
        f"estimation did not use; chance levels come from {settings.prior.draws:,} random graphs "
        "with as many edges on the same pairs."
    ]


def _group(settings: Pipeline, realised: Realised) -> list[str]:
    n = realised.n_subjects or 0
    return [
        f"Over {count(n, 'subject')}, the mean score of each pair was compared with zero by a "
        "two-sided sign-flip permutation test, with q-values across pairs [@benjamini1995] at "
        f"level {settings.group.alpha:g}; the share of subjects whose score has the sign of the "
        "mean is given with its 95% Wilson interval [@wilson1927], and heterogeneity over subjects "
        "as I² [@higgins2002].",
        *_model(settings),
        *(
            ["All subjects were pooled into one further fit, each a segment of its own."]
            if settings.group.pooled
            else []
        ),
    ]


def _model(settings: Pipeline) -> list[str]:
    formula = settings.group.model
    if formula is None:
        return []
    return [
        f"What the scores go with was estimated by least squares ({formula}; numbers centred) with "
        "errors robust to unequal variances (HC3) [@mackinnon1985], and q-values across pairs for "
        "each term."
    ]


def _software(realised: Realised) -> list[str]:
    ours = realised.versions.get("causal-ivae")
    others = [
        f"{name} {realised.versions[key]}"
        for key, name in (("torch", "PyTorch"), ("nilearn", "nilearn"))
        if key in realised.versions and (key != "nilearn" or realised.images)
    ]
    tool = f"causal-ivae {ours}" if ours else "causal-ivae"
    using = f" with {listed(others)}" if others else ""
    return [f"All steps were run by {tool}{using}, seed {realised.seed}."]
