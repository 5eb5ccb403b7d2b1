"""The configuration tree (`tree`) and the way from YAML to it (`load`)."""
