__version__ = "0.1.0"

from gymnasium import register

register("dqsstn/Sample-v0", entry_point="dqsstn.gym:sample_gym")
register("dqsstn/Photos-v0", entry_point="dqsstn.gym:photos_gym")
