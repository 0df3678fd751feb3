//! The sightline binary: command line and composition of stages into processes. No logic.
fn main() {}
