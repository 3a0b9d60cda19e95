"""Sweeps: many trainings that look for the best settings, on one machine or many, on Optuna.

Optuna is optional. Only ``engine.sweep.study`` and ``engine.sweep.worker`` need it.
"""
