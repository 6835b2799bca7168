"""CRASH: what is left after kills, full disks and damage."""
