//! Tests of the whole. Begin with `walk.rs`.

#[cfg(test)]
mod scripts;
#[cfg(test)]
mod walk;
