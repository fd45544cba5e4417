"""Hostile bytes for every reader and decoder: `make fuzz`.

A *target* takes any bytes, gives them to one reader, and asserts what must hold whatever they are: no exception but
those that the reader documents, no more out than in, and where two ways lead to the same answer, the same answer. It is
a plain function, so the files of `fuzz/corpus/` run through it as ordinary tests, without the fuzzer. Every input that
ever broke something stays in the corpus.
"""
