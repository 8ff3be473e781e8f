"""Operators: one module each; pixels in, pixels and a coordinate map out."""
