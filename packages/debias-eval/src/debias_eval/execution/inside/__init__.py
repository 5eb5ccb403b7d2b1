"""What runs on the far side: only the standard library, loaded by a bare interpreter.

These modules are imported by the zygotes (see `zygote.py`) before they enter their sandbox, and
by the judge for the wire format alone; the grader's zygote takes the CPU time of a process from
`watch`. Nothing here may import the rest of the package.
"""
