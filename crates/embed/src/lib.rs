//! The embed stage: crops in, unit vectors out; and the analysis of single pictures.
