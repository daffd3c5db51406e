//! Writes shapes: as XML, where lists are `<item>` elements, or `<member>` ones, and absent scalars are left out; or as a
//! [`Tree`] of the same elements, which keeps what XML forgets: numbers, booleans and which elements are lists.

use std::fmt::Write;

use crate::Tree;

/// A shape that can be written between its element's tags.
pub(crate) trait Encode {
    /// Writes the content, without the element itself.
    fn encode(&self, to: &mut Writer);
}

/// A document being written.
pub(crate) struct Writer {
    form: Form,
}

enum Form {
    Xml(String),
    /// The elements that are open, the outermost first.
    Tree(Vec<Tree>),
}

impl Writer {
    /// An XML document that has its declaration only.
    pub(crate) fn document() -> Self {
        Self {
            form: Form::Xml(String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n")),
        }
    }

    /// The elements that a shape is written as.
    pub(crate) fn tree_of(encode: impl FnOnce(&mut Self)) -> Tree {
        let mut writer = Self {
            form: Form::Tree(vec![Tree::Structure(Vec::new())]),
        };
        encode(&mut writer);
        match writer.form {
            Form::Tree(mut open) => open.swap_remove(0),
            Form::Xml(_) => Tree::Structure(Vec::new()),
        }
    }

    /// A start tag; `tag` may carry attributes.
    pub(crate) fn open(&mut self, tag: &str) {
        if let Form::Xml(text) = &mut self.form {
            text.push('<');
            text.push_str(tag);
            text.push('>');
        }
    }

    /// An end tag.
    pub(crate) fn close(&mut self, name: &str) {
        if let Form::Xml(text) = &mut self.form {
            text.push_str("</");
            text.push_str(name);
            text.push('>');
        }
    }

    /// An element with its content.
    pub(crate) fn element<T: Encode + ?Sized>(&mut self, name: &str, value: &T) {
        self.within(name, Tree::Structure(Vec::new()), |to| value.encode(to));
    }

    /// An element, or nothing.
    pub(crate) fn option<T: Encode>(&mut self, name: &str, value: &Option<T>) {
        if let Some(value) = value {
            self.element(name, value);
        }
    }

    /// A list; an empty one is sent too.
    pub(crate) fn list<T: Encode>(&mut self, name: &str, items: &[T]) {
        self.list_of(name, "item", items);
    }

    /// A list as the common Query protocol writes it; an empty one is sent too.
    pub(crate) fn member_list<T: Encode>(&mut self, name: &str, items: &[T]) {
        self.list_of(name, "member", items);
    }

    fn list_of<T: Encode>(&mut self, name: &str, item_name: &str, items: &[T]) {
        if let Form::Xml(text) = &mut self.form
            && items.is_empty()
        {
            text.push('<');
            text.push_str(name);
            text.push_str("/>");
            return;
        }
        self.within(name, Tree::List(Vec::new()), |to| {
            for item in items {
                to.element(item_name, item);
            }
        });
    }

    /// A list whose absence means something else than emptiness.
    pub(crate) fn list_unless_empty<T: Encode>(&mut self, name: &str, items: &[T]) {
        if !items.is_empty() {
            self.list(name, items);
        }
    }

    /// Writes an element whose content `encode` writes; `content` is its kind.
    fn within(&mut self, name: &str, kind: Tree, encode: impl FnOnce(&mut Self)) {
        if let Form::Tree(open) = &mut self.form {
            open.push(kind);
        }
        self.open(name);
        encode(self);
        self.close(name);
        if let Form::Tree(open) = &mut self.form
            && let Some(done) = open.pop()
        {
            match open.last_mut() {
                Some(Tree::Structure(members)) => members.push((name.to_owned(), done)),
                Some(Tree::List(items)) => items.push(done),
                _ => {}
            }
        }
    }

    /// A value without elements in it; `text` is how XML has it.
    fn scalar(&mut self, value: impl FnOnce() -> Tree, xml: impl FnOnce(&mut String)) {
        match &mut self.form {
            Form::Xml(text) => xml(text),
            Form::Tree(open) => {
                if let Some(content) = open.last_mut() {
                    *content = value();
                }
            }
        }
    }

    /// The document's text.
    pub(crate) fn finish(self) -> String {
        match self.form {
            Form::Xml(text) => text,
            Form::Tree(_) => String::new(),
        }
    }
}

impl Encode for str {
    fn encode(&self, to: &mut Writer) {
        to.scalar(
            || Tree::Text(self.to_owned()),
            |text| {
                for character in self.chars() {
                    escape(character, text);
                }
            },
        );
    }
}

fn escape(character: char, text: &mut String) {
    match character {
        '&' => text.push_str("&amp;"),
        '<' => text.push_str("&lt;"),
        '>' => text.push_str("&gt;"),
        '"' => text.push_str("&quot;"),
        '\'' => text.push_str("&apos;"),
        // A parser would read a bare one as a line feed.
        '\r' => text.push_str("&#13;"),
        // XML 1.0 has no way to write these, not even as references.
        '\0'..='\x08' | '\x0b' | '\x0c' | '\x0e'..='\x1f' | '\u{fffe}' | '\u{ffff}' => {
            text.push(char::REPLACEMENT_CHARACTER);
        }
        other => text.push(other),
    }
}

impl Encode for String {
    fn encode(&self, to: &mut Writer) {
        self.as_str().encode(to);
    }
}

impl Encode for bool {
    fn encode(&self, to: &mut Writer) {
        let text = if *self { "true" } else { "false" };
        to.scalar(|| Tree::Boolean(*self), |xml| xml.push_str(text));
    }
}

impl Encode for i32 {
    fn encode(&self, to: &mut Writer) {
        i64::from(*self).encode(to);
    }
}

impl Encode for i64 {
    fn encode(&self, to: &mut Writer) {
        // Writing to a String cannot fail.
        to.scalar(|| Tree::Integer(*self), |xml| _ = write!(xml, "{self}"));
    }
}

impl Encode for f64 {
    fn encode(&self, to: &mut Writer) {
        // The debug form keeps the point of whole numbers: 2.0, as EC2 sends it.
        to.scalar(|| Tree::Float(*self), |xml| _ = write!(xml, "{self:?}"));
    }
}
