"""Independent pieces of work on worker processes; knows nothing of fMRI."""
