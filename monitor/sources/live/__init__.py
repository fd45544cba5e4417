"""Live interfaces: what a mirror port sends comes in, the frames that decoders ask for go out."""
