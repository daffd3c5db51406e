//! Dotted parameter names as a tree, and the scalars at its leaves.
//!
//! EC2 API Reference, "Query requests for Amazon EC2": structures are dotted (`PortRange.From`), lists are flattened
//! and count from 1 (`SubnetId.1`).

use crate::Error;
use std::collections::BTreeMap;

/// Most items of one list, which is also the largest index.
const MAX_ITEMS: u32 = 10_000;

/// Deepest nesting of a name; no parameter of EC2 comes near it.
const MAX_DEPTH: usize = 16;

/// A shape that can be read from the parameters under one name.
pub(crate) trait Decode: Sized {
    /// Reads all of `node`; what it does not know is an error.
    fn decode(node: Node<'_>) -> Result<Self, Error>;
}

/// Everything that was sent under one name.
#[derive(Default)]
pub(crate) struct Node<'a> {
    /// The full name, empty for the root.
    name: &'a str,
    value: Option<&'a str>,
    children: BTreeMap<&'a str, Node<'a>>,
}

impl<'a> Node<'a> {
    /// Adds a parameter; false when its name was there already.
    pub(crate) fn insert(&mut self, name: &'a str, value: &'a str) -> Result<bool, Error> {
        if name.split('.').count() > MAX_DEPTH {
            return Err(Error::UnknownParameter(name.to_owned()));
        }
        let mut node = self;
        let mut end = 0;
        for segment in name.split('.') {
            end += segment.len();
            let full_name = name.get(..end).unwrap_or(name);
            end += 1;
            node = node.children.entry(segment).or_insert_with(|| Node {
                name: full_name,
                ..Node::default()
            });
        }
        Ok(node.value.replace(value).is_none())
    }

    /// A scalar or structure that may be left out.
    pub(crate) fn option<T: Decode>(&mut self, member: &str) -> Result<Option<T>, Error> {
        self.children.remove(member).map(T::decode).transpose()
    }

    /// A scalar or structure that must be there.
    pub(crate) fn required_option<T: Decode>(&mut self, member: &str) -> Result<Option<T>, Error> {
        match self.option(member)? {
            None => Err(self.missing(member)),
            some => Ok(some),
        }
    }

    /// A list, empty when left out. Indices only give the order: gaps are accepted.
    pub(crate) fn list<T: Decode>(&mut self, member: &str) -> Result<Vec<T>, Error> {
        let Some(list) = self.children.remove(member) else {
            return Ok(Vec::new());
        };
        list.items()
    }

    /// A list of one item or more.
    pub(crate) fn required_list<T: Decode>(&mut self, member: &str) -> Result<Vec<T>, Error> {
        let items = self.list(member)?;
        self.at_least_one(member, items)
    }

    /// A list as the common Query protocol writes it: `Names.member.1`.
    pub(crate) fn member_list<T: Decode>(&mut self, member: &str) -> Result<Vec<T>, Error> {
        let Some(mut list) = self.children.remove(member) else {
            return Ok(Vec::new());
        };
        list.expect_no_value()?;
        let items = list.list("member")?;
        list.expect_no_more()?;
        Ok(items)
    }

    /// A list of one item or more, as the common Query protocol writes it.
    pub(crate) fn required_member_list<T: Decode>(
        &mut self,
        member: &str,
    ) -> Result<Vec<T>, Error> {
        let items = self.member_list(member)?;
        self.at_least_one(member, items)
    }

    fn items<T: Decode>(self) -> Result<Vec<T>, Error> {
        self.expect_no_value()?;
        let mut items = BTreeMap::new();
        for (index, item) in self.children {
            items.insert(list_index(index, &item)?, item);
        }
        items.into_values().map(T::decode).collect()
    }

    fn at_least_one<T>(&self, member: &str, items: Vec<T>) -> Result<Vec<T>, Error> {
        if items.is_empty() {
            Err(self.missing(member))
        } else {
            Ok(items)
        }
    }

    /// Structures and lists have no value of their own; an empty one stands for an empty structure or list.
    pub(crate) fn expect_no_value(&self) -> Result<(), Error> {
        match self.value {
            None | Some("") => Ok(()),
            Some(_) => Err(Error::UnknownParameter(self.name.to_owned())),
        }
    }

    /// Once the members were taken, what is left is unknown.
    pub(crate) fn expect_no_more(&self) -> Result<(), Error> {
        match self.children.values().next() {
            None => Ok(()),
            Some(child) => Err(child.unknown()),
        }
    }

    fn scalar(&self) -> Result<&'a str, Error> {
        self.expect_no_more()?;
        self.value.ok_or_else(|| self.unknown())
    }

    /// Names the first parameter that was sent in this subtree.
    fn unknown(&self) -> Error {
        let mut node = self;
        while let (None, Some(child)) = (node.value, node.children.values().next()) {
            node = child;
        }
        Error::UnknownParameter(node.name.to_owned())
    }

    fn missing(&self, member: &str) -> Error {
        if self.name.is_empty() {
            Error::MissingParameter(member.to_owned())
        } else {
            Error::MissingParameter(format!("{}.{member}", self.name))
        }
    }

    fn invalid(&self, value: &str, expected: &'static str) -> Error {
        Error::InvalidParameterValue {
            value: value.to_owned(),
            parameter: self.name.to_owned(),
            expected,
        }
    }
}

/// Digits without a leading zero, so that no two spellings mean the same item.
fn list_index(text: &str, item: &Node<'_>) -> Result<u32, Error> {
    if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(item.unknown());
    }
    match text.parse() {
        Ok(index @ 1..=MAX_ITEMS) if !text.starts_with('0') => Ok(index),
        _ => Err(item.invalid(text, "Items of a list are numbered from 1 to 10000.")),
    }
}

impl Decode for String {
    fn decode(node: Node<'_>) -> Result<Self, Error> {
        node.scalar().map(str::to_owned)
    }
}

impl Decode for bool {
    fn decode(node: Node<'_>) -> Result<Self, Error> {
        match node.scalar()? {
            text if text.eq_ignore_ascii_case("true") => Ok(true),
            text if text.eq_ignore_ascii_case("false") => Ok(false),
            other => Err(node.invalid(other, "Expected true or false.")),
        }
    }
}

impl Decode for i32 {
    fn decode(node: Node<'_>) -> Result<Self, Error> {
        let text = node.scalar()?;
        text.parse()
            .map_err(|_| node.invalid(text, "Expected an integer."))
    }
}

impl Decode for i64 {
    fn decode(node: Node<'_>) -> Result<Self, Error> {
        let text = node.scalar()?;
        text.parse()
            .map_err(|_| node.invalid(text, "Expected an integer."))
    }
}

impl Decode for f64 {
    fn decode(node: Node<'_>) -> Result<Self, Error> {
        let text = node.scalar()?;
        match text.parse::<f64>() {
            Ok(number) if number.is_finite() => Ok(number),
            _ => Err(node.invalid(text, "Expected a number.")),
        }
    }
}
