//! Math functions.
