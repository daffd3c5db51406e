//! Space-delimited patterns: `[version, account, …, action = "REJECT", status]`.

use std::collections::BTreeMap;

use super::expression::{Expression, Operand, Operator, Reader};
use super::{PatternError, syntax};

/// Fields before and after `...`; without it the numbers of fields must be equal.
#[derive(Debug, Clone)]
pub(crate) struct SpacePattern {
    leading: Vec<Field>,
    trailing: Option<Vec<Field>>,
}

#[derive(Debug, Clone)]
struct Field {
    name: String,
    condition: Option<Expression<(Operator, Operand)>>,
}

impl SpacePattern {
    pub(crate) fn parse(inner: &str) -> Result<Self, PatternError> {
        let mut reader = Reader::new(inner);
        let mut leading = Vec::new();
        let mut trailing: Option<Vec<Field>> = None;
        loop {
            if reader.take("...") {
                if trailing.replace(Vec::new()).is_some() {
                    return syntax("an ellipsis can appear once only");
                }
            } else {
                let field = field(&mut reader)?;
                trailing.as_mut().unwrap_or(&mut leading).push(field);
            }
            if reader.rest().is_empty() {
                return Ok(Self { leading, trailing });
            }
            if !reader.take(",") {
                return syntax(format!("a comma is missing before {}", reader.rest()));
            }
        }
    }

    pub(crate) fn matches(&self, message: &str) -> bool {
        let values = split(message);
        let Some(start) = self.trailing_start(values.len()) else {
            return false;
        };
        let trailing = self.trailing.as_deref().unwrap_or_default();
        let leading = self.leading.iter().zip(&values);
        leading
            .chain(trailing.iter().zip(&values[start..]))
            .all(|(field, value)| {
                let condition = field.condition.as_ref();
                condition.is_none_or(|condition| {
                    condition.holds(&|(operator, operand)| operator.holds(value, operand))
                })
            })
    }

    /// Every value under its field's name, those under `...` by position.
    pub(crate) fn extract(&self, message: &str) -> BTreeMap<String, String> {
        let values = split(message);
        let Some(start) = self.trailing_start(values.len()) else {
            return BTreeMap::new();
        };
        let trailing = self.trailing.as_deref().unwrap_or_default();
        values
            .iter()
            .enumerate()
            .map(|(index, value)| {
                let field = match index.checked_sub(start) {
                    Some(after) if self.trailing.is_some() => trailing.get(after),
                    _ => self.leading.get(index),
                };
                let name = field.map_or_else(|| (index + 1).to_string(), |f| f.name.clone());
                (format!("${name}"), (*value).to_owned())
            })
            .collect()
    }

    /// Where the fields after `...` begin; `None` when the number of fields does not fit.
    fn trailing_start(&self, values: usize) -> Option<usize> {
        match &self.trailing {
            None => (values == self.leading.len()).then_some(values),
            Some(trailing) => values
                .checked_sub(trailing.len())
                .filter(|start| *start >= self.leading.len()),
        }
    }
}

/// A name, or a condition in which one name is compared.
fn field(reader: &mut Reader<'_>) -> Result<Field, PatternError> {
    let condition = reader.expression(&|reader: &mut Reader<'_>| {
        let name = reader.take_while(|c| c.is_alphanumeric() || "_-.".contains(c));
        if name.is_empty() {
            return syntax(format!("a field name is missing before {}", reader.rest()));
        }
        let comparison = match reader.operator() {
            Some(operator) => Some((operator, reader.operand(operator)?)),
            None => None,
        };
        Ok((name.to_owned(), comparison))
    })?;
    let mut atoms = Vec::new();
    condition.atoms(&mut atoms);
    let name = atoms
        .first()
        .map(|(name, _)| name.clone())
        .unwrap_or_default();
    if atoms.iter().any(|(other, _)| *other != name) {
        return syntax("the conditions of a field must all use its name");
    }
    if atoms.len() == 1 && atoms.iter().all(|(_, comparison)| comparison.is_none()) {
        return Ok(Field {
            name,
            condition: None,
        });
    }
    let condition = Some(comparisons(condition)?);
    Ok(Field { name, condition })
}

fn comparisons(
    expression: Expression<(String, Option<(Operator, Operand)>)>,
) -> Result<Expression<(Operator, Operand)>, PatternError> {
    let all = |list: Vec<_>| {
        list.into_iter()
            .map(comparisons)
            .collect::<Result<Vec<_>, _>>()
    };
    Ok(match expression {
        Expression::Atom((_, Some(comparison))) => Expression::Atom(comparison),
        Expression::Atom((name, None)) => {
            return syntax(format!("the field {name} is not compared with anything"));
        }
        Expression::And(list) => Expression::And(all(list)?),
        Expression::Or(list) => Expression::Or(all(list)?),
    })
}

/// The fields of a message: split at white space; `"…"` and `[…]` are one field without their marks.
fn split(message: &str) -> Vec<&str> {
    let mut fields = Vec::new();
    let mut rest = message.trim_start();
    while let Some(first) = rest.chars().next() {
        let close = match first {
            '"' => rest[1..].find('"'),
            '[' => rest[1..].find(']'),
            _ => None,
        };
        let (field, after) = match close {
            Some(length) => (&rest[1..1 + length], &rest[length + 2..]),
            None => rest.split_at(rest.find(char::is_whitespace).unwrap_or(rest.len())),
        };
        fields.push(field);
        rest = after.trim_start();
    }
    fields
}
