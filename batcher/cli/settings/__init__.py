"""Options, environment, configuration files and profiles → the settings of a run."""
