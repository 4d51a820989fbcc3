"""Faults at random instants, against real processes; every case ends with one audit.

See README.md beside this file.
"""
