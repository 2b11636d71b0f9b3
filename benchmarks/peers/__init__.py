"""One module per framework that `bench_peers.py` drives, each in an environment of its own."""
