"""``python -m docs.generate``: write the recorded results into docs/results/."""

import sys

from docs.generate import results

if __name__ == "__main__":
    sys.exit(results.main())
