"""Why is nothing seen? *Examinations* gather facts; *checks* judge them and name cause, proof and next step.

    examinations (links, privileges, places, clocks, lists, daemons, samples) → `Facts` → `CHECKS` → `Finding`

To add a check, write its function in a file of `checks/` and its line in that file's table. It looks at facts alone, so
it needs no machine to be tested on.
"""
