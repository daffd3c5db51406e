//! Every Rust file says what it is and can be read in one sitting.

use super::allow::AllowList;
use super::{File, Findings};

/// Above this a file is hard to read.
const LINES_WARN: usize = 400;
/// Above this it must be split.
const LINES_MAX: usize = 700;

pub(super) fn check(files: &[File], allow: &mut AllowList, findings: &mut Findings) {
    for file in files.iter().filter(|file| file.is_rust()) {
        if !has_module_comment(&file.text) && !file.is_generated() {
            findings.error(format!("{}: does not begin with `//!`", file.path));
        }
        if file.is_generated() || file.is_test() {
            continue;
        }
        let lines = lines_of_code(&file.text);
        if lines > LINES_MAX {
            allow.over(&format!("file {}", file.path), lines, LINES_MAX, findings);
        } else if lines > LINES_WARN {
            findings.warn(format!(
                "file {}: {lines} lines, aim below {LINES_WARN}",
                file.path
            ));
        }
    }
}

fn has_module_comment(text: &str) -> bool {
    text.lines()
        .find(|line| !line.trim().is_empty())
        .is_some_and(|line| line.starts_with("//!"))
}

/// Lines before the unit tests at the end of the file.
fn lines_of_code(text: &str) -> usize {
    let lines: Vec<&str> = text.lines().collect();
    lines
        .windows(2)
        .position(|pair| pair[0] == "#[cfg(test)]" && pair[1].starts_with("mod tests {"))
        .unwrap_or(lines.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unit_tests_at_the_end_do_not_count() {
        let text = "//! About.\nfn a() {}\n#[cfg(test)]\nmod tests {\n    fn b() {}\n}\n";
        assert_eq!(lines_of_code(text), 2);
        assert!(has_module_comment(text));
        assert!(!has_module_comment("use std::fmt;\n//! Late.\n"));
    }
}
