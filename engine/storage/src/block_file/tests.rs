//! Whole blocks, remainders and space, over power cuts.
