//! Percent-encoding as SigV4 wants it: everything but `A-Z a-z 0-9 - . _ ~`, upper-case hex.

/// Encodes bytes; `keep_slash` leaves `/` alone, as in paths.
pub(crate) fn percent_encode(bytes: &[u8], keep_slash: bool) -> String {
    const HEX: &[u8; 16] = b"0123456789ABCDEF";
    let mut text = String::with_capacity(bytes.len());
    for &byte in bytes {
        let plain = byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~');
        if plain || (keep_slash && byte == b'/') {
            text.push(char::from(byte));
        } else {
            text.push('%');
            text.push(char::from(HEX[usize::from(byte >> 4)]));
            text.push(char::from(HEX[usize::from(byte & 15)]));
        }
    }
    text
}

/// Decodes `%XX`; a `%` without two hex digits stands for itself. `plus_is_space` is the rule of query strings.
pub(crate) fn percent_decode(text: &str, plus_is_space: bool) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        rest = tail;
        let escaped = match (first, tail) {
            (b'%', [high, low, after @ ..]) => hex_digit(*high).zip(hex_digit(*low)).map(|pair| {
                rest = after;
                pair.0 << 4 | pair.1
            }),
            _ => None,
        };
        let plain = if plus_is_space && *first == b'+' {
            b' '
        } else {
            *first
        };
        bytes.push(escaped.unwrap_or(plain));
    }
    bytes
}

/// The names and values of a query string, decoded, in their order. A value that is not UTF-8 gets replacement
/// characters; use it for parameters of the protocol, not for signing.
pub(crate) fn query_pairs(query: &str) -> impl Iterator<Item = (String, String)> + '_ {
    raw_pairs(query).map(|(name, value)| {
        let decode = |text| String::from_utf8_lossy(&percent_decode(text, true)).into_owned();
        (decode(name), decode(value))
    })
}

/// The names and values of a query string as they are.
pub(crate) fn raw_pairs(query: &str) -> impl Iterator<Item = (&str, &str)> + '_ {
    let pairs = query.split('&').filter(|pair| !pair.is_empty());
    pairs.map(|pair| pair.split_once('=').unwrap_or((pair, "")))
}

fn hex_digit(byte: u8) -> Option<u8> {
    char::from(byte).to_digit(16).map(|digit| digit as u8)
}
