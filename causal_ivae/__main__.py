"""Run the command line by ``python -m causal_ivae``."""

import sys

from causal_ivae.cli import main

if __name__ == "__main__":
    sys.exit(main())
