//! Words that must not be committed: markers of unfinished work, and what only one machine has.

use super::{File, Findings};

/// What is forbidden, in two halves so that this file does not contain it, and why.
const FORBIDDEN: [(&str, &str, &str); 10] = [
    ("TO", "DO", "finish it or file an issue"),
    ("FIX", "ME", "finish it or file an issue"),
    ("XX", "X", "finish it or file an issue"),
    ("to", "do!(", "answer a clear error"),
    ("unimple", "mented!(", "answer a clear error"),
    ("/wo", "rk/", "a path of one machine"),
    ("/tmp/tar", "get", "a path of one machine"),
    ("index", "-url", "a setting of one machine"),
    ("trusted", "-host", "a setting of one machine"),
    ("replace", "-with =", "a setting of one machine"),
];

pub(super) fn check(files: &[File], findings: &mut Findings) {
    for file in files {
        for (number, line) in file.text.lines().enumerate() {
            for (head, tail, why) in FORBIDDEN {
                if contains_word(line, &format!("{head}{tail}")) {
                    let path = &file.path;
                    let number = number + 1;
                    findings.error(format!("{path}:{number}: `{head}{tail}`: {why}"));
                }
            }
        }
    }
}

/// Whether `word` stands in the line, and not as a part of a longer word or path.
fn contains_word(line: &str, word: &str) -> bool {
    let joins = |c: char| c.is_alphanumeric() || c == '_';
    line.match_indices(word).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        let after = line[at + word.len()..].chars().next();
        let open_end = !word.ends_with(char::is_alphanumeric);
        !before.is_some_and(joins) && (open_end || !after.is_some_and(joins))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_whole() {
        assert!(contains_word("// ABC: later", "ABC"));
        assert!(!contains_word("mABCus", "ABC"));
        assert!(contains_word("cd /abc/main", "/abc/"));
        assert!(!contains_word("net/abc/main", "/abc/"));
    }
}
