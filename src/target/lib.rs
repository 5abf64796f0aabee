//! What a back end is.
