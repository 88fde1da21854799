"""Define how much is measured and how often."""

from dataclasses import dataclass


@dataclass(frozen=True)
class TrainingCase:
    """Describe the sizes at which a stack is compared with the plain loop.

    Attributes
    ----------
    hidden, batch : int
        Of the stack.
    plain_hidden : int
        Of the plain loop; its batch is the same.
    few, many : int
        Steps of the two fits of a stack whose difference is timed.
    """

    hidden: int
    batch: int
    plain_hidden: int
    few: int
    many: int
    plain_steps: int


@dataclass(frozen=True)
class Wait:
    """Describe a simulated cohort, and what a user does with it.

    Attributes
    ----------
    methods : tuple of str
        Empty for those of the default.
    afterwards : tuple of str
        Options with which the command is given again, one at a time; empty for none.
    """

    regions: int
    subjects: int
    levels: tuple[str, ...] = ("participant",)
    methods: tuple[str, ...] = ()
    afterwards: tuple[str, ...] = ()


@dataclass(frozen=True)
class Effort:
    """Hold the sizes and the numbers of turns of all measurements.

    Attributes
    ----------
    turns, training_turns : int
        Of everything that is set against something else; of training, whose steps are so short
        that whatever else the machine does shows.
    members : int
        Models of the stack that is trained, at most.
    test_volumes : tuple of int
        Lengths of the series that are tested for independence.
    draws : int
        From the null distributions that need draws.
    draws_volumes, memory_volumes : int
        Lengths of the series at which draws and memory are measured.
    pairs, restarts, volumes, segments, steps : tuple of int
        What `discover` is scaled with; the second of each is the size that is kept while
        another varies.
    subjects, worker_steps, worker_turns : int
        Subjects that two workers share, the steps of their fits, and how often; 0 turns leave the
        workers out, which take longer to start than all quick measurements together.
    regions : tuple of int
        Sizes of whole subjects, the smallest first.
    subject_steps : int or None
        Of every fit; None for as many as by default.
    patience : float
        Seconds that a larger subject may take; beyond it, a share of the pairs is timed.
    peer_pairs, peer_turns : int
        Pairs that published methods judge, and how often all methods are timed.
    """

    turns: int
    training_turns: int
    members: int
    training: tuple[TrainingCase, ...]
    test_volumes: tuple[int, ...]
    draws: int
    draws_volumes: int
    memory_volumes: int
    pairs: tuple[int, ...]
    restarts: tuple[int, ...]
    volumes: tuple[int, ...]
    segments: tuple[int, ...]
    steps: tuple[int, ...]
    subjects: int
    worker_steps: int
    worker_turns: int
    regions: tuple[int, ...]
    subject_volumes: int
    subject_steps: int | None
    patience: float
    peer_pairs: int
    peer_turns: int
    waits: tuple[Wait, ...]


FULL = Effort(
    turns=5,
    training_turns=15,
    members=64,
    training=(TrainingCase(48, 64, 50, 20, 140, 500), TrainingCase(100, 256, 100, 5, 35, 250)),
    test_volumes=(500, 1000, 2000, 5000),
    draws=1000,
    draws_volumes=500,
    memory_volumes=5000,
    pairs=(16, 32, 64, 128),
    restarts=(2, 4, 8, 16),
    volumes=(600, 1200, 2400, 4800),
    segments=(8, 16, 32, 64),
    steps=(20, 40, 80, 160),
    subjects=2,
    worker_steps=200,
    worker_turns=3,
    regions=(6, 20, 50, 100),
    subject_volumes=1200,
    subject_steps=None,
    patience=90.0,
    peer_pairs=3,
    peer_turns=3,
    waits=(
        Wait(6, 1, afterwards=("--dry-run", "", "--reports-only")),
        # What methods of pairs take on more regions is timed end to end, by some of the pairs.
        Wait(20, 1, methods=("network",), afterwards=("--reports-only",)),
        Wait(100, 1, methods=("network",)),
        Wait(6, 20, levels=("participant", "group"), methods=("network",), afterwards=("",)),
    ),
)

QUICK = Effort(
    turns=2,
    training_turns=2,
    members=8,
    training=(TrainingCase(48, 64, 50, 2, 12, 20), TrainingCase(100, 256, 100, 2, 6, 5)),
    test_volumes=(400, 600),
    draws=100,
    draws_volumes=100,
    memory_volumes=500,
    pairs=(1, 2),
    restarts=(1, 2),
    volumes=(160, 320),
    segments=(4, 8),
    steps=(2, 4),
    subjects=2,
    worker_steps=2,
    worker_turns=0,
    regions=(3, 6),
    subject_volumes=320,
    subject_steps=4,
    patience=0.5,
    peer_pairs=1,
    peer_turns=1,
    waits=(Wait(3, 1, methods=("tcl",), afterwards=("--dry-run",)),),
)
