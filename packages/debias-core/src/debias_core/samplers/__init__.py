"""What draws answers: the model in training itself (`model`), or a vLLM engine (`vllm`)."""
