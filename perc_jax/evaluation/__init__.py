"""A model examined: the engines' suites, public benchmarks and grading, each answer kept, results compared.

It asks by the programs of a run, and never changes the model.
"""
