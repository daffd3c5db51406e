//! JSON patterns: `{ ($.eventName = "Run*") && ($.sourcePort > 1024) }`.

use std::collections::BTreeMap;

use serde_json::Value;

use super::expression::{Expression, Operand, Operator, Reader, quoted};
use super::{PatternError, syntax};

#[derive(Debug, Clone)]
pub(crate) struct JsonPattern {
    condition: Expression<Atom>,
}

#[derive(Debug, Clone)]
struct Atom {
    /// The selector as it was written, the name of an extracted value.
    text: String,
    selector: Vec<Step>,
    test: Test,
}

#[derive(Debug, Clone, PartialEq)]
enum Step {
    Member(String),
    Element(usize),
    Any,
}

#[derive(Debug, Clone)]
enum Test {
    Compare(Operator, Operand),
    IsNull,
    IsTrue,
    IsFalse,
    Exists,
    NotExists,
}

impl JsonPattern {
    pub(crate) fn parse(inner: &str) -> Result<Self, PatternError> {
        let mut reader = Reader::new(inner);
        let condition = reader.expression(&atom)?;
        if !reader.rest().is_empty() {
            return syntax(format!("unexpected {}", reader.rest()));
        }
        Ok(Self { condition })
    }

    pub(crate) fn matches(&self, message: &str) -> bool {
        match parse(message) {
            Some(event) => self.condition.holds(&|atom: &Atom| atom.holds(&event)),
            None => false,
        }
    }

    pub(crate) fn extract(&self, message: &str) -> BTreeMap<String, String> {
        let Some(event) = parse(message) else {
            return BTreeMap::new();
        };
        let mut atoms = Vec::new();
        self.condition.atoms(&mut atoms);
        let value = |atom: &Atom| {
            let value = select(&event, &atom.selector).into_iter().next()?;
            Some((
                atom.text.clone(),
                scalar(value).unwrap_or_else(|| value.to_string()),
            ))
        };
        atoms.into_iter().filter_map(value).collect()
    }
}

/// The event, when it is a JSON object or array.
fn parse(message: &str) -> Option<Value> {
    serde_json::from_str(message)
        .ok()
        .filter(|value: &Value| value.is_object() || value.is_array())
}

impl Atom {
    fn holds(&self, event: &Value) -> bool {
        let found = select(event, &self.selector);
        let any = |test: &dyn Fn(&Value) -> bool| found.iter().any(|value| test(value));
        match &self.test {
            Test::IsNull => any(&Value::is_null),
            Test::IsTrue => any(&|value| *value == Value::Bool(true)),
            Test::IsFalse => any(&|value| *value == Value::Bool(false)),
            Test::Exists => !found.is_empty(),
            Test::NotExists => found.is_empty(),
            Test::Compare(operator, operand) => {
                any(&|value| scalar(value).is_some_and(|text| operator.holds(&text, operand)))
            }
        }
    }
}

fn scalar(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(flag) => Some(flag.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

fn select<'a>(event: &'a Value, selector: &[Step]) -> Vec<&'a Value> {
    let mut found = vec![event];
    for step in selector {
        found = found
            .into_iter()
            .flat_map(|value| match (step, value) {
                (Step::Member(name), Value::Object(members)) => {
                    members.get(name).into_iter().collect()
                }
                (Step::Element(index), Value::Array(list)) => {
                    list.get(*index).into_iter().collect()
                }
                (Step::Any, Value::Object(members)) => members.values().collect(),
                (Step::Any, Value::Array(list)) => list.iter().collect(),
                _ => Vec::new(),
            })
            .collect();
    }
    found
}

fn atom(reader: &mut Reader<'_>) -> Result<Atom, PatternError> {
    let before = reader.rest();
    let selector = selector(reader)?;
    let text = before[..before.len() - reader.rest().len()]
        .trim_end()
        .to_owned();
    let test = if let Some(operator) = reader.operator() {
        Test::Compare(operator, reader.operand(operator)?)
    } else {
        match keyword(reader).as_str() {
            "IS" => match keyword(reader).as_str() {
                "NULL" => Test::IsNull,
                "TRUE" => Test::IsTrue,
                "FALSE" => Test::IsFalse,
                _ => return syntax("IS needs NULL, TRUE or FALSE"),
            },
            "EXISTS" => Test::Exists,
            "NOT" if keyword(reader) == "EXISTS" => Test::NotExists,
            _ => return syntax(format!("an operator is missing after {text}")),
        }
    };
    Ok(Atom {
        text,
        selector,
        test,
    })
}

fn keyword(reader: &mut Reader<'_>) -> String {
    reader
        .take_while(|c| c.is_ascii_alphabetic())
        .to_ascii_uppercase()
}

/// `$`, then `.name`, `.*`, `[0]`, `[*]` or `["name"]`.
fn selector(reader: &mut Reader<'_>) -> Result<Vec<Step>, PatternError> {
    if !reader.take("$") {
        return syntax(format!(
            "a selector that begins with $ is missing before {}",
            reader.rest()
        ));
    }
    let mut steps = Vec::new();
    loop {
        if reader.take(".") {
            let name = reader.take_while_exact(|c| c.is_alphanumeric() || "_-".contains(c));
            if !name.is_empty() {
                steps.push(Step::Member(name.to_owned()));
            } else if reader.take("*") {
                steps.push(Step::Any);
            } else {
                return syntax("a property name is missing");
            }
        } else if reader.take("[") {
            steps.push(index(reader)?);
            if !reader.take("]") {
                return syntax("a closing bracket is missing in a selector");
            }
        } else {
            reader.take_while(char::is_whitespace);
            return Ok(steps);
        }
    }
}

fn index(reader: &mut Reader<'_>) -> Result<Step, PatternError> {
    if reader.take("*") {
        return Ok(Step::Any);
    }
    if reader.rest().starts_with('"') {
        let (name, after) = quoted(reader.rest())?;
        let length = reader.rest().len() - after.len();
        let token = &reader.rest()[..length];
        reader.take(token);
        return Ok(Step::Member(name));
    }
    match reader.take_while(|c| c.is_ascii_digit()).parse() {
        Ok(index) => Ok(Step::Element(index)),
        Err(_) => syntax("an array index is missing"),
    }
}
