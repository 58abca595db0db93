"""Pages: the few things a person sees while connecting, in Norwegian and English."""
