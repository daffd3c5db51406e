//! Just enough of Rust's lexical structure to look at code without being misled by text and comments.

/// The same text with the inside of comments, strings and character literals blanked; lines stay where they are.
pub(super) fn blank_literals(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut out = bytes.to_vec();
    let mut at = 0;
    while at < bytes.len() {
        let end = literal_end(bytes, at);
        for slot in out.iter_mut().take(end).skip(at) {
            if *slot != b'\n' {
                *slot = b' ';
            }
        }
        at = end.max(at + 1);
    }
    // Only whole literals were blanked, so what is left of multi-byte characters is intact.
    String::from_utf8_lossy(&out).into_owned()
}

/// The end of the comment or literal that starts at `at`; `at` itself when none does.
fn literal_end(bytes: &[u8], at: usize) -> usize {
    let rest = &bytes[at..];
    match rest {
        [b'/', b'/', ..] => find(bytes, at, b"\n").unwrap_or(bytes.len()),
        [b'/', b'*', ..] => block_comment_end(bytes, at),
        [b'"', ..] => quoted_end(bytes, at + 1, b'"'),
        [b'r', b'"' | b'#', ..] if !follows_word(bytes, at) => raw_string_end(bytes, at + 1),
        [b'b', b'r', b'"' | b'#', ..] if !follows_word(bytes, at) => raw_string_end(bytes, at + 2),
        [b'\'', b'\\', ..] => quoted_end(bytes, at + 1, b'\''),
        [b'\'', ..] => character_end(bytes, at),
        _ => at,
    }
}

fn follows_word(bytes: &[u8], at: usize) -> bool {
    at > 0 && (bytes[at - 1].is_ascii_alphanumeric() || bytes[at - 1] == b'_')
}

fn find(bytes: &[u8], from: usize, needle: &[u8]) -> Option<usize> {
    bytes
        .get(from..)?
        .windows(needle.len())
        .position(|window| window == needle)
        .map(|offset| from + offset)
}

fn block_comment_end(bytes: &[u8], at: usize) -> usize {
    let (mut depth, mut index) = (0_usize, at);
    while index < bytes.len() {
        if bytes[index..].starts_with(b"/*") {
            depth += 1;
            index += 2;
        } else if bytes[index..].starts_with(b"*/") {
            depth -= 1;
            index += 2;
            if depth == 0 {
                return index;
            }
        } else {
            index += 1;
        }
    }
    bytes.len()
}

fn quoted_end(bytes: &[u8], from: usize, quote: u8) -> usize {
    let mut index = from;
    while index < bytes.len() {
        match bytes[index] {
            b'\\' => index += 2,
            byte if byte == quote => return index + 1,
            _ => index += 1,
        }
    }
    bytes.len()
}

/// `from` is behind the `r`. `r#name` is an identifier, not a string.
fn raw_string_end(bytes: &[u8], from: usize) -> usize {
    let hashes = bytes[from..].iter().take_while(|b| **b == b'#').count();
    let open = from + hashes;
    if bytes.get(open) != Some(&b'"') {
        return open;
    }
    let mut close = vec![b'"'];
    close.resize(hashes + 1, b'#');
    find(bytes, open + 1, &close).map_or(bytes.len(), |found| found + close.len())
}

/// The end of a character literal; a lifetime is left as it is.
fn character_end(bytes: &[u8], at: usize) -> usize {
    let width = match bytes.get(at + 1) {
        Some(0xf0..) => 4,
        Some(0xe0..) => 3,
        Some(0xc0..) => 2,
        _ => 1,
    };
    if bytes.get(at + 1 + width) == Some(&b'\'') {
        at + width + 2
    } else {
        at
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn code_stays_and_literals_go() {
        let text =
            "a('{', \"}\\\"\", r#\"{\"#, '\\'', b'}') // {\nfn f<'a>(x: &'a str) {/* } */}\n";
        let blanked = blank_literals(text);
        assert_eq!(blanked.len(), text.len());
        assert_eq!(blanked.matches('{').count(), 1);
        assert_eq!(blanked.matches('}').count(), 1);
        assert!(blanked.contains("fn f<'a>(x: &'a str)"));
    }
}
