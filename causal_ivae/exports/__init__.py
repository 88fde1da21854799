"""Write graphs in the formats of the programs that people use next."""

from causal_ivae.exports.formats import FORMATS, export
from causal_ivae.exports.network import WEIGHTS, Network, networks_of

__all__ = ["FORMATS", "WEIGHTS", "Network", "export", "networks_of"]
