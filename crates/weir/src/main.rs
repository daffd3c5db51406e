//! One command: the daemon and the tools.

fn main() {}
