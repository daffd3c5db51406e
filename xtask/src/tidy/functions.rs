//! Functions fit a screen.

use super::allow::AllowList;
use super::source::blank_literals;
use super::{File, Findings};

/// Lines of a function, from `fn` to its closing brace.
const LINES_MAX: usize = 80;

pub(super) fn check(files: &[File], allow: &mut AllowList, findings: &mut Findings) {
    let sources = files.iter().filter(|file| file.is_rust());
    for file in sources.filter(|file| !file.is_generated() && !file.is_test()) {
        for (name, lines) in functions(&file.text) {
            if lines > LINES_MAX {
                let subject = format!("function {} {name}", file.path);
                allow.over(&subject, lines, LINES_MAX, findings);
            }
        }
    }
}

/// Name and length of every function with a body.
fn functions(text: &str) -> Vec<(String, usize)> {
    let code = blank_literals(text);
    let bytes = code.as_bytes();
    let mut found = Vec::new();
    let mut from = 0;
    while let Some(at) = code[from..].find("fn ").map(|offset| from + offset) {
        from = at + 3;
        let starts_word = at == 0 || !is_word(bytes[at - 1]);
        let name: String = code[from..]
            .chars()
            .take_while(|c| c.is_alphanumeric() || *c == '_')
            .collect();
        if !starts_word || name.is_empty() {
            continue;
        }
        if let Some(end) = end_of_body(&bytes[from..]) {
            let lines = code[at..=from + end].matches('\n').count() + 1;
            found.push((name, lines));
        }
    }
    found
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

/// Where the body that follows a function's name closes; `None` for a declaration without one.
fn end_of_body(bytes: &[u8]) -> Option<usize> {
    let (mut braces, mut brackets) = (0_usize, 0_usize);
    for (index, byte) in bytes.iter().enumerate() {
        match byte {
            b'(' | b'[' => brackets += 1,
            b')' | b']' => brackets = brackets.saturating_sub(1),
            b';' if braces == 0 && brackets == 0 => return None,
            b'{' => braces += 1,
            b'}' => {
                braces = braces.checked_sub(1)?;
                if braces == 0 {
                    return Some(index);
                }
            }
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn functions_are_measured_from_name_to_brace() {
        let text = "fn one() -> [u8; 2] { [1, 2] }\n\
                    trait T { fn declared(&self); }\n\
                    // fn comment() {\n\
                    fn three() {\n    let brace = \"}\";\n}\n\
                    let pointer: fn(u8) = f;\n";
        let found = functions(text);
        assert_eq!(found, [("one".to_owned(), 1), ("three".to_owned(), 3)]);
    }
}
