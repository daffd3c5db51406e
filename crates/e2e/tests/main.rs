//! Tests of the whole. Begin with `walk.rs`.

mod walk;
