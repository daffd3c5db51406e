//! `Condition`: what has to hold for a statement to apply.

mod operand;
mod operator;

use self::operand::Operand;
pub(crate) use self::operator::{Comparison, Operator, Quantifier};
use crate::json::Value;
use crate::{Context, Error};

/// One key under one operator. All conditions of a statement have to hold.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Condition {
    pub(crate) operator: Operator,
    /// As written; names of keys are case-insensitive.
    pub(crate) key: String,
    operands: Vec<Operand>,
    /// The operands as written.
    pub(crate) texts: Vec<String>,
}

impl Condition {
    /// Whether the condition holds for a request.
    pub(crate) fn holds(&self, context: &Context) -> bool {
        let values = context.get(&self.key);
        let Operator {
            comparison,
            negated,
            if_exists,
            quantifier,
        } = self.operator;
        if comparison == Comparison::Null {
            let absent = Operand::Null(values.is_empty());
            return self.operands.contains(&absent);
        }
        if values.is_empty() {
            return if_exists
                || match quantifier {
                    Some(Quantifier::All) => true,
                    Some(Quantifier::Any) => false,
                    None => negated,
                };
        }
        let matches = |value: &String| {
            let mut operands = self.operands.iter();
            operands.any(|operand| operand.matches(value, context))
        };
        match quantifier {
            Some(Quantifier::All) => values.iter().all(|value| matches(value) != negated),
            Some(Quantifier::Any) => values.iter().any(|value| matches(value) != negated),
            None => values.iter().any(matches) != negated,
        }
    }
}

/// Reads a condition element: operators, each with keys, each with a value or a list.
pub(crate) fn parse(value: &Value, variables: bool) -> Result<Vec<Condition>, Error> {
    let Value::Object(operators) = value else {
        return Err(Error::Syntax);
    };
    let mut conditions = Vec::new();
    for (name, keys) in operators {
        let operator =
            Operator::parse(name).ok_or_else(|| Error::ConditionOperator(name.clone()))?;
        let Value::Object(keys) = keys else {
            return Err(Error::Syntax);
        };
        for (key, values) in keys {
            let texts = values.scalars().ok_or(Error::Syntax)?;
            let operands = texts
                .iter()
                .map(|text| Operand::parse(text, operator.comparison, variables, name))
                .collect::<Result<_, _>>()?;
            conditions.push(Condition {
                operator,
                key: key.clone(),
                operands,
                texts: texts.into_iter().map(str::to_owned).collect(),
            });
        }
    }
    Ok(conditions)
}
