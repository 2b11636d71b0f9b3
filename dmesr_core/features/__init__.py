"""Features: what a multimodal LLM and a text encoder know about items."""
