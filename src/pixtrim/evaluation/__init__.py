"""Evaluation: what an operator costs in answers, beside a plain resize at equal tokens.

Data flow one way: a data set gives samples, the runner reduces each by every operator to every budget, measures score
the reduced pictures and the plain resizes that cost the same, and statistics turn the records into verdicts by kind.
Operators, measures and data sets are added by registering them.
"""
