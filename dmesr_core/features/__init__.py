"""Features of items, computed by a multimodal LLM and a text encoder."""
