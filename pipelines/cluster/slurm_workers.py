"""Run a study on workers that SLURM starts, by dask-jobqueue (pip install dask-jobqueue).

Copy this file, edit `JOB` and `JOBS`, and give it what follows ``causal-ivae run``, on a machine
that may submit jobs and that they can reach::

    python slurm_workers.py INPUT OUTPUT participant group --task rest --atlas aal2

A subject whose job runs out of time or memory fails alone; run the same command again to do what
is missing. Other queueing systems have other classes (PBSCluster, SGECluster, LSFCluster,
HTCondorCluster) with nearly the same settings.
"""

import subprocess
import sys
from typing import Any

JOBS = 20
JOB: dict[str, Any] = {
    "queue": "normal",
    "account": None,
    "walltime": "04:00:00",
    "memory": "6GB",
    # One subject at a time in each job, on two cores.
    "cores": 1,
    "processes": 1,
    "job_cpu": 2,
    "job_script_prologue": [
        "export OMP_NUM_THREADS=2",
        # Training spends most of its time returning memory to the system otherwise.
        "export MALLOC_TRIM_THRESHOLD_=1073741824",
    ],
    "scheduler_options": {"dashboard_address": ":0"},
}


def main(arguments: list[str]) -> int:
    """Run causal-ivae on as many workers as SLURM gives, and end them."""
    from dask_jobqueue import SLURMCluster

    with SLURMCluster(**JOB) as cluster:
        # A fixed number: what adapts counts waiting tasks, and each worker is given one at a time.
        cluster.scale(jobs=JOBS)
        command = ["causal-ivae", "run", *arguments, "--scheduler", cluster.scheduler_address]
        return subprocess.run(command, check=False).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
