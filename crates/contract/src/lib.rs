//! Learns Contracts from Interactions and compares them.
#![forbid(unsafe_code)]
