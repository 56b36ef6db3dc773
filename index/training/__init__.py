"""How the bundled encoder is made: `python -m index.training --data DATA --out OUT`."""
