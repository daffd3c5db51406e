//! A parsed XML document as a tree of owned elements.

use anyhow::Context;

/// An element.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Element {
    /// Its name, without a namespace.
    pub(crate) name: String,
    /// Its own text, trimmed.
    pub(crate) text: String,
    /// Its elements.
    pub(crate) children: Vec<Element>,
}

impl Element {
    /// Parses a document and returns its root.
    pub(crate) fn parse(text: &str) -> anyhow::Result<Self> {
        let document = roxmltree::Document::parse(text).context("the answer is not XML")?;
        Ok(Self::from_node(document.root_element()))
    }

    fn from_node(node: roxmltree::Node<'_, '_>) -> Self {
        Self {
            name: node.tag_name().name().to_owned(),
            text: node.text().unwrap_or_default().trim().to_owned(),
            children: node
                .children()
                .filter(roxmltree::Node::is_element)
                .map(Self::from_node)
                .collect(),
        }
    }

    /// The first element at a path such as `vpc/vpcId`.
    pub(crate) fn at(&self, path: &str) -> Option<&Self> {
        path.split('/').try_fold(self, |element, name| {
            element.children.iter().find(|child| child.name == name)
        })
    }

    /// The text at a path.
    pub(crate) fn text(&self, path: &str) -> anyhow::Result<&str> {
        self.at(path)
            .map(|element| element.text.as_str())
            .with_context(|| format!("the answer {} has no {path}", self.name))
    }

    /// The elements named `name` of the list at a path; none if there is no list.
    pub(crate) fn all<'a>(&'a self, path: &str, name: &'a str) -> impl Iterator<Item = &'a Self> {
        let list = if path.is_empty() {
            Some(self)
        } else {
            self.at(path)
        };
        let children = list.map_or(&[][..], |list| &list.children);
        children.iter().filter(move |child| child.name == name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = r#"<?xml version="1.0" encoding="UTF-8"?>
        <DescribeVpcsResponse xmlns="http://ec2.amazonaws.com/doc/2016-11-15/">
          <vpcSet>
            <item><vpcId>vpc-1</vpcId><cidrBlock>10.0.0.0/16</cidrBlock></item>
            <item><vpcId>vpc-2</vpcId><note>a &amp; b</note></item>
          </vpcSet>
          <empty/>
        </DescribeVpcsResponse>"#;

    #[test]
    fn paths_lead_to_elements() {
        let root = Element::parse(TEXT).unwrap();
        assert_eq!(root.name, "DescribeVpcsResponse");
        assert_eq!(root.text("vpcSet/item/vpcId").unwrap(), "vpc-1");
        let ids: Vec<_> = root
            .all("vpcSet", "item")
            .map(|vpc| vpc.text("vpcId").unwrap())
            .collect();
        assert_eq!(ids, ["vpc-1", "vpc-2"]);
        assert_eq!(
            root.all("vpcSet", "item")
                .nth(1)
                .unwrap()
                .text("note")
                .unwrap(),
            "a & b"
        );
        assert_eq!(root.text("empty").unwrap(), "");
        assert_eq!(root.all("nothing", "item").count(), 0);
    }

    #[test]
    fn what_is_missing_is_named() {
        let root = Element::parse(TEXT).unwrap();
        let error = root.text("vpc/vpcId").unwrap_err().to_string();
        assert_eq!(error, "the answer DescribeVpcsResponse has no vpc/vpcId");
        assert!(Element::parse("{}").is_err());
    }
}
