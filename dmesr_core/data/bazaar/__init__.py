"""The Bazaar: an embedded world of products and shoppers, generated from a seed, with a known best answer."""
