//! ufc.
