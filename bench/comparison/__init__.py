"""Forebay and its peers, measured in one run. The command is bench/compare.py.

datasets    reads vectors, holds out queries, computes the exact answers
plan        how much of everything is measured: the full run and the quick one
systems     what a system has to do to be compared, and the list of them
worker      the process that holds one system and does what is timed
pool        the parent's side: one worker for each system, asked in turn
experiments the measurements, round by round
results     their figures, and the JSON file (its schema is documented there)
ratios      which figures are compared, and the targets
report      tables in Markdown; plots: pictures
"""
