"""Write the methods section of a paper from the settings and the numbers of the data."""

import re
from dataclasses import dataclass, field
from typing import Any

from causal_ivae.discovery.methods import METHODS, Method, PairMethod, pooled_methods
from causal_ivae.drawing.wording import count, listed
from causal_ivae.reporting.volume_counts import Volumes
from causal_ivae.settings import Null, Pipeline, SegmentKind, resources
from causal_ivae.settings.presets import KEYS, load_preset

MOST_SENTENCES = 6
"""A paragraph has at most this many sentences."""
_END = re.compile(r"(?<=\.)\s+(?=[A-Z])")

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


@dataclass(frozen=True)
class Realised:
    """Hold the facts about one subject, or about the group, that the paragraph states.

    Attributes
    ----------
    methods : tuple of str
        Methods that finished, and those to which they handed their work over.
    images : bool or None
        True if the series come from images, False for tables, None if it is not known.
    tr : float or None
        Repetition time (s).
    volumes : Volumes or None
        Numbers of acquired, kept and analysed volumes.
    segment_kind : str
        What the segments are, in words.
    n_subjects : int or None
        Number of subjects of the group; None for one subject.
    prior : str or None
        Name of the prior that the graph was compared with.
    versions : dict
        Versions of packages by name.
    n_percent : int or None
        Number of regions whose unit was percent signal change.
    """

    n_regions: int
    n_pairs: int
    methods: tuple[str, ...]
    seed: int
    images: bool | None = False
    tr: float | None = None
    volumes: Volumes | None = None
    n_segments: int | None = None
    segment_kind: str = ""
    n_subjects: int | None = None
    prior: str | None = None
    versions: dict[str, str] = field(default_factory=dict)
    simulated: bool = False
    n_percent: int | None = None


def methods_text(settings: Pipeline, realised: Realised) -> str:
    """Return paragraphs with citations as ``[@key]`` of ``reports/references.bib``.

    Returns
    -------
    str
        The paragraphs, parted by empty lines; `causal_ivae.reporting.references.resolve` replaces
        the citations.
    """
    pairwise = any(isinstance(method, PairMethod) for method in _methods(realised))
    themes = (
        [*_data(settings, realised), *_segments(settings, realised)],
        [
            *(_screen(settings) if pairwise else []),
            *_fits(settings, realised),
            *(_diagnostics(realised) if pairwise else []),
        ],
        [
            *(_tests(settings) if pairwise else []),
            *_decisions(settings, realised),
            *_adjustment(realised),
            *_cycles(settings),
            *_prior(settings, realised),
        ],
        _group(settings, realised) if realised.n_subjects is not None else [],
        _software(realised),
    )
    return "\n\n".join(text for theme in themes for text in _paragraphs(theme))


