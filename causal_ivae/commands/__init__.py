"""Define the commands of the command line, each with its options and its action in one file."""

from causal_ivae.commands.atlas import ATLAS
from causal_ivae.commands.benchmark import BENCHMARK
from causal_ivae.commands.command import Command
from causal_ivae.commands.compare import COMPARE
from causal_ivae.commands.demo import DEMO
from causal_ivae.commands.export import EXPORT
from causal_ivae.commands.pipeline import PIPELINE
from causal_ivae.commands.reproduce import REPRODUCE
from causal_ivae.commands.run import RUN
from causal_ivae.commands.view import VIEW

__all__ = ["COMMANDS", "Command"]

COMMANDS: tuple[Command, ...] = (
    RUN,
    DEMO,
    REPRODUCE,
    BENCHMARK,
    COMPARE,
    EXPORT,
    ATLAS,
    PIPELINE,
    VIEW,
)
"""This tuple holds every command, in the order in which the help lists them."""
