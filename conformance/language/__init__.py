"""The language of the cases: from YAML files to values of the model, with every error at once.

`loader` is the way in.  This package imports nothing until it is used.
"""
