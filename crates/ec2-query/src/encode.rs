//! Writes XML elements: lists are `<item>` elements, or `<member>` ones, absent scalars are left out.

use std::fmt::Write;

/// A shape that can be written between its element's tags.
pub(crate) trait Encode {
    /// Writes the content, without the element itself.
    fn encode(&self, xml: &mut Writer);
}

/// An XML document being written.
pub(crate) struct Writer {
    text: String,
}

impl Writer {
    /// A document that has its declaration only.
    pub(crate) fn document() -> Self {
        Self {
            text: String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"),
        }
    }

    /// A start tag; `tag` may carry attributes.
    pub(crate) fn open(&mut self, tag: &str) {
        self.text.push('<');
        self.text.push_str(tag);
        self.text.push('>');
    }

    /// An end tag.
    pub(crate) fn close(&mut self, name: &str) {
        self.text.push_str("</");
        self.text.push_str(name);
        self.text.push('>');
    }

    /// An element with its content.
    pub(crate) fn element<T: Encode + ?Sized>(&mut self, name: &str, value: &T) {
        self.open(name);
        value.encode(self);
        self.close(name);
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
        if items.is_empty() {
            self.text.push('<');
            self.text.push_str(name);
            self.text.push_str("/>");
            return;
        }
        self.open(name);
        for item in items {
            self.element(item_name, item);
        }
        self.close(name);
    }

    /// A list whose absence means something else than emptiness.
    pub(crate) fn list_unless_empty<T: Encode>(&mut self, name: &str, items: &[T]) {
        if !items.is_empty() {
            self.list(name, items);
        }
    }

    /// The document's text.
    pub(crate) fn finish(self) -> String {
        self.text
    }
}

impl Encode for str {
    fn encode(&self, xml: &mut Writer) {
        for character in self.chars() {
            match character {
                '&' => xml.text.push_str("&amp;"),
                '<' => xml.text.push_str("&lt;"),
                '>' => xml.text.push_str("&gt;"),
                '"' => xml.text.push_str("&quot;"),
                '\'' => xml.text.push_str("&apos;"),
                // A parser would read a bare one as a line feed.
                '\r' => xml.text.push_str("&#13;"),
                // XML 1.0 has no way to write these, not even as references.
                '\0'..='\x08' | '\x0b' | '\x0c' | '\x0e'..='\x1f' | '\u{fffe}' | '\u{ffff}' => {
                    xml.text.push(char::REPLACEMENT_CHARACTER);
                }
                other => xml.text.push(other),
            }
        }
    }
}

impl Encode for String {
    fn encode(&self, xml: &mut Writer) {
        self.as_str().encode(xml);
    }
}

impl Encode for bool {
    fn encode(&self, xml: &mut Writer) {
        xml.text.push_str(if *self { "true" } else { "false" });
    }
}

impl Encode for i32 {
    fn encode(&self, xml: &mut Writer) {
        i64::from(*self).encode(xml);
    }
}

impl Encode for i64 {
    fn encode(&self, xml: &mut Writer) {
        // Writing to a String cannot fail.
        let _ = write!(xml.text, "{self}");
    }
}

impl Encode for f64 {
    fn encode(&self, xml: &mut Writer) {
        // The debug form keeps the point of whole numbers: 2.0, as EC2 sends it.
        let _ = write!(xml.text, "{self:?}");
    }
}
