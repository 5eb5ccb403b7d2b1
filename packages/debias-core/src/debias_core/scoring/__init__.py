"""What a model's distributions are on given answers: entropy, KL, log-probability."""
