"""`python -m dqsstn` and `accelerate launch -m dqsstn` run the command `dqsstn`."""
from .cli import main

if __name__ == "__main__": main()
