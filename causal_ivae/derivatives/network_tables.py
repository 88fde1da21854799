"""Declare the tables that only the network method makes."""

from causal_ivae.derivatives.declaration import Column, Table

_FORMS = {"": "the series", "innovations_": "their innovations"}
_EVIDENCE = {
    "difference": "Size of the coefficient of x -> y less that of y -> x in linear equations with "
    "feedback",
    "difference_z": "difference over its standard error",
    "wald": "What x -> y adds to the likelihood of these equations less what y -> x adds, nats per "
    "volume",
    "gain": "Log-likelihood of the best acyclic graph with x -> y less that with y -> x, nats per "
    "volume",
    "gain_t": "gain over its standard error",
    "tanh_t": "Pairwise likelihood ratio (Hyvarinen and Smith 2013) over its standard error; "
    "positive favours x -> y",
    "larger": "Size of the larger of the two coefficients",
    "smaller": "Size of the smaller of the two coefficients",
    "larger_z": "Larger of the two coefficients' sizes over their standard errors",
    "smaller_z": "Smaller of the two coefficients' sizes over their standard errors",
    "agreement": "Share of segments (of subjects, where all are pooled) whose own gain has the "
    "sign of gain",
    "gain_without_one": "gain without the segment that speaks most for its sign, nothing fitted "
    "again, nats per volume; with another sign, the direction depends on this segment",
    "scales": "What scales that depend on the causes add to the likelihood of the best acyclic "
    "graph, nats per volume",
}

NETWORK = Table(
    "network",
    "One row per pair of regions between which arrows were looked for: the evidence for them.",
    {
        "x": Column("First region of the pair.", text=True),
        "y": Column("Second region of the pair.", text=True),
        **{
            prefix + name: Column(f"{meaning}; on {form}.")
            for prefix, form in _FORMS.items()
            for name, meaning in _EVIDENCE.items()
        },
    },
)
INPUTS = Table(
    "inputs",
    "One row per known input and region: what the input reaches. Effects are in standard "
    "deviations, and t values take segments, or windows within them, as observations.",
    {
        "input": Column("Name of the input.", text=True),
        "region": Column("Name of the region.", text=True),
        "total": Column("Effect through all paths."),
        "total_t": Column("total over its standard error; from 4 on the input reaches the region."),
        "direct": Column("Effect given the regions that may be causes of the region."),
        "direct_t": Column("direct over its standard error."),
        "remaining": Column("Effect given all other regions."),
        "remaining_t": Column("remaining over its standard error."),
        "through": Column(
            "Regions that the input reaches and that may be causes of the region, joined by "
            "commas.",
            text=True,
        ),
    },
)
POWER = Table(
    "power",
    "One row per kind of series and strength: what became of arrows that were planted into series "
    "without any, through haemodynamic responses.",
    {
        "series": Column(
            "What they were planted into: 'twins' of the data, with common sources between regions "
            "as in the data, or 'shifted', regions that share nothing.",
            text=True,
        ),
        "strength": Column(
            "Share of the standard deviation of the effect that comes from the cause."
        ),
        "planted": Column("Number of arrows."),
        "connected": Column("Share of them between regions that are called connected."),
        "drawn": Column(
            "Share of them that are drawn, either way, by the same rule as those of the data."
        ),
        "drawn_low": Column("Lower end of its 95 % Wilson interval."),
        "drawn_high": Column("Upper end of its 95 % Wilson interval."),
        "wrong": Column("Share of them that are drawn the wrong way."),
        "right_sign": Column(
            "Share of the connected ones whose likelier direction is the right one."
        ),
        "right_sign_low": Column("Lower end of its 95 % Wilson interval."),
        "right_sign_high": Column("Upper end of its 95 % Wilson interval."),
        "times_needed": Column(
            "How many times as many volumes are needed to draw 80 % of them the right way, "
            "extrapolated from these shares; n/a where their signs are not shown to be better than "
            "chance, so that more data of this kind are not known to help."
        ),
    },
)
TWINS = Table(
    "twins",
    "How many arrows the data claim, and how many a twin claims: series with the same covariance "
    "and spectra but without any arrow.",
    {
        "probability": Column("Least probability of an arrow that counts as claimed."),
        "claims": Column("Number of arrows that the data claim."),
        "claims_per_twin": Column("Mean number of arrows that a twin claims; n/a without twins."),
    },
)
