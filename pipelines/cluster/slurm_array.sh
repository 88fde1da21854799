#!/usr/bin/env bash
# One SLURM job per subject, then the group. Copy this file, edit the upper part, write the labels
# of the subjects into subjects.txt (one a line, without "sub-"), and submit both steps:
#
#   array=$(sbatch --parsable --array=1-$(wc -l < subjects.txt)%50 slurm_array.sh)
#   sbatch --dependency=afterany:"$array" --export=ALL,LEVEL=group slurm_array.sh
#
# All jobs write one output folder: each keeps the others off its subject, and the group waits for
# nobody but refuses to start while a subject is being written. Submit again what failed: what is up
# to date is left as it is.
#
# A region that one subject lacks is known to that subject's job only, so leave
# denoise.missing_regions at "fail" here, or use slurm_workers.py.

#SBATCH --job-name=causal-ivae
#SBATCH --cpus-per-task=2
#SBATCH --mem=6G
#SBATCH --time=04:00:00
#SBATCH --output=%x-%A_%a.log

set -euo pipefail

INPUT=/data/study/derivatives/fmriprep
OUTPUT=/data/study/derivatives/causal-ivae
SUBJECTS=subjects.txt
OPTIONS=(--pipeline default --task rest --atlas aal2)
# A little less than what SLURM grants above, so that status.tsv says what went wrong.
LIMITS=(--mem 5.5 --time-limit 230)

if [[ "${LEVEL:-participant}" == group ]]; then
  causal-ivae run "$INPUT" "$OUTPUT" group "${OPTIONS[@]}"
else
  label=$(sed -n "${SLURM_ARRAY_TASK_ID}p" "$SUBJECTS")
  causal-ivae run "$INPUT" "$OUTPUT" participant --participant-label "$label" \
    "${OPTIONS[@]}" "${LIMITS[@]}"
fi
