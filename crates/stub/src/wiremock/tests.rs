//! Tests of mappings at work.
