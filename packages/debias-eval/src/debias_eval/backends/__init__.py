"""Back ends: what runs a model. One file each; ``registry`` finds them."""