def _paragraphs(theme: list[str]) -> list[str]:
    """Return the sentences of a theme as paragraphs of about equal length."""
    sentences = _END.split(" ".join(theme)) if theme else []
    number = -(-len(sentences) // MOST_SENTENCES)
    size = -(-len(sentences) // number) if number else 1
    return [" ".join(sentences[i : i + size]) for i in range(0, len(sentences), size)]


def _data(settings: Pipeline, realised: Realised) -> list[str]:
    regions = count(realised.n_regions, "region")
    tr = f" (repetition time {realised.tr:g} s)" if realised.tr else ""
    if realised.simulated:
        text = [f"Time series of {regions}{tr} were simulated; they are no measurement."]
    elif realised.images:
        text = [*_denoising(settings, regions, tr), _scale(realised)]
    elif realised.images is None:
        text = [f"Time series of {regions}{tr} were analysed.", _scale(realised)]
    else:
        order = settings.tables.detrend_order
        text = [
            f"Time series of {regions}{tr} were read from tables, and from each run a polynomial "
            f"of order {order} was removed.",
            _scale(realised),
        ]
    if realised.volumes is not None:
        text.append(realised.volumes.sentence)
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
    return text


def _scale(realised: Realised) -> str:
    """Describe how runs were put on one scale, which keeps what differs between them."""
    if not realised.n_percent:
        converted = "centred"
    elif realised.n_percent == realised.n_regions:
        converted = "converted to percent signal change"
    else:
        converted = (
            f"centred ({count(realised.n_percent, 'region')} with a baseline converted to percent "
            "signal change)"
        )
    return (
        f"Each run was {converted}, and each region was divided by its standard deviation over "
        "all runs, so that differences between runs were kept."
    )


def _preset(settings: Pipeline) -> str:
    """Name the denoising preset, and cite its sources if its settings were not changed."""
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


def _methods(realised: Realised) -> list[Method[Any]]:
    """Return the methods that finished, in the order of the registry."""
    return [method for name, method in METHODS.items() if name in realised.methods]


def _fits(settings: Pipeline, realised: Realised) -> list[str]:
    alone = len(realised.methods) == 1
    return [
        sentence
        for method in _methods(realised)
        for sentence in method.fit_sentences(settings.unmixing, realised.n_pairs, alone=alone)
    ]


def _decisions(settings: Pipeline, realised: Realised) -> list[str]:
    """Describe the decision once for all methods that decide in the same way."""
    alike: dict[tuple[str, ...], list[Method[Any]]] = {}
    for method in _methods(realised):
        said = tuple(method.decision_sentences(settings.decision, ""))
        alike.setdefault(said, []).append(method)
    sentences = []
    for methods in alike.values():
        whose = f" of {listed([method.title for method in methods])}" if len(alike) > 1 else ""
        sentences += methods[0].decision_sentences(settings.decision, whose)
    network = METHODS["network"]
    if settings.unmixing.network.twins and network.name in realised.methods:
        sentences.append(
            f"Arrows of {network.title} were drawn from the probability on at which "
            f"{_demanded(settings)}."
        )
    if settings.power.plants and network.name in realised.methods:
        sentences.append(
            f"No arrow of {network.title} was drawn where strong arrows that were planted through "
            "haemodynamic responses into the same data, between regions without common sources, "
            "leaned the wrong way as often as the right one."
        )
    of_pairs = [one.title for one in _methods(realised) if isinstance(one, PairMethod)]
    if settings.unmixing.pair_twins and of_pairs:
        sentences.append(_beside_twins(settings, listed(of_pairs)))
    return sentences


def _beside_twins(settings: Pipeline, titles: str) -> str:
    """Describe how arrows of methods of pairs were set against those of twins."""
    twins = count(settings.unmixing.pair_twins, "twin")
    return (
        f"Arrows of {titles} were set against those in up to {twins} of the data, series with the "
        "same covariance and spectra but without any arrow, whose pairs were fitted and decided in "
        "the same way: arrows were drawn from the confidence on at which "
        f"{_demanded(settings)}."
    )


def _demanded(settings: Pipeline) -> str:
    """Say how few arrows of twins there must be."""
    decision = settings.decision
    if decision.guard == "share":
        return (
            f"a twin had at most {decision.decoy_share:.0%} as many arrows as the data [@elias2007]"
        )
    return "no arrow of 95% of the twins was as sure"


def _diagnostics(realised: Realised) -> list[str]:
    doubts = "".join(f"{doubt}, " for method in _methods(realised) for doubt in method.doubts)
    return [
        "Of each pair, the fit with the best objective was called not identifiable if there were "
        "fewer segments than the identifiability theorem requires [@khemakhem2020], and its "
        "modulation not shown if the differences that they make to the disturbances' distributions "
        "did not show the rank that it requires beyond sampling error (singular values tested in "
        "turn, each at level 0.05), which is no proof that it is not there; it was called doubtful "
        "if a disturbance hardly changed with the "
        f"segment, {doubts}or training had not converged. Disagreement of fits and "
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


def _adjustment(realised: Realised) -> list[str]:
    if not any(method.has_p_values for method in _methods(realised)):
        return []
    return ["q-values control the false discovery rate across pairs [@benjamini1995]."]


def _cycles(settings: Pipeline) -> list[str]:
    broken = "Where directions closed a cycle, its least confident edge was left undecided."
    return [broken] if settings.decision.acyclic else []


def _prior(settings: Pipeline, realised: Realised) -> list[str]:
    if realised.prior is None:
        return []
    return [
        f"The graph was set against the anatomical prior '{realised.prior}', which the "
        f"estimation did not use; p-values come from {settings.prior.draws:,} permutations of the "
        "regions' labels, with the effect of distance removed where the regions' places are known."
    ]


def _group(settings: Pipeline, realised: Realised) -> list[str]:
    n = realised.n_subjects or 0
    return [
        f"Over {count(n, 'subject')}, pairs whose dependence was not significant at level "
        f"{settings.group.alpha:g} (the subjects' tests combined by Fisher's method) were given no "
        "edge. The mean score of each other pair was compared with zero by a two-sided sign-flip "
        "permutation test, with q-values across these pairs [@benjamini1995] at the same level, "
        f"and a direction needed a mean score of {settings.group.min_score:g} at least. The test "
        "assumes scores that are symmetric around zero where there is no direction. The share of "
        "subjects whose score has the sign of the mean is given with its 95% Wilson interval "
        "[@wilson1927].",
        *_model(settings),
        *(
            [
                "All subjects were pooled into one further fit by "
                f"{listed([METHODS[name].title for name in pooled])}, each a segment of its own."
            ]
            if (pooled := pooled_methods(settings))
            else []
        ),
    ]


def _model(settings: Pipeline) -> list[str]:
    formula = settings.group.model
    if formula is None:
        return []
    return [
        f"What the scores go with was estimated by least squares ({formula}; numbers centred) with "
        "errors robust to unequal variances (HC2) [@mackinnon1985], p-values from the distribution "
        "of their ratio to the estimate for normal errors of equal variance, and q-values across "
        "pairs for each term."
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
