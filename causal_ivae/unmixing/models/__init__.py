"""Define stacked models, which train many small models as one."""

__all__ = [
    "binary_ivae",
    "draws",
    "equations",
    "flow",
    "invertible_ivae",
    "ivae",
    "priors",
    "stacked",
    "structural_flow",
    "tcl",
    "triangular",
    "variational",
]
