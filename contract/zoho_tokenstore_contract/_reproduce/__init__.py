"""From a finding to the shortest script that shows it."""
