//! Set-up, demo, tests, checks: cargo xtask.
fn main() {}
