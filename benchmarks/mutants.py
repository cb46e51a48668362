"""How many times faster is the kill matrix than to run every case against every mutant?  One run, one ratio.

The ratio is of processor time, so that what else the machine does hardly counts.  Only a
sample of the cases is run, every STEPth; both ways must find the same.

    python benchmarks/mutants.py [STEP]
"""

import sys
import time

from conformance.run import mutants
from conformance.target.reference.mutants import MUTANTS


def main(step: int) -> None:
    planned = mutants.once(mutants.loaded(()), seed=0)
    sample = planned[::step]
    quick = full = 0.0
    for item in sample:
        began = time.process_time()
        found = mutants.killed(item, list(MUTANTS))
        between = time.process_time()
        results = {name: mutants.play(item, mutant.endpoint) for name, mutant in MUTANTS.items()}
        full += time.process_time() - between
        quick += between - began
        assert found == [name for name, result in results.items() if mutants.departs(result)], item.case.id
    print(f"{len(sample)} of {len(planned)} cases against {len(MUTANTS)} mutants: {quick:.1f} s")
    print(f"ratio to all of them in full: 1/{full / quick:.1f}   the whole matrix: {quick * step:.0f} s")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 40)
