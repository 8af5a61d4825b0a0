//! The attribute macros of `persevere`.
