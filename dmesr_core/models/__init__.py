"""Models: backbones, recommenders, DMESR and its opponents."""
