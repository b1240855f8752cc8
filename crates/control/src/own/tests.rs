//! Routes of our own API.
