//! An answer as a tree of its elements.

/// What an element of an answer holds, by the names that the wire has.
#[derive(Clone, Debug, PartialEq)]
pub enum Tree {
    /// Elements by their names.
    Structure(Vec<(String, Self)>),
    /// Elements of one kind.
    List(Vec<Self>),
    /// Text.
    Text(String),
    /// A whole number.
    Integer(i64),
    /// A number.
    Float(f64),
    /// True or false.
    Boolean(bool),
}
